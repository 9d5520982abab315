/* SPDX-License-Identifier: MIT */
#include "client/vailctl/vm-state.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "client/common/json-members.h"
#include "client/common/user-message.h"
#include "client/vailctl/listing.h"
#include "client/vailctl/output.h"
#include "proto/guid.h"
#include "proto/json-writer.h"
#include "proto/macros.h"

#define LIST_MACHINES "io.vaild.Machine.ListVirtualMachines"

NTSTATUS vm_describe(Tool *tool, const char *guid, char **ret_reply)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);

	writer_object_begin(&writer);
	writer_key(&writer, "virtualMachineGuid");
	writer_string(&writer, guid);
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	if (writer.failed)
		return STATUS_NO_MEMORY;
	return vail_call(tool->vail, "io.vaild.Machine.DescribeVirtualMachine", buffer_head(&text),
			 ret_reply);
}

/* Appends the values of the settings. A VM that takes the place of another has another age. */
static void write_settings(Writer *writer, const JsonValue *machine)
{
	static const char *const settings[] = {
		"name",  "vmmPid",        "incomingVmmPid",  "displayClients",
		"agent", "incomingAgent", "registeredByUid", "since",
	};

	writer_array_begin(writer);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const JsonValue *value = json_member(machine, settings[i]);

		if (value)
			writer_value_of(writer, value);
		else
			writer_boolean(writer, false);
	}
	writer_array_end(writer);
	writer_terminator(writer, '\0');
}

/*
 * Returns the VM, which belongs to *machines, or NULL. Asks for the list, because vaild logs the
 * refusal of a description.
 */
static const JsonValue *find_listed(Tool *tool, const char *guid, Listing *machines)
{
	char canonical[GUID_TEXT_LENGTH + 1];
	Guid parsed;

	if (!guid_parse(guid, &parsed) ||
	    listing_fetch(tool, LIST_MACHINES, NULL, "virtualMachines", machines) != STATUS_SUCCESS)
		return NULL;
	return listing_find(machines, "virtualMachineGuid", guid_format(&parsed, canonical));
}

pid_t vm_found_vmm(Tool *tool, const char *guid)
{
	_cleanup_(listing_deinit) Listing machines = { 0 };
	const JsonValue *machine = find_listed(tool, guid, &machines);
	const char *source = machine ? member_text(machine, "source") : NULL;

	return source && strcmp(source, "machined") == 0 ? (pid_t)member_number(machine, "vmmPid")
							 : 0;
}

pid_t vm_incoming_vmm(Tool *tool, const char *guid)
{
	_cleanup_(listing_deinit) Listing machines = { 0 };
	const JsonValue *machine = find_listed(tool, guid, &machines);

	return (pid_t)member_number(machine, "incomingVmmPid");
}

VmObstacle vm_obstacle(Tool *tool, const char *guid)
{
	_cleanup_(listing_deinit) Listing machines = { 0 };
	const JsonValue *machine = find_listed(tool, guid, &machines);

	if (machine && member_flag(machine, "quarantined"))
		return VM_OBSTACLE_QUARANTINE;
	if (machine && json_array_size(json_member(machine, "virtualGpus")) == 0)
		return VM_OBSTACLE_NO_VIRTUAL_GPU;
	return VM_OBSTACLE_NONE;
}

/* Returns what an incoming VMM cannot set, as the end of a sentence. */
static const char *unused_settings(const VailMachine *machine)
{
	if (machine->name && machine->display_client_count > 0)
		return "; the name and the display clients are not used";
	if (machine->name)
		return "; the name is not used";
	return machine->display_client_count > 0 ? "; the display clients are not used" : "";
}

bool vm_note_incoming(Tool *tool, pid_t pid, const VailMachine *machine, pid_t former)
{
	_cleanup_(listing_deinit) Listing machines = { 0 };
	const char *guid = tool->arguments[0], *unused = unused_settings(machine);
	const JsonValue *listed = find_listed(tool, guid, &machines);
	char place[48] = "", present[48] = "its VMM";

	if (pid <= 0 || (pid_t)member_number(listed, "incomingVmmPid") != pid)
		return false;
	if (options_have(&tool->options, OPTION_JSON))
		return true;
	if (former > 0 && former != pid)
		snprintf(place, sizeof(place), " in place of process %d", (int)former);
	if (member_number(listed, "vmmPid") > 0)
		snprintf(present, sizeof(present), "process %d",
			 (int)member_number(listed, "vmmPid"));
	log_message("VM %s runs already; process %d is its incoming VMM now%s, and takes over when "
		    "%s exits; to call that off, end process %d, or name another one%s%s%s",
		    guid, (int)pid, place, present, (int)pid, unused,
		    *unused ? "; to change those of the VM, run: vailctl vm update " : "",
		    *unused ? guid : "");
	return true;
}

char *vm_settings(Tool *tool, const char *guid)
{
	_cleanup_(listing_deinit) Listing machines = { 0 };
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);
	const JsonValue *machine = find_listed(tool, guid, &machines);

	if (!machine)
		return NULL;
	write_settings(&writer, machine);
	return writer.failed ? NULL : strdup(buffer_head(&text));
}

/* Tests whether --user names root, by its name or by its number. */
static bool names_root(const VailParty *party)
{
	const struct passwd *entry = party->user ? getpwnam(party->user) : NULL;

	return party->user && (entry ? entry->pw_uid == 0 : strcmp(party->user, "0") == 0);
}

void vm_note_root_client(const Tool *tool, const Listing *registrations)
{
	const ClientList *clients = &tool->options.clients;
	const VailParty *root = NULL;

	for (size_t i = 0; i < clients->count && !root; i++)
		root = names_root(&clients->parties[i]) ? &clients->parties[i] : NULL;
	for (size_t i = 0; registrations && i < registrations->item_count; i++)
		if (member_number(registrations->items[i], "uid") == 0)
			root = NULL;
	if (root && !options_have(&tool->options, OPTION_JSON))
		log_message("--user %s permits only processes without capabilities, and those of "
			    "root have some; to permit the programs of your shell, give "
			    "--client-pid $$ instead",
			    root->user);
}

void vm_note_same_name(Tool *tool, const char *guid, const char *name)
{
	_cleanup_(listing_deinit) Listing machines = { 0 };
	char canonical[GUID_TEXT_LENGTH + 1];
	Guid parsed;

	if (!name || *name == '\0' || !guid_parse(guid, &parsed) ||
	    listing_fetch(tool, LIST_MACHINES, NULL, "virtualMachines", &machines) !=
		    STATUS_SUCCESS)
		return;
	guid_format(&parsed, canonical);
	for (size_t i = 0; i < machines.item_count; i++) {
		const char *other = member_text(machines.items[i], "virtualMachineGuid");
		const char *others_name = member_text(machines.items[i], "name");

		if (!other || !others_name || strcmp(others_name, name) != 0 ||
		    strcmp(other, canonical) == 0)
			continue;
		log_message("this is done, but VM %s has the name \"%s\", too; to name one of "
			    "the two, give its GUID, or the beginning of it",
			    other, name);
		return;
	}
}
