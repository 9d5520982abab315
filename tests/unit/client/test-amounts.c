/* SPDX-License-Identifier: MIT */
/* Tests ages, points in time, sizes and percentages as people read them. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "client/vailctl/amounts.h"
#include "proto/macros.h"

TestSuite(amounts);

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

Test(amounts, age)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} ages[] = {
		{ 0, "0 s" },         { 59, "59 s" },
		{ 60, "1 min" },      { 3599, "59 min" },
		{ 3600, "1 h" },      { 86399, "23 h" },
		{ 86400, "1 day" },   { 172799, "1 day" },
		{ 172800, "2 days" }, { 8640000, "100 days" },
	};
	char text[AMOUNT_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(ages); i++)
		cr_expect_str_eq(age_text(ages[i].seconds, text), ages[i].text);
}

Test(amounts, since)
{
	char text[AMOUNT_TEXT];

	setenv("TZ", "UTC", 1);
	cr_expect_str_eq(since_text(1796027005, 185, text), "2026-11-30 08:23:25 (3 min ago)");
	cr_expect_str_eq(since_text(INT64_MAX, UINT64_MAX, text), "- (213503982334601 days ago)");
}

Test(amounts, size)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1 KiB" },
		{ 1536, "1.5 KiB" },
		{ 10 * KIB, "10 KiB" },
		{ 10 * KIB - 1, "10 KiB" },
		{ 10 * KIB + 512, "11 KiB" },
		{ 1920 * 1080 * 4, "7.9 MiB" },
		{ 16 * MIB, "16 MiB" },
		{ GIB, "1 GiB" },
		{ UINT64_MAX, "16 EiB" },
	};
	char text[AMOUNT_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		cr_expect_str_eq(size_text(sizes[i].bytes, text), sizes[i].text);
}

Test(amounts, percent)
{
	static const struct {
		uint64_t used;
		uint64_t maximum;
		const char *text;
	} shares[] = {
		{ 0, 64, "0 %" },
		{ 1, 1000, "<1 %" },
		{ 1, 100, "1 %" },
		{ 63, 64, "98 %" },
		{ 64, 64, "100 %" },
		{ 65, 64, "101 %" },
		{ 9999, 10000, "99 %" },
		{ 0, 0, "100 %" },
		{ UINT64_MAX - 1, UINT64_MAX, "99 %" },
		{ UINT64_MAX, UINT64_MAX, "100 %" },
	};
	char text[AMOUNT_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(shares); i++)
		cr_expect_str_eq(percent_text(shares[i].used, shares[i].maximum, text),
				 shares[i].text);
}
