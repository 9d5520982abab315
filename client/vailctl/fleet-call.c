/* SPDX-License-Identifier: MIT */
#include "client/vailctl/fleet-call.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/common/fleet-search.h"
#include "client/common/json-members.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "client/vailctl/amounts.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "proto/json-writer.h"
#include "proto/macros.h"
#include <vail.h>

const char *fleet_socket(const Tool *tool)
{
	return tool->options.fleet_socket ? tool->options.fleet_socket : fleet_socket_path();
}

/* Replaces the handle of vaild by one of vaild-fleet, which does not wait for a restart. */
static NTSTATUS connect_fleet(Tool *tool)
{
	struct vail *fleet;
	NTSTATUS status = vail_new(fleet_socket(tool), &fleet);

	if (status != STATUS_SUCCESS)
		return status;
	vail_set_resume(fleet, false);
	vail_close(tool->vail);
	tool->vail = fleet;
	return STATUS_SUCCESS;
}

/* The configuration, without which systemd skips the start of vaild-fleet and reports success. */
#define FLEET_CONFIGURATION "/etc/vaild/fleet.json"

static int report_failure(const Tool *tool, NTSTATUS status)
{
	bool has_configuration = access(FLEET_CONFIGURATION, F_OK) == 0;

	if (status == STATUS_CONNECTION_REFUSED)
		return tool_failed(tool, status,
				   "no vaild-fleet serves %s; %sstart it with: systemctl start "
				   "vaild-fleet, or give its socket with --fleet-socket",
				   fleet_socket(tool),
				   has_configuration ? ""
						     : "write " FLEET_CONFIGURATION
						       " as fleet.json(5) shows, and ");
	if (status == STATUS_NOT_SUPPORTED)
		return tool_failed(tool, status,
				   "no vaild-fleet serves %s, or an older one; check that the "
				   "socket is that of vaild-fleet, and not of vaild",
				   fleet_socket(tool));
	return tool_refused(tool, status);
}

JsonValue *fleet_call(Tool *tool, const char *method, const char *parameters, int *ret_exit)
{
	_cleanup_free_ char *text = NULL;
	const char *error;
	NTSTATUS status = connect_fleet(tool);

	if (status == STATUS_SUCCESS)
		status = vail_call(tool->vail, method, parameters, &text);
	JsonValue *reply = status == STATUS_SUCCESS
				   ? json_parse(tool->parser, text, strlen(text), &error)
				   : NULL;
	*ret_exit = EXIT_DONE;
	if (status != STATUS_SUCCESS)
		*ret_exit = report_failure(tool, status);
	else if (!reply)
		*ret_exit = tool_no_memory();
	return reply;
}

static void write_member(Writer *writer, const char *name, const JsonValue *value)
{
	_cleanup_(buffer_deinit) Buffer key = BUFFER_INIT;
	Writer key_writer = WRITER_INIT(&key);

	writer_string(&key_writer, name);
	writer->failed |= key_writer.failed || !buffer_append(&key, ":", 1);
	writer_key_quoted(writer, buffer_head(&key), buffer_size(&key));
	writer_value_of(writer, value);
}

/* Prints the replies as one that has all items. Its other members are those of the oldest one. */
static int print_list(const Listing *listing)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);
	JsonMembers members = json_members(listing_oldest_reply(listing));

	writer_object_begin(&writer);
	while (json_members_next(&members)) {
		if (strcmp(members.name, listing->key) == 0)
			listing_write(&writer, listing);
		else
			write_member(&writer, members.name, members.value);
	}
	writer_object_end(&writer);
	return tool_print_json(&writer);
}

int fleet_print_document(const JsonValue *reply)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);

	writer_value_of(&writer, reply);
	return tool_print_json(&writer);
}

void fleet_say_age(const JsonValue *reply)
{
	const char *problem = member_text(reply, "problem");
	char text[AMOUNT_TEXT];
	double age;

	if (!member_text(reply, "problem") && member_flag(reply, "current"))
		return;
	if (!json_read_real(json_member(reply, "age"), &age))
		log_message("this may be old or incomplete: %s",
			    problem ? problem : "the index is incomplete");
	else
		log_message("this was right %s ago, and may have changed since: %s",
			    age_text((uint64_t)age, text),
			    problem ? problem : "no reason is known");
}

int fleet_report(Tool *tool, const char *method, const char *parameters, const char *key,
		 Table *table, void (*fill)(Table *, const JsonValue *), const char *empty)
{
	_cleanup_(listing_deinit) Listing listing = { 0 };
	NTSTATUS status = connect_fleet(tool);

	if (status == STATUS_SUCCESS)
		status = listing_fetch(tool, method, parameters, key, &listing);
	const JsonValue *oldest = listing_oldest_reply(&listing);
	if (status != STATUS_SUCCESS)
		return report_failure(tool, status);
	if (options_have(&tool->options, OPTION_JSON))
		return print_list(&listing);
	for (size_t i = 0; i < listing.item_count; i++)
		fill(table, listing.items[i]);
	int exit_status = report_table(tool, table, empty);
	if (json_member(oldest, "current"))
		fleet_say_age(oldest);
	return exit_status;
}

NTSTATUS fleet_search(Tool *tool, MachineScope scope, char **ret_message)
{
	NTSTATUS status = connect_fleet(tool);

	*ret_message = NULL;
	tool->typed = tool->arguments[0];
	if (status == STATUS_SUCCESS)
		status = machine_find(tool->vail, tool->typed, scope, tool->guid, ret_message);
	if (status == STATUS_SUCCESS)
		tool->arguments[0] = tool->guid;
	return status;
}

int fleet_find_machine(Tool *tool, MachineScope scope, const char *method)
{
	_cleanup_free_ char *message = NULL, *reply = NULL;
	NTSTATUS status = fleet_search(tool, scope, &message);

	if (status == STATUS_SUCCESS)
		return EXIT_DONE;
	if (message)
		return tool_failed(tool, status, "%s", message);
	/*
	 * The list of VMs names those who may see it, but the person must know who may run the
	 * command. Without its parameters, the method is refused in any case.
	 */
	if (status == STATUS_ACCESS_DENIED)
		status = vail_call(tool->vail, method, NULL, &reply);
	return report_failure(tool, status);
}
