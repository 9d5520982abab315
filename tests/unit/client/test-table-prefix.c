/* SPDX-License-Identifier: MIT */
/* Tests when the GUIDs of a table are cut to their first digits. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "client/vailctl/table.h"

#define FIRST   "0b5a4a2e-6f0e-4c55-9d3c-2a8f5f6f1c10"
#define SIMILAR "0b5a4a2e-6f0e-4c55-9d3c-2a8f5f6f1c11"
#define OTHER   "7c9e6679-7425-40de-944b-e07fc1f90ae7"

static const TableColumn columns[] = {
	{ .name = "GUID", .prefix = GUID_PREFIX },
	{ .name = "NAME", .minimum = 6 },
	{ .name = "PID", .right = true, .drop = 1 },
};

/* Prints a table with two VMs, and expects it to be exactly this text. */
static void expect_printed(const char *first, const char *second, size_t max_width,
			   const char *expected)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(columns);
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	table.max_width = max_width;
	table_add(&table, first);
	table_add(&table, "a long name");
	table_add(&table, "123");
	table_add(&table, second);
	table_add(&table, "b");
	table_add(&table, "4");
	cr_assert(table_print(&table, out, true));
	fclose(out);
	cr_expect_str_eq(text, expected);
}

Test(table_prefix, guids_are_whole_if_the_table_fits)
{
	expect_printed(FIRST, OTHER, 36 + 2 + 11 + 2 + 3,
		       "GUID                                  NAME         PID\n" FIRST
		       "  a long name  123\n" OTHER "  b              4\n");
}

Test(table_prefix, guids_are_whole_without_a_width)
{
	expect_printed(FIRST, OTHER, 0,
		       "GUID                                  NAME         PID\n" FIRST
		       "  a long name  123\n" OTHER "  b              4\n");
}

Test(table_prefix, guids_are_cut_before_anything_else_is)
{
	expect_printed(FIRST, OTHER, 36 + 2 + 11 + 2 + 3 - 1,
		       "GUID      NAME         PID\n"
		       "0b5a4a2e  a long name  123\n"
		       "7c9e6679  b              4\n");
}

Test(table_prefix, names_are_shortened_and_columns_dropped_after_that)
{
	expect_printed(FIRST, OTHER, 8 + 2 + 6 + 2 + 3,
		       "GUID      NAME    PID\n"
		       "0b5a4a2e  a l...  123\n"
		       "7c9e6679  b         4\n");
	expect_printed(FIRST, OTHER, 8 + 2 + 6,
		       "GUID      NAME\n"
		       "0b5a4a2e  a l...\n"
		       "7c9e6679  b\n");
}

Test(table_prefix, guids_that_begin_alike_stay_whole)
{
	expect_printed(FIRST, SIMILAR, 36 + 2 + 6,
		       "GUID                                  NAME\n" FIRST "  a l...\n" SIMILAR
		       "  b\n");
}

Test(table_prefix, rows_of_one_guid_are_cut)
{
	expect_printed(FIRST, FIRST, 8 + 2 + 11 + 2 + 3,
		       "GUID      NAME         PID\n"
		       "0b5a4a2e  a long name  123\n"
		       "0b5a4a2e  b              4\n");
}
