/* SPDX-License-Identifier: MIT */
/* The accepted forms of GUIDs and handles, and the round trip of formatting and parsing. */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/guid.h"
#include "proto/macros.h"

TestSuite(guid);

#define LOWER "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c"
#define UPPER "AF0DCD1A-A0FD-59A0-998E-CAD0C3834A2C"

Test(guid, forms)
{
	static const struct {
		const char *text, *printed; /* printed is NULL if text is not a GUID */
	} rows[] = {
		{ LOWER, LOWER },
		{ UPPER, LOWER },
		{ "{" LOWER "}", LOWER },
		{ "{" UPPER "}", LOWER },
		{ "aF0Dcd1a-a0fd-59a0-998e-cad0c3834a2C", LOWER },
		{ "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001" },
		{ "10000000-0000-0000-0000-000000000000", "10000000-0000-0000-0000-000000000000" },
		{ "ffffffff-ffff-ffff-ffff-ffffffffffff", "ffffffff-ffff-ffff-ffff-ffffffffffff" },
		{ "00000000-0000-0000-0000-000000000000", NULL },
		{ "{00000000-0000-0000-0000-000000000000}", NULL },
		{ "", NULL },
		{ "{}", NULL },
		{ "{" LOWER, NULL },
		{ LOWER "}", NULL },
		{ "}" LOWER "{", NULL },
		{ "{{" LOWER "}}", NULL },
		{ "(" LOWER ")", NULL },
		{ " " LOWER, NULL },
		{ LOWER " ", NULL },
		{ LOWER "\n", NULL },
		{ "urn:uuid:" LOWER, NULL },
		{ "af0dcd1aa0fd59a0998ecad0c3834a2c", NULL },
		{ "{af0dcd1aa0fd59a0998ecad0c3834a2c}", NULL },
		{ "af0dcd1a-a0fd-59a0-998e-cad0c3834a2", NULL },
		{ LOWER "0", NULL },
		{ "af0dcd1-aa0fd-59a0-998e-cad0c3834a2c", NULL },
		{ "af0dcd1a_a0fd_59a0_998e_cad0c3834a2c", NULL },
		{ "af0dcd1a-a0fd-59a0-998ecad0c3834a2c-", NULL },
		{ "-f0dcd1a-a0fd-59a0-998e-cad0c3834a2c", NULL },
		{ "gf0dcd1a-a0fd-59a0-998e-cad0c3834a2c", NULL },
		{ "af0dcd1a-a0fd-59a0-998e-cad0c3834a2g", NULL },
		{ "0x0dcd1a-a0fd-59a0-998e-cad0c3834a2c", NULL },
		{ "af0dcd1a-a0fd-59a0-998e-cad0c3834a\xc3\xa9", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Guid guid, untouched;
		char text[GUID_TEXT_LENGTH + 1];

		memset(&guid, 0x5a, sizeof(guid));
		untouched = guid;
		cr_assert_eq(guid_parse(rows[i].text, &guid), rows[i].printed != NULL, "%s",
			     rows[i].text);
		if (!rows[i].printed)
			cr_assert_eq(guid_compare(&guid, &untouched), 0, "%s: result changed",
				     rows[i].text);
		else
			cr_assert_str_eq(guid_format(&guid, text), rows[i].printed);
	}
}

Test(guid, each_digit_counts)
{
	Guid original, other;

	cr_assert(guid_parse(LOWER, &original));
	for (size_t i = 0; i < GUID_TEXT_LENGTH; i++) {
		char text[] = LOWER;

		if (text[i] == '-')
			continue;
		text[i] = text[i] == '7' ? '8' : '7';
		cr_assert(guid_parse(text, &other));
		cr_assert_neq(guid_compare(&original, &other), 0, "digit at %zu", i);
	}
}

Test(guid, bytes_are_in_the_order_of_the_text)
{
	static const uint8_t bytes[] = { 0xaf, 0x0d, 0xcd, 0x1a, 0xa0, 0xfd, 0x59, 0xa0,
					 0x99, 0x8e, 0xca, 0xd0, 0xc3, 0x83, 0x4a, 0x2c };
	Guid guid;

	cr_assert(guid_parse(LOWER, &guid));
	cr_assert_eq(memcmp(guid.bytes, bytes, sizeof(bytes)), 0);
}

Test(guid, handles)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "00112233445566778899aabbccddeeff", true },
		{ "00000000000000000000000000000000", true }, /* well-formed, although never used */
		{ "00112233445566778899AABBCCDDEEFF", false },
		{ "00112233445566778899aabbccddeefF", false },
		{ "00112233445566778899aabbccddeef", false },
		{ "00112233445566778899aabbccddeeff0", false },
		{ "00112233445566778899aabbccddeeff ", false },
		{ " 0112233445566778899aabbccddeeff", false },
		{ "0x112233445566778899aabbccddeeff", false },
		{ "00112233-4455-6677-8899-aabbccddeeff", false },
		{ "g0112233445566778899aabbccddeeff", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Handle handle = { { 0x5a } };
		char text[HANDLE_TEXT_LENGTH + 1];

		cr_assert_eq(handle_parse(rows[i].text, &handle), rows[i].good, "%s", rows[i].text);
		if (rows[i].good)
			cr_assert_str_eq(handle_format(&handle, text), rows[i].text);
		else
			cr_assert_eq(handle.bytes[0], 0x5a, "%s: result changed", rows[i].text);
	}
}

Test(guid, handles_compare_by_all_their_bytes)
{
	Handle a = { { 0 } };

	for (size_t i = 0; i < sizeof(a.bytes); i++) {
		Handle b = a;

		b.bytes[i] = 1;
		cr_assert_lt(handle_compare(&a, &b), 0);
		cr_assert_gt(handle_compare(&b, &a), 0);
	}
	cr_assert_eq(handle_compare(&a, &a), 0);
}
