/* SPDX-License-Identifier: MIT */
/* Commands that show adapters, GPU processes and their address spaces. */
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/json-members.h"
#include "client/common/program-options.h"
#include "client/common/terminal-text.h"
#include "client/vailctl/address-map/address-map.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/listing.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include "proto/json-writer.h"
#include "proto/macros.h"
#include <vail.h>

#define LIST_ADAPTERS  "io.vaild.Gpu.ListAdapters"
#define LIST_PROCESSES "io.vaild.Gpu.ListProcesses"
#define DESCRIBE_SPACE "io.vaild.Gpu.DescribeAddressSpace"

/* ---- adapters ---- */

static const TableColumn adapter_columns[] = {
	{ .name = "ADAPTER" },
	{ .name = "NAME", .minimum = 20 },
	{ .name = "SOURCE", .drop = 3 },
	{ .name = "ADDRESS BITS", .right = true, .drop = 5 },
	{ .name = "TABLE LEVELS", .right = true, .drop = 6 },
	{ .name = "VGPUS", .right = true, .drop = 2 },
	{ .name = "MAX VGPUS", .right = true, .drop = 1 },
	{ .name = "DRIVER", .minimum = 8, .drop = 4 },
	{ .name = "SYSTEM PROCESS", .drop = 7 },
	{ .name = "NODES", .drop = 8 },
};

/* Adds the names of the adapter's nodes in /dev/dri. */
static void add_nodes(Table *table, const JsonValue *nodes)
{
	char text[128] = "";

	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const char *node = json_string(json_array_at(nodes, i));
		size_t length = strlen(text);

		snprintf(text + length, sizeof(text) - length, "%s%s", length > 0 ? " " : "",
			 node ? node : "");
	}
	table_add(table, text);
}

static void fill_adapter(Table *table, const JsonValue *adapter)
{
	size_t levels = json_array_size(json_member(adapter, "pageTableIndexBitCount"));

	table_add(table, member_text(adapter, "adapter"));
	table_add(table, member_text(adapter, "name"));
	table_add(table, member_text(adapter, "source"));
	table_add_number(table, adapter, "virtualAddressBitCount");
	if (levels > 0)
		table_add_format(table, "%zu", levels);
	else
		table_add(table, NULL);
	table_add_number(table, adapter, "virtualGpus");
	table_add_number(table, adapter, "maxVirtualGpus");
	table_add(table, member_text(adapter, "driver"));
	table_add(table, member_text(adapter, "systemProcess"));
	add_nodes(table, json_member(adapter, "nodes"));
}

int command_gpu_adapters(Tool *tool)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(adapter_columns);

	return report_list(tool, LIST_ADAPTERS, "adapters", &table, fill_adapter, "No adapters.");
}

/* ---- processes ---- */

static const TableColumn process_columns[] = {
	{ .name = "PROCESS" },
	{ .name = "ADAPTER", .minimum = 16, .drop = 3 },
	{ .name = "STATE", .drop = 2 },
	{ .name = "PID", .right = true, .drop = 1 },
	{ .name = "NAME", .minimum = 8 },
	{ .name = "GUID", .prefix = GUID_PREFIX, .drop = 4 },
	{ .name = "CONTEXTS", .right = true, .drop = 7 },
	{ .name = "RANGES", .right = true, .drop = 6 },
	{ .name = "SYSTEM", .drop = 5 },
};

static void fill_process(Table *table, const JsonValue *process, const Listing *adapters)
{
	const JsonValue *adapter =
		listing_find(adapters, "adapter", member_text(process, "adapter"));
	const char *state = member_text(process, "state"), *name = member_text(process, "name");
	bool is_system = member_flag(process, "systemProcess");
	bool is_running = state && strcmp(state, "running") == 0;

	table_add(table, member_text(process, "process"));
	table_add(table, member_text(adapter, "name"));
	table_add_coloured(table, is_running ? TABLE_GREEN : TABLE_YELLOW, state);
	if (json_member(process, "pid"))
		table_add_number(table, process, "pid");
	else
		table_add(table, "none"); /* the driver named no host process */
	table_add(table, name || !is_system ? name : "(system)");
	table_add(table, member_text(process, "virtualMachineGuid"));
	table_add_number(table, process, "contexts");
	table_add_number(table, process, "ranges");
	table_add(table, is_system ? "yes" : "no");
}

int command_gpu_processes(Tool *tool)
{
	_cleanup_(listing_deinit) Listing processes = { 0 }, adapters = { 0 };
	_cleanup_(table_deinit) Table table = TABLE_INIT(process_columns);
	NTSTATUS status = listing_fetch(tool, LIST_PROCESSES, NULL, "processes", &processes);

	if (status == STATUS_SUCCESS)
		status = listing_fetch(tool, LIST_ADAPTERS, NULL, "adapters", &adapters);
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (options_have(&tool->options, OPTION_JSON))
		return report_listings_json(&processes, &adapters);
	for (size_t i = 0; i < processes.item_count; i++)
		fill_process(&table, processes.items[i], &adapters);
	return report_visible(tool, &table, "No GPU processes", VISIBLE_TO_USER);
}

/* ---- map ---- */

/* The GPU process whose address space is shown. Its values point into the listings. */
typedef struct MapSubject {
	Listing processes;
	Listing adapters;
	const JsonValue *process;
	const JsonValue *adapter;
} MapSubject;

static void subject_deinit(MapSubject *subject)
{
	listing_deinit(&subject->processes);
	listing_deinit(&subject->adapters);
}

static NTSTATUS subject_fetch(Tool *tool, const char *process, MapSubject *ret_subject)
{
	MapSubject *subject = ret_subject;
	NTSTATUS status =
		listing_fetch(tool, LIST_PROCESSES, NULL, "processes", &subject->processes);

	if (status == STATUS_SUCCESS)
		status = listing_fetch(tool, LIST_ADAPTERS, NULL, "adapters", &subject->adapters);
	if (status != STATUS_SUCCESS)
		return status;
	subject->process = listing_find(&subject->processes, "process", process);
	subject->adapter = listing_find(&subject->adapters, "adapter",
					member_text(subject->process, "adapter"));
	return STATUS_SUCCESS;
}

/* The ranges of the address space, collected as they arrive. */
typedef struct RangeArray {
	VailRange *ranges;
	size_t count;
	size_t capacity;
	bool failed; /* out of memory */
} RangeArray;

static void ranges_deinit(RangeArray *ranges)
{
	free(ranges->ranges);
}

static bool add_range(struct vail *vail, const VailRange *range, void *context)
{
	RangeArray *ranges = context;

	(void)vail;
	if (ranges->count == ranges->capacity) {
		size_t capacity = ranges->capacity > 0 ? ranges->capacity * 2 : 64;
		VailRange *grown = reallocarray(ranges->ranges, capacity, sizeof(*grown));

		ranges->failed = !grown;
		if (!grown)
			return false;
		ranges->ranges = grown;
		ranges->capacity = capacity;
	}
	ranges->ranges[ranges->count++] = *range;
	return true;
}

/* Prints a line of the heading. Untrusted text is escaped, and cut to the width. */
static bool print_field(const char *name, const char *text, size_t width)
{
	_cleanup_free_ char *safe = text_escape_to(text ? text : "-", width - strlen(name));

	if (!safe)
		return false;
	printf("%s%s\n", name, safe);
	return true;
}

static bool print_heading(const MapSubject *subject, size_t width)
{
	const char *name = member_text(subject->process, "name");
	const char *virtual_machine = member_text(subject->process, "virtualMachineGuid");
	uint64_t pid = member_number(subject->process, "pid");
	bool printed = print_field("Process ", member_text(subject->process, "process"), width) &&
		       print_field("Adapter ", member_text(subject->adapter, "name"), width);

	if (printed && name)
		printed = print_field("Name    ", name, width);
	if (printed && virtual_machine)
		printed = print_field("VM      ", virtual_machine, width);
	if (pid > 0)
		printf("PID     %llu\n", (unsigned long long)pid);
	return printed;
}

/*
 * Reads the index bits of each level of the adapter's page tables, leaf first. Returns the number
 * of levels, or 0 if they cannot be drawn.
 */
static size_t read_levels(const JsonValue *adapter, uint8_t bits[VAIL_PAGE_TABLE_LEVEL_MAX])
{
	const JsonValue *counts = json_member(adapter, "pageTableIndexBitCount");
	size_t levels = json_array_size(counts);

	if (levels > VAIL_PAGE_TABLE_LEVEL_MAX)
		return 0;
	for (size_t i = 0; i < levels; i++) {
		uint64_t count = 0;

		json_read_unsigned(json_array_at(counts, i), &count);
		bits[i] = count < UINT8_MAX ? (uint8_t)count : UINT8_MAX;
	}
	return address_levels_valid(bits, levels) ? levels : 0;
}

static int draw(const Tool *tool, const MapSubject *subject, const RangeArray *ranges)
{
	AddressMapStyle style = {
		.width = terminal_width(&tool->terminal, ADDRESS_MAP_WIDTH_MIN),
		.has_unicode =
			tool->terminal.is_terminal && strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
		.has_colours = tool->terminal.has_colours,
		.has_legend = !options_have(&tool->options, OPTION_NO_LEGEND),
	};
	uint8_t bits[VAIL_PAGE_TABLE_LEVEL_MAX];
	size_t levels = read_levels(subject->adapter, bits);
	MapSpace space;

	if (levels == 0)
		return command_error("the adapter of this process has been removed, or has page "
				     "tables that this vailctl cannot draw; use --json instead");
	if (!map_space_init(&space, bits, levels, ranges->ranges, ranges->count))
		return tool_no_memory();
	bool drawn = !style.has_legend || print_heading(subject, style.width);
	drawn = drawn && address_map_print(&space, &style, stdout);
	map_space_deinit(&space);
	return drawn ? EXIT_DONE : tool_no_memory();
}

static NTSTATUS fetch_ranges(Tool *tool, const char *process, Listing *ret_ranges)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);

	writer_object_begin(&writer);
	writer_key(&writer, "process");
	writer_string(&writer, process);
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	if (writer.failed)
		return STATUS_NO_MEMORY;
	return listing_fetch(tool, DESCRIBE_SPACE, buffer_head(&text), "ranges", ret_ranges);
}

static int show_map_json(Tool *tool, const char *process)
{
	_cleanup_(subject_deinit) MapSubject subject = { 0 };
	_cleanup_(listing_deinit) Listing ranges = { 0 };
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);
	NTSTATUS status = fetch_ranges(tool, process, &ranges);

	if (status == STATUS_SUCCESS)
		status = subject_fetch(tool, process, &subject);
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	report_document_begin(&writer);
	if (subject.process) {
		writer_key(&writer, "process");
		writer_value_of(&writer, subject.process);
	}
	if (subject.adapter) {
		writer_key(&writer, "adapter");
		writer_value_of(&writer, subject.adapter);
	}
	listing_write(&writer, &ranges);
	writer_object_end(&writer);
	return tool_print_json(&writer);
}

int command_gpu_map(Tool *tool)
{
	const char *process = tool->arguments[0];
	_cleanup_(subject_deinit) MapSubject subject = { 0 };
	_cleanup_(ranges_deinit) RangeArray ranges = { 0 };

	if (options_have(&tool->options, OPTION_JSON))
		return show_map_json(tool, process);
	NTSTATUS status = vail_describe_address_space(tool->vail, process, add_range, &ranges);
	if (status == STATUS_SUCCESS && ranges.failed)
		status = STATUS_NO_MEMORY;
	if (status == STATUS_SUCCESS)
		status = subject_fetch(tool, process, &subject);
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	return draw(tool, &subject, &ranges);
}
