/* SPDX-License-Identifier: MIT */
/* Tests how many rows of a terminal a text needs. */
#include <criterion/criterion.h>
#include <locale.h>
#include <string.h>

#include "client/vailctl/terminal.h"

static void use_utf8(void)
{
	cr_assert(setlocale(LC_CTYPE, "C.UTF-8"));
}

TestSuite(terminal_rows, .init = use_utf8);

static size_t rows(const char *text, size_t columns)
{
	return terminal_rows_of(text, strlen(text), columns);
}

Test(terminal_rows, counts_lines)
{
	cr_expect_eq(rows("", 80), 0);
	cr_expect_eq(rows("a\n", 80), 1);
	cr_expect_eq(rows("a", 80), 1);
	cr_expect_eq(rows("\n\na\n", 80), 3);
}

Test(terminal_rows, counts_wrapped_lines)
{
	cr_expect_eq(rows("12345\n", 5), 1);
	cr_expect_eq(rows("123456\n", 5), 2);
	cr_expect_eq(rows("12345678901\nx\n", 5), 4);
}

Test(terminal_rows, knows_the_width_of_characters)
{
	cr_expect_eq(rows("構築\n", 4), 1);
	/* A wide character that does not fit begins the next row. */
	cr_expect_eq(rows("構築\n", 3), 2);
	cr_expect_eq(rows("e\xcc\x81"
			  "e\xcc\x81\n",
			  2),
		     1);
	cr_expect_eq(rows("\xff\xff\xff\n", 2), 2);
}

Test(terminal_rows, colours_have_no_width)
{
	cr_expect_eq(rows("\033[4m12345\033[0m\n\033[1;31m12345\033[0m\n", 5), 2);
	cr_expect_eq(rows("\033[4m\n", 5), 1);
}
