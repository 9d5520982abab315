/* SPDX-License-Identifier: MIT */
/* Tests how text is folded for a terminal. */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>

#include "client/common/terminal-text.h"

static void use_utf8(void)
{
	cr_assert(setlocale(LC_CTYPE, "C.UTF-8"));
}

TestSuite(terminal_text, .init = use_utf8);

static void expect_folded(const char *text, size_t columns, const char *expected)
{
	char *folded = text_fold(text, columns, 2);

	cr_expect_str_eq(folded, expected);
	free(folded);
}

Test(terminal_text, leaves_what_fits)
{
	expect_folded("", 10, "");
	expect_folded("1234567890", 10, "1234567890");
	expect_folded("1234 67890", 10, "1234 67890");
	expect_folded("12  5", 10, "12  5");
}

Test(terminal_text, folds_between_words)
{
	expect_folded("1234 678901", 10, "1234\n  678901");
	expect_folded("one two three four", 10, "one two\n  three\n  four");
	expect_folded("one two three f", 10, "one two\n  three f");
}

Test(terminal_text, keeps_words_that_are_too_long)
{
	expect_folded("/a/very/long/path: it", 10, "/a/very/long/path:\n  it");
	expect_folded("in /a/very/long/path", 10, "in\n  /a/very/long/path");
	expect_folded("a b c", 0, "a\n  b\n  c");
}

Test(terminal_text, counts_the_columns_of_characters)
{
	expect_folded("\u69cb\u7bc9 \u69cb\u7bc9 x", 10, "\u69cb\u7bc9 \u69cb\u7bc9\n  x");
	expect_folded("\u69cb\u7bc9 \u69cb\u7bc9x", 10, "\u69cb\u7bc9 \u69cb\u7bc9x");
	expect_folded("\u00e9\u00e9\u00e9\u00e9 \u00e9\u00e9\u00e9\u00e9e\u0301", 10,
		      "\u00e9\u00e9\u00e9\u00e9 \u00e9\u00e9\u00e9\u00e9e\u0301");
}

Test(terminal_text, loses_only_the_space_of_a_fold)
{
	expect_folded("1234567890 ", 10, "1234567890 ");
	expect_folded("1234567890  x", 10, "1234567890 \n  x");
}

static void expect_message(const char *text, size_t columns, const char *expected)
{
	char *folded = text_fold_message(text, columns, 2);

	cr_expect_str_eq(folded, expected);
	free(folded);
}

Test(terminal_text, keeps_commands_of_messages)
{
	expect_message("to see it, run: vailctl vm list", 24, "to see it, run:\n  vailctl vm list");
	expect_message("not 0; see vailctl vm --help", 20, "not 0; see\n  vailctl vm --help");
	expect_message("run: vailctl list", 17, "run: vailctl list");
	expect_folded("run: vailctl list", 16, "run: vailctl\n  list");
}

Test(terminal_text, keeps_commands_that_are_too_long)
{
	expect_message("call it with: vailctl call a.b '{\"c\": 1, \"d\": 2}' (NO)", 20,
		       "call it with:\n  vailctl call a.b '{\"c\": 1, \"d\": 2}'\n  (NO)");
}

Test(terminal_text, keeps_commands_in_quotes)
{
	expect_message("correct it, then run \"vailctl reload\": no", 24,
		       "correct it, then run\n  \"vailctl reload\": no");
	expect_message("add it with `vailctl vm add`, or wait", 24,
		       "add it with\n  `vailctl vm add`, or\n  wait");
	expect_message("the VM \"vailctl", 12, "the VM\n  \"vailctl");
}

Test(terminal_text, keeps_quoted_arguments)
{
	expect_message("to see it, run: vailctl show \"it's, a (b)\"; or not", 30,
		       "to see it, run:\n  vailctl show \"it's, a (b)\";\n  or not");
}

Test(terminal_text, keeps_commands_of_questions)
{
	expect_message("did you mean vailctl vm list? see vailctl --help", 24,
		       "did you mean\n  vailctl vm list? see\n  vailctl --help");
}

Test(terminal_text, keeps_lines)
{
	expect_folded("one two\nthree four", 8, "one two\nthree\n  four");
	expect_message("run: vailctl list\nthe rest", 17, "run: vailctl list\nthe rest");
}

Test(terminal_text, folds_behind_commands)
{
	expect_message("run: vailctl a, or run: vailctl b", 18,
		       "run: vailctl a, or\n  run: vailctl b");
	expect_message("see: systemctl status vaild; or wait here", 30,
		       "see: systemctl status vaild;\n  or wait here");
	expect_message("run: virsh list (STATUS)", 20, "run: virsh list\n  (STATUS)");
	expect_message("run: virsh list  x", 16, "run: virsh list \n  x");
}

Test(terminal_text, folds_sentences_about_programs)
{
	expect_message("run vail-qemu as root", 15, "run vail-qemu\n  as root");
	expect_message("see  vailctl list", 15, "see  vailctl\n  list");
	expect_message("run with vail-qemu and more", 20, "run with vail-qemu\n  and more");
}

/* The name before a colon announces no command, whether it is the program's or that of a VM. */
Test(terminal_text, folds_sentences_behind_names)
{
	expect_message("vail-qemu: vaild is not reachable", 24,
		       "vail-qemu: vaild is not\n  reachable");
	expect_message("vail-libvirt: my desk: vail-qemu has ended", 34,
		       "vail-libvirt: my desk: vail-qemu\n  has ended");
	expect_message("with vail-view: vaild has gone, run: vaild -c x", 24,
		       "with vail-view: vaild\n  has gone, run:\n  vaild -c x");
}
