/* SPDX-License-Identifier: MIT */
/* The name that vail-qemu gives a VM: valid UTF-8 that vaild accepts, and never empty. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "client/vail-qemu/machine-name.h"
#include "daemon/core/limit.h"
#include "proto/macros.h"

#define GUID "1b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10"

TestSuite(qemu_machine_name);

static void expect_name(const char *given, const char *expected)
{
	char name[MACHINE_NAME_SIZE];

	memset(name, 'x', sizeof(name));
	machine_name_make(given, GUID, name);
	cr_assert_str_eq(name, expected);
}

/* Repeats the text, and appends the end. */
static const char *repeat(const char *text, size_t count, const char *end)
{
	static char result[2][4096];
	static unsigned int turn;
	char *at = result[turn++ % 2];
	const char *first = at;

	for (size_t i = 0; i < count; i++)
		at = stpcpy(at, text);
	strcpy(at, end);
	return first;
}

Test(qemu_machine_name, the_longest_name_is_the_longest_that_vaild_accepts)
{
	cr_assert_eq(MACHINE_NAME_SIZE - 1, LIMIT_NAME_LENGTH);
}

Test(qemu_machine_name, a_VM_without_a_name_is_called_by_the_first_part_of_its_GUID)
{
	expect_name("", "QEMU 1b4e28ba");
	expect_name(" \t\n", "QEMU 1b4e28ba");
	expect_name("0", "0");
}

Test(qemu_machine_name, control_characters_become_spaces)
{
	expect_name("a\nb\tc\x7f"
		    "d\x1b[31me",
		    "a b c d [31me");
	expect_name("a\xc2\x9b"
		    "b\xe2\x80\xa8"
		    "c",
		    "a b c");
}

Test(qemu_machine_name, invalid_UTF_8_is_replaced)
{
	static const char *const invalid[] = {
		"\x80", "\xc3", "\xc0\x80",         "\xe2\x82",         "\xed\xa0\x80",
		"\xf8", "\xff", "\xf5\x80\x80\x80", "\xf0\x80\x80\x80",
	};

	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++) {
		char given[16];
		snprintf(given, sizeof(given), "a%sb", invalid[i]);
		expect_name(given, "a\xef\xbf\xbd"
				   "b");
	}
	expect_name("\xd0\xb6 \xe2\x82\xac \xf0\x9f\x98\x80",
		    "\xd0\xb6 \xe2\x82\xac \xf0\x9f\x98\x80");
}

Test(qemu_machine_name, long_names_end_with_a_whole_character)
{
	expect_name(repeat("x", 255, ""), repeat("x", 255, ""));
	expect_name(repeat("x", 300, ""), repeat("x", 255, ""));
	expect_name(repeat("\xd0\xb6", 128, ""), repeat("\xd0\xb6", 127, ""));
	expect_name(repeat("\xe2\x82\xac", 85, ""), repeat("\xe2\x82\xac", 85, ""));
	expect_name(repeat("\xe2\x82\xac", 86, ""), repeat("\xe2\x82\xac", 85, ""));
	expect_name(repeat("\xf0\x9f\x98\x80", 64, ""), repeat("\xf0\x9f\x98\x80", 63, ""));
	expect_name(repeat("\xff", 300, ""), repeat("\xef\xbf\xbd", 85, ""));
}

Test(qemu_machine_name, a_character_is_not_parted_from_its_combining_marks)
{
	const char *joined = "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb"; /* 11 bytes */

	expect_name(repeat("x", 253, "e\xcc\x81"), repeat("x", 253, ""));
	expect_name(repeat("x", 252, "e\xcc\x81"), repeat("x", 252, "e\xcc\x81"));
	expect_name(repeat("x", 245, joined), repeat("x", 245, ""));
	expect_name(repeat("x", 244, joined), repeat("x", 244, joined));
	/* With more marks than fit, something is left. */
	expect_name(repeat("\xcc\x81", 300, ""), repeat("\xcc\x81", 127, ""));
}
