/* SPDX-License-Identifier: MIT */
/* The list of an address space's ranges. */
#include "client/vailctl/address-map/list.h"

#include "client/vailctl/address-map/line-wrap.h"
#include "client/vailctl/table.h"
#include "proto/macros.h"

typedef struct List {
	const MapSpace *space;
	const AddressMapStyle *style;
	FILE *out;
	size_t count; /* number of listed ranges */
} List;

static const char *const kind_names[] = {
	[ADDRESS_FREE] = "free",     [ADDRESS_INVALID] = "invalid", [ADDRESS_UNKNOWN] = "unknown",
	[ADDRESS_DRIVER] = "driver", [ADDRESS_PROCESS] = "process", [ADDRESS_MAPPED] = "mapping",
};

_Static_assert(ARRAY_SIZE(kind_names) == ADDRESS_KIND_MAX, "each kind has a name");

static const TableColumn range_columns[] = {
	{ .name = "#", .right = true },
	{ .name = "ADDRESS" },
	{ .name = "SIZE", .right = true },
	{ .name = "KIND" },
	{ .name = "ACCESS" },
	{ .name = "ALLOCATION", .right = true },
	{ .name = "OFFSET", .right = true },
};

static const char *access_text(const VailRange *range)
{
	static const char *const protections[] = {
		[VAIL_PROTECTION_NONE] = "-",
		[VAIL_PROTECTION_READ] = "read",
		[VAIL_PROTECTION_READ_WRITE] = "read and write",
		[VAIL_PROTECTION_NO_ACCESS] = "none",
		[VAIL_PROTECTION_ZERO] = "zero",
	};

	if (range->kind == VAIL_RANGE_DRIVER_RESERVATION)
		return range->allow_user_mode_mapping ? "process may map" : "driver alone";
	if ((size_t)range->protection < ARRAY_SIZE(protections))
		return protections[range->protection];
	return "-";
}

static void add_kind(Table *table, AddressKind kind)
{
	static const TableColour colours[] = {
		[ADDRESS_FREE] = TABLE_PLAIN,     [ADDRESS_INVALID] = TABLE_RED,
		[ADDRESS_UNKNOWN] = TABLE_PLAIN,  [ADDRESS_DRIVER] = TABLE_BLUE,
		[ADDRESS_PROCESS] = TABLE_YELLOW, [ADDRESS_MAPPED] = TABLE_GREEN,
	};

	table_add_coloured(table, colours[kind], kind_names[kind]);
}

/* Adds a row with as many columns as the table has. The number column may be absent. */
static void add_row(Table *table, const MapSpace *space, size_t index)
{
	const VailRange *range = &space->ranges[index];
	bool has_number = table->columns == range_columns;
	size_t columns = table->column_count + !has_number;
	char size[ADDRESS_SIZE_TEXT];
	bool has_allocation = range->protection == VAIL_PROTECTION_READ ||
			      range->protection == VAIL_PROTECTION_READ_WRITE ||
			      range->allocation != 0;

	if (has_number)
		table_add_format(table, "%zu", index);
	table_add_format(table, "0x%llx", (unsigned long long)range->address);
	table_add(table, address_size_text(range->size_in_bytes, size));
	add_kind(table, address_kind(range->kind));
	if (columns > 4)
		table_add(table, access_text(range));
	if (columns > 5 && has_allocation)
		table_add_format(table, "%llu", (unsigned long long)range->allocation);
	else if (columns > 5)
		table_add(table, NULL);
	if (columns > 6 && has_allocation)
		table_add_format(table, "0x%llx", (unsigned long long)range->offset);
	else if (columns > 6)
		table_add(table, NULL);
}

/* Prints the list with these columns if they fit into the width. Returns false if out of memory. */
static bool try_list(const List *list, size_t first, size_t count, bool *ret_done)
{
	_cleanup_(table_deinit) Table table = { .columns = range_columns + first,
						.column_count = count,
						.has_colours = list->style->has_colours };

	for (size_t i = 0; i < list->count; i++)
		add_row(&table, list->space, i);
	*ret_done = table_width(&table, list->style->has_legend) <= list->style->width;
	return *ret_done ? table_print(&table, list->out, list->style->has_legend) : !table.failed;
}

static bool print_list(const List *list)
{
	LineWrap wrap = { .out = list->out, .width = list->style->width };
	size_t left = list->space->range_count - list->count;
	bool is_done = false;

	for (size_t count = ARRAY_SIZE(range_columns); count >= 4 && !is_done; count--)
		if (!try_list(list, 0, count, &is_done))
			return false;
	if (!is_done && !try_list(list, 1, 3, &is_done))
		return false;
	if (left > 0) {
		line_wrap_add(&wrap, "... %zu more %s not listed; use --json to list all ...", left,
			      left == 1 ? "range is" : "ranges are");
		line_wrap_end(&wrap);
	}
	fputc('\n', list->out);
	return true;
}

static void print_totals(const MapSpace *space, const AddressMapStyle *style, FILE *out)
{
	static const struct {
		AddressKind kind;
		const char *name;
	} sums[] = {
		{ ADDRESS_MAPPED, "mapped" },
		{ ADDRESS_PROCESS, "reserved by the process" },
		{ ADDRESS_DRIVER, "reserved by the driver" },
		{ ADDRESS_UNKNOWN, "unknown" },
		{ ADDRESS_INVALID, "invalid" },
	};
	LineWrap wrap = { .out = out, .width = style->width };
	char size[ADDRESS_SIZE_TEXT];

	line_wrap_add(&wrap, "%zu %s:", space->range_count,
		      space->range_count == 1 ? "range" : "ranges");
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++)
		if (space->totals[sums[i].kind] > 0)
			line_wrap_add(&wrap, "%s %s,",
				      address_size_text(space->totals[sums[i].kind], size),
				      sums[i].name);
	line_wrap_add(&wrap, "%s free", address_size_text(space->totals[ADDRESS_FREE], size));
	line_wrap_end(&wrap);
}

bool map_list_print(const MapSpace *space, const AddressMapStyle *style, size_t count, FILE *out)
{
	List list = { .space = space, .style = style, .out = out, .count = count };

	if (space->range_count > 0 && !print_list(&list))
		return false;
	print_totals(space, style, out);
	return true;
}
