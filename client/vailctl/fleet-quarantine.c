/* SPDX-License-Identifier: MIT */
/* The quarantines of all hosts, which vaild-fleet imposes. */
#include <stdlib.h>
#include <string.h>

#include "client/common/json-members.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/fleet-call.h"
#include "client/vailctl/output.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include "proto/guid.h"
#include "proto/json-writer.h"
#include "proto/macros.h"

#define LIST_QUARANTINES "io.vaild.Fleet.ListQuarantines"
#define SET_QUARANTINE   "io.vaild.Fleet.SetQuarantine"

static const TableColumn quarantine_columns[] = {
	{ .name = "GUID", .prefix = GUID_PREFIX },
	{ .name = "REASON", .minimum = 12, .folds = true },
	{ .name = "WHO", .minimum = 8, .drop = 2 },
	{ .name = "SINCE", .drop = 1 },
};

static void fill_quarantine(Table *table, const JsonValue *item)
{
	table_add(table, member_text(item, "virtualMachineGuid"));
	table_add(table, member_text(item, "reason"));
	table_add(table, member_text(item, "who"));
	table_add(table, member_text(item, "date"));
}

int command_fleet_quarantines(Tool *tool)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(quarantine_columns);

	return fleet_report(tool, LIST_QUARANTINES, NULL, "quarantines", &table, fill_quarantine,
			    "No quarantines of the fleet.");
}

static char *write_quarantine(const char *vm, bool is_imposed, const char *reason)
{
	Buffer out = BUFFER_INIT;
	Writer writer = WRITER_INIT(&out);

	writer_object_begin(&writer);
	writer_key(&writer, "virtualMachineGuid");
	writer_string(&writer, vm);
	writer_key(&writer, "quarantined");
	writer_boolean(&writer, is_imposed);
	if (reason) {
		writer_key(&writer, "reason");
		writer_string(&writer, reason);
	}
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	char *text = writer.failed ? NULL : strdup(buffer_head(&out));
	buffer_deinit(&out);
	return text;
}

/* The VM must have been replaced by its GUID. Returns the exit status. */
static int set_quarantine(Tool *tool, bool is_imposed, const char *reason)
{
	_cleanup_free_ char *parameters = write_quarantine(tool->arguments[0], is_imposed, reason);
	int exit_status = EXIT_FAILED;

	if (!parameters)
		return tool_no_memory();
	JsonValue *reply = fleet_call(tool, SET_QUARANTINE, parameters, &exit_status);
	if (reply && options_have(&tool->options, OPTION_JSON))
		exit_status = fleet_print_document(reply);
	json_free(reply);
	return exit_status;
}

int command_fleet_quarantine(Tool *tool)
{
	int exit_status = fleet_find_machine(tool, FLEET_MACHINES, SET_QUARANTINE);

	return exit_status == EXIT_DONE ? set_quarantine(tool, true, tool->options.reason)
					: exit_status;
}

/*
 * Tests whether the listing has everything, and not the GUID, which the user may have written in
 * capital letters.
 */
static bool lacks_quarantine(const Listing *quarantines, const char *text)
{
	char canonical[GUID_TEXT_LENGTH + 1];
	Guid guid;

	if (!member_flag(fleet_last_reply(quarantines), "current") || !guid_parse(text, &guid))
		return false;
	guid_format(&guid, canonical);
	return !listing_find(quarantines, "virtualMachineGuid", canonical);
}

/*
 * Lifts the quarantine even if this host knows none, because another host may have imposed one just
 * now.
 */
int command_fleet_release(Tool *tool)
{
	_cleanup_(listing_deinit) Listing quarantines = { 0 };
	int exit_status = fleet_find_machine(tool, FLEET_MACHINES_AND_QUARANTINES, SET_QUARANTINE);

	if (exit_status != EXIT_DONE)
		return exit_status;
	/* If this fails, the next call says why. */
	NTSTATUS status =
		listing_fetch(tool, LIST_QUARANTINES, NULL, "quarantines", &quarantines);
	bool lacks = status == STATUS_SUCCESS && lacks_quarantine(&quarantines, tool->arguments[0]);
	exit_status = set_quarantine(tool, false, NULL);
	if (exit_status == EXIT_DONE && lacks)
		log_message("nothing was done, because the fleet shows no quarantine of %s; to see "
			    "its quarantines, run: vailctl fleet quarantines",
			    tool->typed);
	return exit_status;
}
