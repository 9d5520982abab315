/* SPDX-License-Identifier: MIT */
/* Commands about display channels. */
#include "client/common/json-members.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/rights.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vm-names.h"

#define LIST_DISPLAYS "io.vaild.Display.ListDisplays"

static const TableColumn display_columns[] = {
	{ .name = "HANDLE" },
	{ .name = "VM", .minimum = 8 },
	{ .name = "RIGHTS", .drop = 1 },
	{ .name = "PID", .right = true, .drop = 3 },
	{ .name = "UID", .right = true, .drop = 4 },
	{ .name = "AGE", .right = true, .drop = 2 },
};

static NTSTATUS fetch(Tool *tool, const char *guid, Listing *ret_displays)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);

	writer_object_begin(&writer);
	if (guid) {
		writer_key(&writer, "virtualMachineGuid");
		writer_string(&writer, guid);
	}
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	if (writer.failed)
		return STATUS_NO_MEMORY;
	return listing_fetch(tool, LIST_DISPLAYS, buffer_head(&text), "displays", ret_displays);
}

static void fill_display(Table *table, const VmNames *names, const JsonValue *display)
{
	_cleanup_(rights_text_deinit) RightsText rights = { 0 };

	table_add(table, member_text(display, "display"));
	table_add_vm(table, names, member_text(display, "virtualMachineGuid"));
	table->failed |= !rights_text_init(&rights, json_member(display, "rights"));
	table_add(table, rights.text);
	table_add_number(table, display, "pid");
	table_add_number(table, display, "uid");
	table_add_age(table, display, "since");
}

int command_displays(Tool *tool)
{
	_cleanup_(listing_deinit) Listing displays = { 0 };
	_cleanup_(vm_names_deinit) VmNames names = { 0 };
	_cleanup_(table_deinit) Table table = TABLE_INIT(display_columns);
	NTSTATUS status = fetch(tool, tool->arguments[0], &displays);

	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (options_have(&tool->options, OPTION_JSON))
		return report_listings_json(&displays, NULL);
	vm_names_fetch(tool, &names); /* without the names, GUIDs are shown */
	for (size_t i = 0; i < displays.item_count; i++)
		fill_display(&table, &names, displays.items[i]);
	return report_table(tool, &table, "No display channels.");
}

int command_display_close(Tool *tool)
{
	return tool_finish(tool, vail_close_display(tool->vail, tool->arguments[0]));
}
