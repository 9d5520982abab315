/* SPDX-License-Identifier: MIT */
#include "client/vailctl/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "client/common/program-options.h"
#include "client/vailctl/output.h"
#include "proto/macros.h"

void table_add_number(Table *table, const JsonValue *object, const char *name)
{
	uint64_t number;

	if (json_read_unsigned(json_member(object, name), &number))
		table_add_format(table, "%" PRIu64, number);
	else
		table_add(table, NULL);
}

void table_add_age(Table *table, const JsonValue *object, const char *name)
{
	struct timespec now;
	double since;

	if (!json_read_real(json_member(object, name), &since)) {
		table_add(table, NULL);
		return;
	}
	clock_gettime(CLOCK_BOOTTIME, &now);
	double age = (double)now.tv_sec - since;
	long seconds = age > 0 && age < 1e12 ? (long)age : 0, minutes = seconds / 60;

	if (seconds < 60)
		table_add_format(table, "%lds", seconds);
	else if (minutes < 60)
		table_add_format(table, "%ldmin %lds", minutes, seconds % 60);
	else if (minutes < 24 * 60)
		table_add_format(table, "%ldh %ldmin", minutes / 60, minutes % 60);
	else
		table_add_format(table, "%ldd %ldh", minutes / 60 / 24, minutes / 60 % 24);
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
	return table_print(table, stdout, legend) ? EXIT_DONE : tool_no_memory();
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
