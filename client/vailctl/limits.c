/* SPDX-License-Identifier: MIT */
/* The command limits. */
#include "client/vailctl/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/common/json-members.h"
#include "client/common/program-options.h"
#include "client/common/user-name.h"
#include "client/vailctl/amounts.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/listing.h"
#include "client/vailctl/monitor.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/vm-names.h"

/* Usage in percent from which a limit is highlighted. */
#define NEARLY_FULL 80

/* The sources of the owners' names. */
typedef struct Owners {
	VmNames machines;
	Listing adapters;
} Owners;

static void owners_deinit(Owners *owners)
{
	vm_names_deinit(&owners->machines);
	listing_deinit(&owners->adapters);
}

static bool have_member(const JsonValue *limits, const char *name)
{
	for (size_t i = 0; i < json_array_size(limits); i++)
		if (json_member(json_array_at(limits, i), name))
			return true;
	return false;
}

/* Asks vaild for the names that the limits need. Without them, GUIDs and handles are shown. */
static void owners_fetch(Tool *tool, const JsonValue *limits, Owners *owners)
{
	if (have_member(limits, "virtualMachineGuid"))
		vm_names_fetch(tool, &owners->machines);
	if (have_member(limits, "adapter"))
		listing_fetch(tool, "io.vaild.Gpu.ListAdapters", NULL, "adapters",
			      &owners->adapters);
}

/* Tests whether the number is the use of the caller's account alone. */
static bool is_of_caller(const char *name)
{
	const char *end = name ? strstr(name, "PerUid") : NULL;

	return end && end[strlen("PerUid")] == '\0';
}

/*
 * Sets the owner of the row, which stays NULL if the limit is a total. Returns
 * false if out of memory.
 */
static bool set_owner(const JsonValue *limit, const Owners *owners, LimitRow *row)
{
	const char *guid = member_text(limit, "virtualMachineGuid");
	const char *process = member_text(limit, "gpuProcess");
	const char *adapter = member_text(limit, "adapter");
	const char *name = member_text(listing_find(&owners->adapters, "adapter", adapter), "name");
	_cleanup_free_ char *label = NULL;
	char user[USER_NAME_SIZE];
	int written = 0;

	if (guid) {
		label = vm_names_label(&owners->machines, guid, &row->tail);
		written = label ? asprintf(&row->owner, "VM %s", label) : -1;
	} else if (process) {
		row->tail = strlen(process);
		written = asprintf(&row->owner, "GPU process %s", process);
	} else if (adapter) {
		row->tail = name ? 0 : strlen(adapter);
		written = asprintf(&row->owner, "adapter %s", name ? name : adapter);
	} else if (json_member(limit, "highest")) {
		written = asprintf(&row->owner, "user %s",
				   user_name(member_number(limit, "uid"), user));
	} else if (is_of_caller(member_text(limit, "name")) && member_number(limit, "used") > 0) {
		written = asprintf(&row->owner, "user %s", user_name(geteuid(), user));
	}
	if (written < 0)
		row->owner = NULL; /* asprintf() leaves anything there */
	return written >= 0;
}

/* Returns false if out of memory. */
static bool read_row(const JsonValue *limit, const Owners *owners, LimitRow *ret)
{
	const char *used = json_member(limit, "highest") ? "highest" : "used";
	const char *full = json_member(limit, "maximumForOthers") ? "maximumForOthers" : "maximum";
	const char *name = member_text(limit, "name");

	*ret = (LimitRow){
		.name = name ? name : "-",
		.used = member_number(limit, used),
		.maximum = member_number(limit, "maximum"),
		.full = member_number(limit, full),
	};
	return set_owner(limit, owners, ret);
}

bool limit_rows_read(Tool *tool, const JsonValue *limits, LimitRows *ret_rows)
{
	_cleanup_(owners_deinit) Owners owners = { 0 };
	size_t count = json_array_size(limits);

	owners_fetch(tool, limits, &owners);
	ret_rows->rows = calloc(count + 1, sizeof(*ret_rows->rows));
	if (!ret_rows->rows)
		return false;
	for (; ret_rows->count < count; ret_rows->count++)
		if (!read_row(json_array_at(limits, ret_rows->count), &owners,
			      &ret_rows->rows[ret_rows->count]))
			return false;
	return true;
}

void limit_rows_deinit(LimitRows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->rows[i].owner);
	free(rows->rows);
	*rows = (LimitRows){ 0 };
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const LimitRow *)a)->name, ((const LimitRow *)b)->name);
}

/* Compares shares of the limit, and then names. */
static int compare_use(const void *a, const void *b)
{
	const LimitRow *first = a, *second = b;
	long double of_first = (long double)first->used / (long double)(first->full + !first->full);
	long double of_second =
		(long double)second->used / (long double)(second->full + !second->full);

	if (of_first != of_second)
		return of_first > of_second ? -1 : 1;
	return compare_names(a, b);
}

void limit_rows_sort(LimitRows *rows)
{
	qsort(rows->rows, rows->count, sizeof(*rows->rows), compare_names);
}

void limit_rows_keep_used(LimitRows *rows)
{
	size_t kept = 0;

	for (size_t i = 0; i < rows->count; i++) {
		if (rows->rows[i].used > 0)
			rows->rows[kept++] = rows->rows[i];
		else
			free(rows->rows[i].owner);
	}
	rows->count = kept;
	qsort(rows->rows, rows->count, sizeof(*rows->rows), compare_use);
}

TableColour limit_row_colour(const LimitRow *row)
{
	if (row->used >= row->full)
		return TABLE_RED;
	return percent_of(row->used, row->full) >= NEARLY_FULL ? TABLE_YELLOW : TABLE_PLAIN;
}

/* Writes an amount of the limit. An amount of memory gets a unit. Returns text. */
static const char *amount_text(const LimitRow *row, uint64_t amount, char text[AMOUNT_TEXT])
{
	if (strstr(row->name, "Mebibytes") && amount <= UINT64_MAX >> 20)
		return size_text(amount << 20, text);
	snprintf(text, AMOUNT_TEXT, "%" PRIu64, amount);
	return text;
}

void limit_row_add_sentence(Table *table, const LimitRow *row)
{
	char used[AMOUNT_TEXT], full[AMOUNT_TEXT], percent[AMOUNT_TEXT];
	_cleanup_free_ char *text = NULL;

	amount_text(row, row->used, used);
	amount_text(row, row->full, full);
	percent_text(row->used, row->full, percent);
	if (asprintf(&text, "%s: %s of %s used (%s)%s%s", row->name, used, full, percent,
		     row->owner ? " by " : "", row->owner ? row->owner : "") < 0) {
		text = NULL;
		table->failed = true;
		return;
	}
	table_add_coloured(table, limit_row_colour(row), text);
}

/* ---- The command ---- */

/* The user of a limit counts for more than its numbers, which the percentage sums up. */
static const TableColumn limit_columns[] = {
	{ .name = "LIMIT" },
	{ .name = "USED", .right = true, .drop = 2 },
	{ .name = "MAXIMUM", .right = true, .drop = 3 },
	{ .name = "FOR USERS", .right = true, .drop = 4 },
	{ .name = "USE%", .right = true },
	{ .name = "USED BY", .minimum = 24 },
};

static void fill_limit(Table *table, const LimitRow *row)
{
	char text[AMOUNT_TEXT];

	table_add(table, row->name);
	table_add(table, amount_text(row, row->used, text));
	table_add(table, amount_text(row, row->maximum, text));
	table_add(table, row->full < row->maximum ? amount_text(row, row->full, text) : NULL);
	table_add_coloured(table, limit_row_colour(row), percent_text(row->used, row->full, text));
	table_add_tail(table, row->owner, row->tail);
}

int command_limits(Tool *tool)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(limit_columns);
	_cleanup_(limit_rows_deinit) LimitRows rows = { 0 };
	bool only_used = options_have(&tool->options, OPTION_USED);
	JsonValue *status;
	int exit_status = monitor_status_fetch(tool, &status);

	if (!status)
		return exit_status;
	if (!limit_rows_read(tool, json_member(status, "limits"), &rows))
		table.failed = true;
	if (only_used)
		limit_rows_keep_used(&rows);
	else
		limit_rows_sort(&rows);
	for (size_t i = 0; i < rows.count; i++)
		fill_limit(&table, &rows.rows[i]);
	json_free(status);
	return report_table(tool, &table, only_used ? "No limit is used." : "No limits.");
}
