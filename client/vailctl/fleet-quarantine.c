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

/*
 * Fetches the quarantines of the fleet by the handle of vaild-fleet. Returns whether the listing is
 * whole and of now. If not, the next call says why.
 */
static bool fetch_quarantines(Tool *tool, Listing *ret_quarantines)
{
	return listing_fetch(tool, LIST_QUARANTINES, NULL, "quarantines", ret_quarantines) ==
		       STATUS_SUCCESS &&
	       member_flag(listing_oldest_reply(ret_quarantines), "current");
}

/* Returns the quarantine of the GUID, which may have capital letters, or NULL. */
static const JsonValue *find_quarantine(const Listing *quarantines, const char *text)
{
	char canonical[GUID_TEXT_LENGTH + 1];
	Guid guid;

	if (!guid_parse(text, &guid))
		return NULL;
	guid_format(&guid, canonical);
	return listing_find(quarantines, "virtualMachineGuid", canonical);
}

/* Tests whether there is a quarantine of the VM for this reason, NULL for none. */
static bool has_quarantine(const Listing *quarantines, const char *vm, const char *reason)
{
	const JsonValue *quarantine = find_quarantine(quarantines, vm);
	const char *before = member_text(quarantine, "reason");

	return quarantine && strcmp(before ? before : "", reason ? reason : "") == 0;
}

/* Imposes it again even if it is there, because another host may have lifted it just now. */
int command_fleet_quarantine(Tool *tool)
{
	_cleanup_(listing_deinit) Listing quarantines = { 0 };
	const char *reason = tool->options.reason;
	int exit_status = fleet_find_machine(tool, FLEET_MACHINES, SET_QUARANTINE);
	char quoted[SHELL_QUOTE_SIZE];

	if (exit_status != EXIT_DONE)
		return exit_status;
	bool is_same = fetch_quarantines(tool, &quarantines) &&
		       has_quarantine(&quarantines, tool->arguments[0], reason);
	exit_status = set_quarantine(tool, true, reason);
	if (exit_status == EXIT_DONE && is_same)
		log_message("only its author and its date have changed, because the fleet had %s "
			    "in quarantine already for this reason; to lift the quarantine, run: "
			    "vailctl fleet release %s",
			    tool->typed, shell_quote(tool->typed, quoted));
	return exit_status;
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
	bool lacks = fetch_quarantines(tool, &quarantines) &&
		     !find_quarantine(&quarantines, tool->arguments[0]);
	exit_status = set_quarantine(tool, false, NULL);
	if (exit_status == EXIT_DONE && lacks)
		log_message("nothing was done, because the fleet shows no quarantine of %s; to see "
			    "its quarantines, run: vailctl fleet quarantines",
			    tool->typed);
	return exit_status;
}
