/* SPDX-License-Identifier: MIT */
#include "client/vailctl/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "client/common/program-options.h"
#include "client/common/user-name.h"
#include "client/vailctl/amounts.h"
#include "client/vailctl/monitor.h"
#include "client/vailctl/output.h"
#include "client/vailctl/wall-clock.h"
#include "proto/macros.h"

void table_add_number(Table *table, const JsonValue *object, const char *name)
{
	uint64_t number;

	if (json_read_unsigned(json_member(object, name), &number))
		table_add_format(table, "%" PRIu64, number);
	else
		table_add(table, NULL);
}

/* Reads the age of the member's value in seconds. Returns false if it is absent or no time. */
static bool member_age(const JsonValue *object, const char *name, uint64_t *ret_seconds)
{
	struct timespec now;
	double since;

	if (!json_read_real(json_member(object, name), &since))
		return false;
	clock_gettime(CLOCK_BOOTTIME, &now);
	double age = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - since;
	*ret_seconds = age > 0 && age < 1e9 ? (uint64_t)age : 0;
	return true;
}

void table_add_user(Table *table, const JsonValue *object, const char *name)
{
	char text[USER_NAME_SIZE];
	uint64_t uid;

	table_add(table, json_read_unsigned(json_member(object, name), &uid) ? user_name(uid, text)
									     : NULL);
}

void table_add_age(Table *table, const JsonValue *object, const char *name)
{
	char text[AMOUNT_TEXT];
	uint64_t age;

	table_add(table, member_age(object, name, &age) ? age_text(age, text) : NULL);
}

void table_add_since(Table *table, const JsonValue *object, const char *name)
{
	char text[AMOUNT_TEXT];
	double since;
	uint64_t age;

	if (member_age(object, name, &age) && json_read_real(json_member(object, name), &since))
		table_add(table, since_text(wall_clock_of(since), age, text));
	else
		table_add(table, NULL);
}

void table_add_size(Table *table, const JsonValue *object, const char *name)
{
	char text[AMOUNT_TEXT];
	uint64_t size;

	table_add(table, json_read_unsigned(json_member(object, name), &size)
				 ? size_text(size, text)
				 : NULL);
}

/* The widest sentence about columns that are left out. */
#define LEFT_OUT_SIZE 256

/*
 * Writes the names of the columns that are left out, with a comma between them. Returns their
 * number.
 */
static size_t list_left_out(const Table *table, const size_t *widths,
			    char names[static LEFT_OUT_SIZE])
{
	size_t count = 0, length = 0;

	*names = '\0';
	for (size_t i = 0; i < table->column_count; i++) {
		if (widths[i] > 0)
			continue;
		if (length < LEFT_OUT_SIZE)
			length += (size_t)snprintf(names + length, LEFT_OUT_SIZE - length, "%s%s",
						   count > 0 ? ", " : "", table->columns[i].name);
		count++;
	}
	return count;
}

/* Says what the terminal has no room for, in one line: the columns, or else that GUIDs are cut. */
static void print_left_out(const Table *table)
{
	const char *remedy =
		terminal_is_set_width() ? "\"| cat\"" : "a wider terminal or \"| cat\"";
	char names[LEFT_OUT_SIZE], sentence[2 * LEFT_OUT_SIZE];
	size_t widths[TABLE_COLUMNS_MAX];
	bool is_cut = false;

	table_layout(table, true, widths);
	for (size_t i = 0; i < table->column_count; i++)
		is_cut |= table->columns[i].prefix > 0 && widths[i] == table->columns[i].prefix;
	size_t count = list_left_out(table, widths, names);
	int length = snprintf(sentence, sizeof(sentence), "Left out: %s; %s shows %s.", names,
			      remedy, count > 1 ? "them" : "it");
	if (count > 0 && (size_t)length <= table->max_width)
		puts(sentence);
	else if (count > 0)
		printf("%zu column%s left out; %s shows %s.\n", count, count > 1 ? "s are" : " is",
		       remedy, count > 1 ? "them" : "it");
	else if (is_cut)
		printf("GUIDs are shortened, and commands take them so; \"| cat\" shows them "
		       "whole.\n");
}

int report_table(const Tool *tool, Table *table, const char *empty)
{
	bool legend = !options_have(&tool->options, OPTION_NO_LEGEND);

	if (table->cell_count == 0 && !table->failed) {
		if (legend)
			puts(empty);
		return EXIT_DONE;
	}
	table->has_colours = tool->terminal.has_colours;
	table->max_width = terminal_table_width(&tool->terminal);
	if (!table_print(table, stdout, legend))
		return tool_no_memory();
	if (legend && tool->terminal.is_terminal)
		print_left_out(table);
	return EXIT_DONE;
}

int report_visible(const Tool *tool, Table *table, const char *empty, const char *scope)
{
	bool is_shown = table->cell_count == 0 && !table->failed &&
			!options_have(&tool->options, OPTION_NO_LEGEND);
	char sentence[128];

	snprintf(sentence, sizeof(sentence), "%s%s.", empty,
		 is_shown && !tool_sees_all(tool) ? scope : "");
	return report_table(tool, table, sentence);
}

int report_none_yet(const Tool *tool, const char *empty, const char *scope, const char *hint)
{
	if (options_have(&tool->options, OPTION_NO_LEGEND))
		return EXIT_DONE;
	bool sees_all = tool_sees_all(tool);
	printf("%s%s.\n", empty, sees_all ? "" : scope);
	if (sees_all && tool->terminal.is_terminal)
		puts(hint);
	return EXIT_DONE;
}

void report_document_begin(Writer *writer)
{
	writer_object_begin(writer);
	writer_key(writer, "status");
	writer_string(writer, "STATUS_SUCCESS");
}

int report_listings_json(const Listing *first, const Listing *second)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);

	report_document_begin(&writer);
	listing_write(&writer, first);
	if (second)
		listing_write(&writer, second);
	writer_object_end(&writer);
	return tool_print_json(&writer);
}

int report_list(Tool *tool, const char *method, const char *key, Table *table,
		void (*fill)(Table *table, const JsonValue *item), const char *empty)
{
	_cleanup_(listing_deinit) Listing listing;
	NTSTATUS status = listing_fetch(tool, method, NULL, key, &listing);

	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (options_have(&tool->options, OPTION_JSON))
		return report_listings_json(&listing, NULL);
	for (size_t i = 0; i < listing.item_count; i++)
		fill(table, listing.items[i]);
	return report_table(tool, table, empty);
}
