/* SPDX-License-Identifier: MIT */
/* Tests addresses as text: "0x" and 1 to 16 hex digits. */
#include <criterion/criterion.h>

#include "proto/hex-address.h"
#include "proto/json-writer.h"
#include "proto/macros.h"

TestSuite(hex_address);

Test(hex_address, accepts_only_prefixed_hexadecimal)
{
	static const struct {
		const char *text;
		bool is_address;
		uint64_t value;
	} rows[] = {
		{ "0x0", true, 0 },
		{ "0x1", true, 1 },
		{ "0xabcDEF", true, 0xabcdef },
		{ "0xffffffffffffffff", true, UINT64_MAX },
		{ "0x0000000000001000", true, 4096 },
		{ "0x00000000000001000", false, 0 },
		{ "0x10000000000000000", false, 0 },
		{ "0x", false, 0 },
		{ "", false, 0 },
		{ "0", false, 0 },
		{ "4096", false, 0 },
		{ "0X10", false, 0 },
		{ " 0x10", false, 0 },
		{ "0x10 ", false, 0 },
		{ "0x1g", false, 0 },
		{ "0x-1", false, 0 },
		{ "-0x1", false, 0 },
		{ "0x0x1", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 77;

		cr_assert_eq(address_parse(rows[i].text, &value), rows[i].is_address, "%s",
			     rows[i].text);
		cr_assert_eq(value, rows[i].is_address ? rows[i].value : 77, "%s", rows[i].text);
	}
}

Test(hex_address, writes_the_form_it_reads)
{
	static const struct {
		uint64_t value;
		const char *text;
	} rows[] = {
		{ 0, "\"0x0\"" },
		{ 0x8000000000, "\"0x8000000000\"" },
		{ UINT64_MAX, "\"0xffffffffffffffff\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Buffer text = BUFFER_INIT;
		Writer writer = WRITER_INIT(&text);

		writer_address(&writer, rows[i].value);
		writer_terminator(&writer, '\0');
		cr_assert_str_eq(buffer_head(&text), rows[i].text);
		buffer_deinit(&text);
	}
}
