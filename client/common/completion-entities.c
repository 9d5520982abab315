/* SPDX-License-Identifier: MIT */
#include "client/common/completion-entities.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/fleet-search.h"
#include "client/common/json-members.h"
#include "proto/macros.h"
#include <vail.h>

/* The time that completion waits for vaild, in milliseconds. */
#define TIMEOUT 2000

/* Prints the candidates of one item of a list. */
typedef void (*PrintItem)(const CompletionLine *line, const JsonValue *item, const char *machine);

typedef struct ListRun {
	const CompletionLine *line;
	const char *key;
	PrintItem print;
	const char *machine;
	JsonParser *parser;
} ListRun;

/* A VailReply. */
static bool print_reply(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
			void *context)
{
	const ListRun *run = context;
	const char *error;

	(void)vail;
	(void)continues;
	if (status != STATUS_SUCCESS || !parameters)
		return true;
	JsonValue *reply = json_parse(run->parser, parameters, strlen(parameters), &error);
	const JsonValue *items = json_member(reply, run->key);
	for (size_t i = 0; i < json_array_size(items); i++)
		run->print(run->line, json_array_at(items, i), run->machine);
	json_free(reply);
	return true;
}

/* machine: passed to print; may be NULL. */
static void print_list(const CompletionLine *line, const char *method, const char *key,
		       PrintItem print, const char *machine)
{
	ListRun run = { line, key, print, machine, json_parser_new() };
	struct vail *vail = NULL;

	if (run.parser && vail_new(line->socket, &vail) == STATUS_SUCCESS) {
		vail_set_timeout(vail, TIMEOUT);
		vail_call_more(vail, method, NULL, print_reply, &run);
	}
	vail_close(vail);
	json_parser_free(run.parser);
}

/* ---- VMs ---- */

/* A VM and its name, which may be NULL. Both are owned. */
typedef struct MachineEntry {
	char *guid;
	char *name;
} MachineEntry;

typedef struct MachineList {
	MachineEntry *entries;
	size_t count;
} MachineList;

/* Adds a VM. Leaves it out if out of memory. */
static void add_machine(MachineList *list, const JsonValue *machine)
{
	const char *guid = member_text(machine, "virtualMachineGuid");
	const char *name = member_text(machine, "name");
	MachineEntry *entries = reallocarray(list->entries, list->count + 1, sizeof(*entries));

	if (entries)
		list->entries = entries;
	if (entries && guid)
		entries[list->count++] = (MachineEntry){ strdup(guid), name ? strdup(name) : NULL };
}

/* A VailReply. */
static bool add_machines(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
			 void *context)
{
	JsonParser *parser = json_parser_new();
	const char *error;

	(void)vail;
	(void)continues;
	JsonValue *reply = parser && status == STATUS_SUCCESS && parameters
				   ? json_parse(parser, parameters, strlen(parameters), &error)
				   : NULL;
	const JsonValue *machines = json_member(reply, "virtualMachines");
	for (size_t i = 0; i < json_array_size(machines); i++)
		add_machine(context, json_array_at(machines, i));
	json_free(reply);
	json_parser_free(parser);
	return true;
}

/*
 * Tests whether the VM can be typed by its name: no other VM has it, and it is no option.
 * is_argument: no word can be an option.
 */
static bool has_own_name(const MachineList *list, const MachineEntry *entry, bool is_argument)
{
	size_t count = 0;

	if (!entry->name || *entry->name == '\0' || (*entry->name == '-' && !is_argument) ||
	    !completion_is_printable(entry->name))
		return false;
	for (size_t i = 0; i < list->count; i++)
		count += list->entries[i].name && strcmp(list->entries[i].name, entry->name) == 0;
	return count == 1;
}

/* Tests whether the person has begun to type a GUID. */
static bool begins_guid(const char *typed)
{
	return *typed != '\0' && strspn(typed, "0123456789abcdefABCDEF-") == strlen(typed);
}

/* A VM stands among the candidates once: by its name, or by its GUID if digits were typed. */
static void print_machines(const CompletionLine *line, const MachineList *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const MachineEntry *entry = &list->entries[i];
		bool is_named = has_own_name(list, entry, line->is_argument);

		if (is_named)
			completion_value(line, entry->name, entry->guid);
		if (entry->guid && (!is_named || begins_guid(line->current)))
			completion_value(line, entry->guid, entry->name);
	}
}

static void print_machines_of(const CompletionLine *line, const char *method)
{
	MachineList list = { 0 };
	struct vail *vail = NULL;

	if (vail_new(line->socket, &vail) == STATUS_SUCCESS) {
		vail_set_timeout(vail, TIMEOUT);
		vail_call_more(vail, method, NULL, add_machines, &list);
	}
	vail_close(vail);
	print_machines(line, &list);
	for (size_t i = 0; i < list.count; i++) {
		free(list.entries[i].guid);
		free(list.entries[i].name);
	}
	free(list.entries);
}

void completion_machines(const CompletionLine *line)
{
	print_machines_of(line, "io.vaild.Machine.ListVirtualMachines");
}

/* Returns the line with the socket of vaild-fleet. */
static CompletionLine with_fleet(const CompletionLine *line)
{
	CompletionLine fleet = *line;

	fleet.socket = fleet_socket_path();
	return fleet;
}

void completion_fleet_machines(const CompletionLine *line)
{
	CompletionLine fleet = with_fleet(line);

	print_machines_of(&fleet, "io.vaild.Fleet.ListVirtualMachines");
}

static void print_quarantine(const CompletionLine *line, const JsonValue *quarantine,
			     const char *unused)
{
	const char *guid = member_text(quarantine, "virtualMachineGuid");

	(void)unused;
	if (guid)
		completion_value(line, guid, member_text(quarantine, "reason"));
}

void completion_quarantines(const CompletionLine *line)
{
	print_list(line, "io.vaild.Machine.ListQuarantines", "quarantines", print_quarantine, NULL);
}

void completion_fleet_quarantines(const CompletionLine *line)
{
	CompletionLine fleet = with_fleet(line);

	print_list(&fleet, "io.vaild.Fleet.ListQuarantines", "quarantines", print_quarantine, NULL);
}

static void print_virtual_gpus(const CompletionLine *line, const JsonValue *machine,
			       const char *unused)
{
	const JsonValue *gpus = json_member(machine, "virtualGpus");
	const char *name = member_text(machine, "name");

	(void)unused;
	for (size_t i = 0; i < json_array_size(gpus); i++) {
		const char *handle = member_text(json_array_at(gpus, i), "virtualGpu");

		if (handle)
			completion_value(line, handle,
					 name ? name : member_text(machine, "virtualMachineGuid"));
	}
}

void completion_virtual_gpus(const CompletionLine *line)
{
	print_list(line, "io.vaild.Machine.ListVirtualMachines", "virtualMachines",
		   print_virtual_gpus, NULL);
}

/* ---- GPUs ---- */

static void print_member(const CompletionLine *line, const JsonValue *item, const char *member)
{
	const char *value = member_text(item, member);

	if (value)
		completion_value(line, value, member_text(item, "name"));
}

void completion_adapters(const CompletionLine *line)
{
	print_list(line, "io.vaild.Gpu.ListAdapters", "adapters", print_member, "adapter");
}

void completion_gpu_processes(const CompletionLine *line)
{
	print_list(line, "io.vaild.Gpu.ListProcesses", "processes", print_member, "process");
}

/* ---- Objects, displays and registrations ---- */

static void print_object(const CompletionLine *line, const JsonValue *shared, const char *unused)
{
	const char *handle = member_text(shared, "handle");

	(void)unused;
	if (handle)
		completion_value(line, handle, member_text(json_member(shared, "object"), "name"));
}

void completion_objects(const CompletionLine *line)
{
	print_list(line, "io.vaild.ListSharedObjects", "sharedObjects", print_object, NULL);
}

static void print_display(const CompletionLine *line, const JsonValue *display, const char *unused)
{
	const char *handle = member_text(display, "display");

	(void)unused;
	if (handle)
		completion_value(line, handle, member_text(display, "virtualMachineGuid"));
}

void completion_displays(const CompletionLine *line)
{
	print_list(line, "io.vaild.Display.ListDisplays", "displays", print_display, NULL);
}

/* Tests whether the item belongs to the VM with this GUID. */
static bool is_of_machine(const JsonValue *item, const char *guid)
{
	const char *own = member_text(item, "virtualMachineGuid");

	return !guid || (own && strcmp(own, guid) == 0);
}

static void print_registration(const CompletionLine *line, const JsonValue *registration,
			       const char *guid)
{
	char pid[24];

	if (!is_of_machine(registration, guid))
		return;
	snprintf(pid, sizeof(pid), "%llu", (unsigned long long)member_number(registration, "pid"));
	completion_value(line, pid, member_text(registration, "virtualMachineGuid"));
}

static void print_object_name(const CompletionLine *line, const JsonValue *shared, const char *guid)
{
	const char *name = member_text(json_member(shared, "object"), "name");

	if (name && is_of_machine(shared, guid))
		completion_value(line, name, member_text(shared, "handle"));
}

/* The search for the GUID of a VM. */
typedef struct GuidSearch {
	const char *typed;
	char guid[37];
} GuidSearch;

static bool match_machine(struct vail *vail, NTSTATUS status, const char *parameters,
			  bool continues, void *context)
{
	GuidSearch *search = context;
	JsonParser *parser = json_parser_new();
	const char *error;

	(void)vail;
	(void)continues;
	JsonValue *reply = parser && status == STATUS_SUCCESS && parameters
				   ? json_parse(parser, parameters, strlen(parameters), &error)
				   : NULL;
	const JsonValue *machines = json_member(reply, "virtualMachines");
	for (size_t i = 0; i < json_array_size(machines); i++) {
		const JsonValue *machine = json_array_at(machines, i);
		const char *guid = member_text(machine, "virtualMachineGuid");
		const char *name = member_text(machine, "name");

		if (guid && (strncasecmp(guid, search->typed, strlen(search->typed)) == 0 ||
			     (name && strcmp(name, search->typed) == 0)))
			snprintf(search->guid, sizeof(search->guid), "%s", guid);
	}
	json_free(reply);
	json_parser_free(parser);
	return true;
}

/* Prints items of one VM, or of all. Prints none if the VM is unknown. */
static void print_list_of_machine(const CompletionLine *line, const char *method, const char *key,
				  PrintItem print, const char *typed)
{
	GuidSearch search = { .typed = typed };
	struct vail *vail = NULL;

	if (!typed) {
		print_list(line, method, key, print, NULL);
		return;
	}
	if (vail_new(line->socket, &vail) == STATUS_SUCCESS) {
		vail_set_timeout(vail, TIMEOUT);
		vail_call_more(vail, "io.vaild.Machine.ListVirtualMachines", NULL, match_machine,
			       &search);
	}
	vail_close(vail);
	if (search.guid[0] != '\0')
		print_list(line, method, key, print, search.guid);
}

void completion_registered_pids(const CompletionLine *line, const char *machine)
{
	print_list_of_machine(line, "io.vaild.ListRegistrations", "registrations",
			      print_registration, machine);
}

void completion_object_names(const CompletionLine *line, const char *machine)
{
	print_list_of_machine(line, "io.vaild.ListSharedObjects", "sharedObjects",
			      print_object_name, machine);
}
