/* SPDX-License-Identifier: MIT */
#include "client/vailctl/objects.h"

#include <inttypes.h>
#include <string.h>

#include "client/common/json-members.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vm-names.h"

#define LIST_OBJECTS "io.vaild.ListSharedObjects"

NTSTATUS objects_fetch(Tool *tool, const char *guid, Listing *ret_objects)
{
	return listing_fetch_of_machine(tool, LIST_OBJECTS, guid, "sharedObjects", ret_objects);
}

/* ---- objects ---- */

/* 80 columns show the handle, the names of VM and object, the image and the size. */
static const TableColumn object_columns[] = {
	{ .name = "HANDLE" },
	{ .name = "GUID", .drop = 5 },
	{ .name = "VM", .minimum = 8 },
	{ .name = "NAME", .minimum = 8 },
	{ .name = "TYPE", .drop = 7 },
	{ .name = "IMAGE", .minimum = 14, .drop = 1 },
	{ .name = "ACCESS", .drop = 8 },
	{ .name = "MEMORY", .drop = 9 },
	{ .name = "SIZE", .right = true, .drop = 2 },
	{ .name = "PID", .right = true, .drop = 6 },
	{ .name = "HOLDERS", .right = true, .drop = 4 },
	{ .name = "AGE", .right = true, .drop = 3 },
};

static void add_type(Table *table, const JsonValue *object)
{
	const char *type = member_text(object, "type");
	bool is_both = type && strcmp(type, "resourceWithFence") == 0;

	table_add(table, is_both ? "resource, fence" : type);
}

static bool is_bottom_up(const JsonValue *object)
{
	const char *first_row = member_text(object, "firstRow");

	return first_row && strcmp(first_row, "bottom") == 0;
}

static void add_image(Table *table, const JsonValue *object)
{
	const char *format = member_text(object, "format");

	if (format)
		table_add_format(table, "%" PRIu64 "x%" PRIu64 " %s%s",
				 member_number(object, "width"), member_number(object, "height"),
				 format, is_bottom_up(object) ? ", bottom row first" : "");
	else
		table_add(table, NULL);
}

static void add_access(Table *table, const JsonValue *object, const JsonValue *memory)
{
	const char *access = member_text(object, "access");
	const char *access_cell =
		access && strcmp(access, "readWrite") == 0 ? "read, write" : access;

	if (access)
		table_add_format(table, "%s%s", access_cell,
				 member_flag(memory, "accessEnforced") ? ", enforced" : "");
	else
		table_add(table, NULL);
}

static void add_memory(Table *table, const JsonValue *memory)
{
	const char *kind = member_text(memory, "kind");

	if (kind && strcmp(kind, "none") != 0)
		table_add_format(table, "%s%s", kind,
				 member_flag(memory, "sizeSealed") ? ", sealed" : "");
	else
		table_add(table, NULL);
}

static void fill_object(Table *table, const JsonValue *shared, const VmNames *names)
{
	const JsonValue *object = json_member(shared, "object");
	const JsonValue *memory = json_member(shared, "memory");

	table_add(table, member_text(shared, "handle"));
	table_add(table, member_text(shared, "virtualMachineGuid"));
	table_add_vm(table, names, member_text(shared, "virtualMachineGuid"));
	table_add(table, member_text(object, "name"));
	add_type(table, object);
	add_image(table, object);
	add_access(table, object, memory);
	add_memory(table, memory);
	table_add_size(table, memory, "sizeInBytes");
	table_add_number(table, shared, "sharedByPid");
	table_add_format(table, "%zu", json_array_size(json_member(shared, "holders")));
	table_add_age(table, shared, "since");
}

int command_objects(Tool *tool)
{
	_cleanup_(listing_deinit) Listing objects = { 0 };
	_cleanup_(table_deinit) Table table = TABLE_INIT(object_columns);
	_cleanup_(vm_names_deinit) VmNames names = { 0 };
	NTSTATUS status = objects_fetch(tool, tool->arguments[0], &objects);

	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (options_have(&tool->options, OPTION_JSON))
		return report_listings_json(&objects, NULL);
	if (objects.item_count > 0)
		vm_names_fetch(tool, &names); /* without the names, GUIDs are shown */
	for (size_t i = 0; i < objects.item_count; i++)
		fill_object(&table, objects.items[i], &names);
	return report_visible(tool, &table, "No shared objects",
			      " that this process shares or may open; operators see all");
}

/* ---- holders ---- */

static const TableColumn holder_columns[] = {
	{ .name = "PID", .right = true },
	{ .name = "USER" },
	{ .name = "AGE", .right = true },
};

static int show_holders_json(const JsonValue *shared)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);
	const JsonValue *holders = json_member(shared, "holders");

	report_document_begin(&writer);
	writer_key(&writer, "handle");
	writer_string(&writer, member_text(shared, "handle"));
	writer_key(&writer, "holders");
	writer_array_begin(&writer);
	for (size_t i = 0; i < json_array_size(holders); i++)
		writer_value_of(&writer, json_array_at(holders, i));
	writer_array_end(&writer);
	writer_object_end(&writer);
	return tool_print_json(&writer);
}

static int show_holders(const Tool *tool, const JsonValue *shared)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(holder_columns);
	const JsonValue *holders = json_member(shared, "holders");

	for (size_t i = 0; i < json_array_size(holders); i++) {
		const JsonValue *holder = json_array_at(holders, i);

		table_add_number(&table, holder, "pid");
		table_add_user(&table, holder, "uid");
		table_add_age(&table, holder, "since");
	}
	return report_table(tool, &table, "No holders.");
}

int objects_lack(const Tool *tool, const char *handle)
{
	return tool_failed(tool, STATUS_INVALID_HANDLE,
			   "%s is not an object that you may see; list them with: vailctl objects",
			   handle);
}

int command_holders(Tool *tool)
{
	const char *handle = tool->arguments[0];
	_cleanup_(listing_deinit) Listing objects = { 0 };
	NTSTATUS status = objects_fetch(tool, NULL, &objects);

	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	const JsonValue *shared = listing_find(&objects, "handle", handle);
	if (!shared)
		return objects_lack(tool, handle);
	return options_have(&tool->options, OPTION_JSON) ? show_holders_json(shared)
							 : show_holders(tool, shared);
}
