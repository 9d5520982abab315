/* SPDX-License-Identifier: MIT */
/* Tests which columns of a table are shown, how wide they are, and how they are printed. */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "client/vailctl/table.h"

#define GUID "0b5a4a2e-6f0e-4c55-9d3c-2a8f5f6f1c10"

static void use_utf8(void)
{
	cr_assert(setlocale(LC_CTYPE, "C.UTF-8"));
}

TestSuite(table, .init = use_utf8);

static const TableColumn columns[] = {
	{ .name = "GUID" },
	{ .name = "NAME", .minimum = 6 },
	{ .name = "PID", .right = true, .drop = 1 },
	{ .name = "CLIENTS", .minimum = 8, .drop = 2 },
};

/* Prints a table with one row, and expects it to be exactly this text. */
static void expect_printed(const char *name, const char *clients, size_t max_width,
			   const char *expected)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(columns);
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	table.max_width = max_width;
	table_add(&table, GUID);
	table_add(&table, name);
	table_add_format(&table, "%d", 123);
	table_add(&table, clients);
	cr_assert(table_print(&table, out, true));
	fclose(out);
	cr_expect_str_eq(text, expected);
}

Test(table, is_whole_without_a_width)
{
	expect_printed(
		"a name of many columns", "user alice, user bob", 0,
		"GUID                                  NAME                    PID  CLIENTS\n" GUID
		"  a name of many columns  123  user alice, user bob\n");
}

Test(table, is_whole_if_it_fits)
{
	expect_printed("name", "user alice, user bob", 36 + 2 + 4 + 2 + 3 + 2 + 20,
		       "GUID                                  NAME  PID  CLIENTS\n" GUID
		       "  name  123  user alice, user bob\n");
}

Test(table, shortens_before_it_drops)
{
	expect_printed("a name of many columns", "user alice, user bob", 36 + 2 + 8 + 2 + 3 + 2 + 9,
		       "GUID                                  NAME       PID  CLIENTS\n" GUID
		       "  a name...  123  user ...\n");
}

Test(table, drops_in_order_and_uses_the_room)
{
	expect_printed("a name of many columns", "user alice", 36 + 2 + 6 + 2 + 3 + 2 + 7,
		       "GUID                                  NAME             PID\n" GUID
		       "  a name of ma...  123\n");
	expect_printed("a name of many columns", "user alice", 36 + 2 + 6 + 2 + 2,
		       "GUID                                  NAME\n" GUID "  a name ...\n");
}

Test(table, never_cuts_a_guid)
{
	expect_printed("a name of many columns", "user alice", 20,
		       "GUID                                  NAME\n" GUID "  a n...\n");
}

Test(table, aligns_wide_and_combining_characters)
{
	expect_printed("構築 サーバー", "bob", 0,
		       "GUID                                  NAME           PID  CLIENTS\n" GUID
		       "  構築 サーバー  123  bob\n");
	expect_printed("e\xcc\x81t\xc3\xa9", "bob", 0,
		       "GUID                                  NAME  PID  CLIENTS\n" GUID
		       "  e\xcc\x81t\xc3\xa9   123  bob\n");
	/* Nine columns hold three wide characters and the dots; the tenth stays empty. */
	expect_printed("構築構築構築構築", "bob", 36 + 2 + 10,
		       "GUID                                  NAME\n" GUID "  構築構...\n");
}

Test(table, escapes_hostile_text)
{
	/* NOLINTNEXTLINE(misc-misleading-bidirectional): that is the hostile text */
	expect_printed("a\nb\033[31m\xe2\x80\xae\\x41", "\xff", 0,
		       "GUID                                  NAME                            "
		       "PID  CLIENTS\n" GUID
		       "  a\\x0ab\\x1b[31m\\xe2\\x80\\xae\\x41  123  \\xff\n");
}

Test(table, keeps_the_tail)
{
	static const TableColumn names[] = { { .name = "VM", .minimum = 4 } };
	_cleanup_(table_deinit) Table table = TABLE_INIT(names);
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	table.max_width = 18;
	table_add_tail(&table, "windows-desktop (0b5a4a2e)", strlen(" (0b5a4a2e)"));
	table_add_tail(&table, "linux", 0);
	cr_assert(table_print(&table, out, false));
	table_add_tail(&table, GUID, strlen(GUID));
	cr_assert(table_print(&table, out, false));
	fclose(out);
	cr_expect_str_eq(text, "wind... (0b5a4a2e)\nlinux\n"
			       "windows-desktop (0b5a4a2e)\nlinux\n" GUID "\n");
}

Test(table, colours_cells_on_request)
{
	static const TableColumn states[] = { { .name = "A" }, { .name = "B" } };
	_cleanup_(table_deinit) Table table = TABLE_INIT(states);
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	table_add_coloured(&table, TABLE_GREEN, "on");
	table_add(&table, "x");
	cr_assert(table_print(&table, out, false));
	table.has_colours = true;
	cr_assert(table_print(&table, out, false));
	fclose(out);
	cr_expect(strncmp(text, "on  x\n\033[32mon\033[0m", strlen("on  x\n\033[32mon\033[0m")) ==
			  0,
		  "%s", text);
}
