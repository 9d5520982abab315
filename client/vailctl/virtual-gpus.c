/* SPDX-License-Identifier: MIT */
/* The command that lists virtual GPUs. */
#include <string.h>

#include "client/common/json-members.h"
#include "client/common/program-options.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/listing.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include "proto/json-writer.h"
#include "proto/macros.h"
#include <vail.h>

/* A virtual GPU, with its VM and the name of its adapter. Points into the listings. */
typedef struct VirtualGpuRow {
	const JsonValue *virtual_gpu;
	const JsonValue *vm;
	const char *adapter_name; /* NULL if the caller does not see the adapter */
} VirtualGpuRow;

/* Calls add for each virtual GPU of the VMs. */
static void for_each(const Listing *machines, const Listing *adapters,
		     void (*add)(const VirtualGpuRow *row, void *context), void *context)
{
	for (size_t i = 0; i < machines->item_count; i++) {
		const JsonValue *vm = machines->items[i];
		const JsonValue *virtual_gpus = json_member(vm, "virtualGpus");

		for (size_t j = 0; j < json_array_size(virtual_gpus); j++) {
			VirtualGpuRow row = { .virtual_gpu = json_array_at(virtual_gpus, j),
					      .vm = vm };
			const char *adapter = member_text(row.virtual_gpu, "adapter");

			row.adapter_name =
				member_text(listing_find(adapters, "adapter", adapter), "name");
			add(&row, context);
		}
	}
}

static const TableColumn columns[] = {
	{ .name = "VGPU" },
	{ .name = "GUID", .prefix = GUID_PREFIX, .drop = 2 },
	{ .name = "VM", .minimum = 8 },
	{ .name = "SOURCE", .drop = 4 },
	{ .name = "FUNCTION", .minimum = 12, .drop = 5 },
	{ .name = "ADAPTER", .minimum = 8, .drop = 1 },
	{ .name = "PROFILE", .minimum = 8, .drop = 3 },
};

static void add_row(const VirtualGpuRow *row, void *context)
{
	Table *table = context;

	table_add(table, member_text(row->virtual_gpu, "virtualGpu"));
	table_add(table, member_text(row->vm, "virtualMachineGuid"));
	table_add(table, member_text(row->vm, "name"));
	table_add(table, member_text(row->virtual_gpu, "source"));
	table_add(table, member_text(row->virtual_gpu, "function"));
	table_add(table,
		  row->adapter_name ? row->adapter_name : member_text(row->virtual_gpu, "adapter"));
	table_add(table, member_text(row->virtual_gpu, "profile"));
}

/* key: with its quotes and colon. value: NULL to leave the member out. */
static void write_member(Writer *writer, const char *key, const char *value)
{
	if (!value)
		return;
	writer_key_quoted(writer, key, strlen(key));
	writer_string(writer, value);
}

static void write_row(const VirtualGpuRow *row, void *context)
{
	Writer *writer = context;

	writer_object_begin(writer);
	write_member(writer, "\"virtualGpu\":", member_text(row->virtual_gpu, "virtualGpu"));
	write_member(writer, "\"virtualMachineGuid\":", member_text(row->vm, "virtualMachineGuid"));
	write_member(writer, "\"virtualMachineName\":", member_text(row->vm, "name"));
	write_member(writer, "\"adapter\":", member_text(row->virtual_gpu, "adapter"));
	write_member(writer, "\"adapterName\":", row->adapter_name);
	write_member(writer, "\"profile\":", member_text(row->virtual_gpu, "profile"));
	write_member(writer, "\"source\":", member_text(row->virtual_gpu, "source"));
	write_member(writer, "\"function\":", member_text(row->virtual_gpu, "function"));
	writer_object_end(writer);
}

static int show_json(const Listing *machines, const Listing *adapters)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);

	report_document_begin(&writer);
	writer_key(&writer, "virtualGpus");
	writer_array_begin(&writer);
	for_each(machines, adapters, write_row, &writer);
	writer_array_end(&writer);
	writer_object_end(&writer);
	return tool_print_json(&writer);
}

int command_vgpu_list(Tool *tool)
{
	_cleanup_(listing_deinit) Listing machines = { 0 }, adapters = { 0 };
	_cleanup_(table_deinit) Table table = TABLE_INIT(columns);
	NTSTATUS status = listing_fetch(tool, "io.vaild.Machine.ListVirtualMachines", NULL,
					"virtualMachines", &machines);

	if (status == STATUS_SUCCESS)
		status = listing_fetch(tool, "io.vaild.Gpu.ListAdapters", NULL, "adapters",
				       &adapters);
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (options_have(&tool->options, OPTION_JSON))
		return show_json(&machines, &adapters);
	for_each(&machines, &adapters, add_row, &table);
	return report_visible(tool, &table, "No virtual GPUs", VISIBLE_TO_USER);
}
