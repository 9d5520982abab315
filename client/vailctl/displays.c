/* SPDX-License-Identifier: MIT */
/* Commands about display channels. */
#include <stdio.h>

#include "client/common/json-members.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/ended.h"
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
	{ .name = "USER", .minimum = 8, .drop = 4 },
	{ .name = "AGE", .right = true, .drop = 2 },
};

static void fill_display(Table *table, const VmNames *names, const JsonValue *display)
{
	_cleanup_(rights_text_deinit) RightsText rights = { 0 };

	table_add(table, member_text(display, "display"));
	table_add_vm(table, names, member_text(display, "virtualMachineGuid"));
	table->failed |= !rights_text_init(&rights, json_member(display, "rights"));
	table_add(table, rights.text);
	table_add_number(table, display, "pid");
	table_add_user(table, display, "uid");
	table_add_age(table, display, "since");
}

/* Tests whether the caller sees a process registered for the VM, or for any VM if guid is NULL. */
static bool has_registrations(Tool *tool, const char *guid)
{
	_cleanup_(listing_deinit) Listing registrations = { 0 };

	if (listing_fetch(tool, "io.vaild.ListRegistrations", NULL, "registrations",
			  &registrations) != STATUS_SUCCESS)
		return false; /* the hint is not worth an error */
	return guid ? listing_find(&registrations, "virtualMachineGuid", guid) != NULL
		    : registrations.item_count > 0;
}

/* People take an open window for a display channel, but one that only views has none. */
static int report_none(Tool *tool, Table *table)
{
	int exit_status =
		report_visible(tool, table, "No display channels",
			       " of this process or of VMs that you added; operators see all");

	if (!options_have(&tool->options, OPTION_NO_LEGEND) &&
	    has_registrations(tool, tool->arguments[0]))
		puts("Viewers that only show pictures have none; to list them, run:\n"
		     "vailctl registrations");
	return exit_status;
}

int command_displays(Tool *tool)
{
	_cleanup_(listing_deinit) Listing displays = { 0 };
	_cleanup_(vm_names_deinit) VmNames names = { 0 };
	_cleanup_(table_deinit) Table table = TABLE_INIT(display_columns);
	NTSTATUS status = listing_fetch_of_machine(tool, LIST_DISPLAYS, tool->arguments[0],
						   "displays", &displays);

	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (options_have(&tool->options, OPTION_JSON))
		return report_listings_json(&displays, NULL);
	if (displays.item_count == 0)
		return report_none(tool, &table);
	vm_names_fetch(tool, &names); /* without the names, GUIDs are shown */
	for (size_t i = 0; i < displays.item_count; i++)
		fill_display(&table, &names, displays.items[i]);
	return report_table(tool, &table, "");
}

int command_display_close(Tool *tool)
{
	_cleanup_(ended_deinit) Ended ended = ENDED_INIT;

	ended_begin_of_display(tool, tool->arguments[0], &ended);
	return ended_finish(tool, vail_close_display(tool->vail, tool->arguments[0]), &ended);
}
