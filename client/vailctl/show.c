/* SPDX-License-Identifier: MIT */
/* Commands that show VMs and registrations. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/json-members.h"
#include "client/common/program-options.h"
#include "client/common/user-name.h"
#include "client/vailctl/amounts.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/listing.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/rights.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include "client/vailctl/vm-names.h"
#include "client/vailctl/vm-state.h"
#include "proto/json-writer.h"
#include "proto/macros.h"
#include <vail.h>

/* ---- Cells ---- */

/* A text like "a, b". */
typedef struct CommaList {
	char *text;  /* NULL if empty */
	bool failed; /* out of memory; items are missing */
} CommaList;

static void comma_list_deinit(CommaList *list)
{
	free(list->text);
}

_printf_(2, 3) static void comma_list_add(CommaList *list, const char *format, ...)
{
	_cleanup_free_ char *piece = NULL;
	char *longer;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&piece, format, arguments) < 0)
		piece = NULL;
	va_end(arguments);
	if (!piece || asprintf(&longer, "%s%s%s", list->text ? list->text : "",
			       list->text ? ", " : "", piece) < 0) {
		list->failed = true;
		return;
	}
	free(list->text);
	list->text = longer;
}

static void add_comma_list(Table *table, const CommaList *list)
{
	table->failed |= list->failed;
	table_add(table, list->text);
}

/* Writes "pid N" for a pid of a reply, which is 0 if the process is not visible to vailctl. */
static const char *pid_text(const JsonValue *value, const char *key, char ret[static 32])
{
	uint64_t pid = member_number(value, key);

	snprintf(ret, 32, pid > 0 ? "pid %" PRIu64 : "not visible here", pid);
	return ret;
}

/* Adds a display client or an agent, which has either a user or a pid. */
static void comma_list_add_party(CommaList *list, const JsonValue *party)
{
	const char *user = member_text(party, "user");
	char text[32];

	if (user)
		comma_list_add(list, "user %s", user);
	else if (json_member(party, "pid"))
		comma_list_add(list, "%s", pid_text(party, "pid", text));
}

/* Adds a display client, with its rights on the display if it has more than view. */
static void comma_list_add_client(CommaList *list, const JsonValue *client)
{
	const JsonValue *names = json_member(client, "rights");
	_cleanup_(rights_text_deinit) RightsText rights = { 0 };

	comma_list_add_party(list, client);
	if (json_array_size(names) < 2)
		return;
	char *longer;
	if (!rights_text_init(&rights, names) || !list->text ||
	    asprintf(&longer, "%s (%s)", list->text, rights.text) < 0) {
		list->failed = true;
		return;
	}
	free(list->text);
	list->text = longer;
}

/* Returns a remark about who names display clients or an agent, or NULL for a plain request. */
static const char *source_remark(const char *source)
{
	if (source && strcmp(source, "dropIn") == 0)
		return "by a drop-in";
	if (source && strcmp(source, "libvirt") == 0)
		return "by libvirt's metadata";
	return NULL;
}

/* Ends the list with that remark. */
static void comma_list_add_source(CommaList *list, const char *source)
{
	const char *remark = source_remark(source);
	char *longer;

	if (!list->text || !remark)
		return;
	if (asprintf(&longer, "%s, %s", list->text, remark) < 0) {
		list->failed = true;
		return;
	}
	free(list->text);
	list->text = longer;
}

/* like_vmm: how to call the default, if none is named. */
static void add_display_clients(Table *table, const JsonValue *vm, const char *like_vmm)
{
	const JsonValue *clients = json_member(vm, "displayClients");
	const char *source = member_text(vm, "displayClientsSource");
	_cleanup_(comma_list_deinit) CommaList list = { 0 };

	for (size_t i = 0; i < json_array_size(clients); i++)
		comma_list_add_client(&list, json_array_at(clients, i));
	comma_list_add_source(&list, source);
	table->failed |= list.failed;
	bool is_nobody = source && strcmp(source, "nobody") == 0;
	table_add(table, list.text ? list.text : is_nobody ? "nobody" : like_vmm);
}

static void add_agent(Table *table, const JsonValue *agent, const char *source)
{
	_cleanup_(comma_list_deinit) CommaList list = { 0 };

	if (agent)
		comma_list_add_party(&list, agent);
	else
		comma_list_add(&list, "none; only the VMM may share objects");
	comma_list_add_source(&list, source);
	add_comma_list(table, &list);
}

static bool is_of_vm(const JsonValue *registration, const char *guid)
{
	const char *of = member_text(registration, "virtualMachineGuid");

	return of && guid && strcmp(of, guid) == 0;
}

/* Returns where the graphics context of a registered process comes from. */
static const char *context_text(const JsonValue *registration)
{
	static const struct {
		const char *wire;
		const char *words;
	} known[] = {
		{ "vaild", "through vaild" },  { "drm", "DRM device" },
		{ "nvidia", "NVIDIA device" }, { "kfd", "KFD device" },
		{ "dxg", "DXG device" },
	};
	const char *context = member_text(registration, "graphicsContext");

	for (size_t i = 0; context && i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i].wire, context) == 0)
			return known[i].words;
	return context ? context : "-";
}

/* Adds the pids of the VM's registrations that the caller may see. */
static void add_processes(Table *table, const Listing *registrations, const JsonValue *vm)
{
	const char *guid = member_text(vm, "virtualMachineGuid");
	_cleanup_(comma_list_deinit) CommaList list = { 0 };

	for (size_t i = 0; i < registrations->item_count; i++)
		if (is_of_vm(registrations->items[i], guid))
			comma_list_add(&list, "%" PRIu64,
				       member_number(registrations->items[i], "pid"));
	add_comma_list(table, &list);
}

/* ---- list ---- */

/* 80 columns have room for 8 digits of a GUID, a name of 12 columns, and the registered pids. */
static const TableColumn machine_columns[] = {
	{ .name = "GUID", .prefix = GUID_PREFIX },
	{ .name = "NAME", .minimum = 12 },
	{ .name = "STATE", .drop = 1 },
	{ .name = "VMM", .right = true, .drop = 5 },
	{ .name = "VGPUS", .right = true, .drop = 6 },
	{ .name = "REGISTERED", .right = true, .drop = 2 },
	{ .name = "PROCESSES", .minimum = 16, .drop = 3 },
	{ .name = "AGE", .right = true, .drop = 4 },
	{ .name = "DISPLAY CLIENTS", .minimum = 15, .drop = 7 },
};

/* Tests whether systemd-machined has named the VM and no request has added it. */
static bool is_found(const JsonValue *vm)
{
	const char *source = member_text(vm, "source");

	return source && strcmp(source, "machined") == 0;
}

/* Returns the state of the guest, which is running if nobody has told another one. */
static const char *guest_state(const JsonValue *vm)
{
	const char *state = member_text(vm, "guestState");

	return state ? state : "running";
}

static void fill_machine(Table *table, const JsonValue *vm, const Listing *registrations)
{
	table_add(table, member_text(vm, "virtualMachineGuid"));
	table_add(table, member_text(vm, "name"));
	if (member_flag(vm, "quarantined"))
		table_add_coloured(table, TABLE_RED, "quarantined");
	else if (json_member(vm, "incomingVmmPid"))
		table_add_coloured(table, TABLE_GREEN, "handing over");
	else if (is_found(vm))
		table_add_coloured(table, TABLE_GREEN, "found");
	else
		table_add_coloured(table, TABLE_GREEN, guest_state(vm));
	table_add_number(table, vm, "vmmPid");
	table_add_format(table, "%zu", json_array_size(json_member(vm, "virtualGpus")));
	table_add_number(table, vm, "registrations");
	add_processes(table, registrations, vm);
	table_add_age(table, vm, "since");
	add_display_clients(table, vm, "as the VMM");
}

int command_list(Tool *tool)
{
	_cleanup_(listing_deinit) Listing machines = { 0 }, registrations = { 0 };
	_cleanup_(table_deinit) Table table = TABLE_INIT(machine_columns);
	NTSTATUS status = listing_fetch(tool, "io.vaild.Machine.ListVirtualMachines", NULL,
					"virtualMachines", &machines);

	if (status == STATUS_SUCCESS)
		status = listing_fetch(tool, "io.vaild.ListRegistrations", NULL, "registrations",
				       &registrations);
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (options_have(&tool->options, OPTION_JSON))
		return report_listings_json(&machines, &registrations);
	for (size_t i = 0; i < machines.item_count; i++)
		fill_machine(&table, machines.items[i], &registrations);
	if (machines.item_count == 0)
		return report_none_yet(
			tool, "No virtual machines", VISIBLE_TO_USER,
			"To add one, run vail-qemu for its QEMU, or see: vailctl help "
			"vm add");
	return report_table(tool, &table, "");
}

/* ---- describe ---- */

static const TableColumn description_columns[] = {
	{ .name = "FIELD", .right = true }, { .name = "VALUE", .minimum = 20, .folds = true }
};

static void fill_quarantine_state(Table *table, const JsonValue *vm)
{
	const char *reason = member_text(vm, "quarantineReason");

	table_add(table, "Quarantined:");
	if (!member_flag(vm, "quarantined"))
		table_add(table, "no");
	else if (reason)
		table_add_format(table, "yes, %s", reason);
	else
		table_add(table, "yes");
}

static void fill_virtual_gpus(Table *table, const JsonValue *vm)
{
	const JsonValue *virtual_gpus = json_member(vm, "virtualGpus");

	for (size_t i = 0; i < json_array_size(virtual_gpus); i++) {
		const JsonValue *virtual_gpu = json_array_at(virtual_gpus, i);
		const char *handle = member_text(virtual_gpu, "virtualGpu");
		const char *adapter = member_text(virtual_gpu, "adapter");
		const char *profile = member_text(virtual_gpu, "profile");
		const char *function = member_text(virtual_gpu, "function");

		table_add(table, "Virtual GPU:");
		table_add(table, handle);
		if (function) {
			table_add(table, "found as:");
			table_add_format(table, "%s %s", member_text(virtual_gpu, "source"),
					 function);
		}
		if (adapter && *adapter != '\0') {
			table_add(table, "on adapter:");
			table_add(table, adapter);
		}
		if (profile) {
			table_add(table, "with profile:");
			table_add(table, profile);
		}
	}
}

static void fill_processes(Table *table, const JsonValue *vm, const Listing *registrations)
{
	const char *guid = member_text(vm, "virtualMachineGuid");

	table_add(table, "Registrations:");
	table_add_number(table, vm, "registrations");
	for (size_t i = 0; i < registrations->item_count; i++) {
		const JsonValue *registration = registrations->items[i];
		char pid[32], user[USER_NAME_SIZE];

		if (!is_of_vm(registration, guid))
			continue;
		table_add(table, "Registered:");
		user_name_and_uid(member_number(registration, "uid"), user);
		table_add_format(table, "%s, %s, context %s", pid_text(registration, "pid", pid),
				 user, context_text(registration));
	}
}

/* Adds the objects and display channels of the VM. An old vaild knows no display channels. */
static void fill_shared(Table *table, const JsonValue *vm)
{
	char size[AMOUNT_TEXT], pid[32] = "nobody";

	table_add(table, "Shared objects:");
	table_add_format(table, "%" PRIu64 ", %s", member_number(vm, "sharedObjects"),
			 size_text(member_number(vm, "sharedBytes"), size));
	if (!json_member(vm, "displays"))
		return;
	if (json_member(vm, "displayServerPid"))
		pid_text(vm, "displayServerPid", pid);
	table_add(table, "Display channels:");
	table_add_format(table, "%" PRIu64 ", served by %s", member_number(vm, "displays"), pid);
}

/* Adds the incoming VMM and its agent while the VM is being handed over. */
static void fill_incoming_vmm(Table *table, const JsonValue *vm)
{
	char pid[32];

	if (!json_member(vm, "incomingVmmPid"))
		return;
	table_add(table, "Incoming VMM:");
	table_add(table, pid_text(vm, "incomingVmmPid", pid));
	table_add(table, "Incoming agent:");
	add_agent(table, json_member(vm, "incomingAgent"), NULL);
}

/* Adds who has registered the VM. Users may do so with allowUserMachines. */
static void add_registrar(Table *table, const JsonValue *vm)
{
	char user[USER_NAME_SIZE];
	bool by_operator = true;

	if (!json_member(vm, "registeredByUid")) {
		table_add(table, member_text(vm, "source"));
		return;
	}
	json_read_boolean(json_member(vm, "registeredByOperator"), &by_operator);
	table_add_format(table, "%s%s",
			 user_name_and_uid(member_number(vm, "registeredByUid"), user),
			 by_operator ? "" : ", who was no operator");
}

static void fill_description(Table *table, const JsonValue *vm, const Listing *registrations)
{
	char pid[32];

	table_add(table, "Virtual machine:");
	table_add(table, member_text(vm, "virtualMachineGuid"));
	table_add(table, "Name:");
	table_add(table, member_text(vm, "name"));
	table_add(table, "VMM:");
	table_add(table, pid_text(vm, "vmmPid", pid));
	fill_incoming_vmm(table, vm);
	table_add(table, "Added by:");
	add_registrar(table, vm);
	table_add(table, "Since:");
	table_add_since(table, vm, "since");
	table_add(table, "Display clients:");
	add_display_clients(table, vm, "processes with the VMM's privileges");
	table_add(table, "Agent:");
	add_agent(table, json_member(vm, "agent"), member_text(vm, "agentSource"));
	fill_quarantine_state(table, vm);
	fill_virtual_gpus(table, vm);
	fill_shared(table, vm);
	fill_processes(table, vm, registrations);
}

static int show_description_json(const JsonValue *vm, const Listing *registrations)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);
	const char *guid = member_text(vm, "virtualMachineGuid");

	report_document_begin(&writer);
	writer_key(&writer, "virtualMachine");
	writer_value_of(&writer, vm);
	writer_key(&writer, "registrations");
	writer_array_begin(&writer);
	for (size_t i = 0; i < registrations->item_count; i++)
		if (is_of_vm(registrations->items[i], guid))
			writer_value_of(&writer, registrations->items[i]);
	writer_array_end(&writer);
	writer_object_end(&writer);
	return tool_print_json(&writer);
}

int command_describe(Tool *tool)
{
	_cleanup_(listing_deinit) Listing registrations = { 0 };
	_cleanup_(table_deinit) Table table = TABLE_INIT(description_columns);
	_cleanup_free_ char *text = NULL;
	const char *error;
	int exit_status = EXIT_DONE;
	NTSTATUS status = vm_describe(tool, tool->arguments[0], &text);

	if (status == STATUS_SUCCESS)
		status = listing_fetch(tool, "io.vaild.ListRegistrations", NULL, "registrations",
				       &registrations);
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	JsonValue *reply = json_parse(tool->parser, text, strlen(text), &error);
	const JsonValue *vm = json_member(reply, "virtualMachine");
	if (options_have(&tool->options, OPTION_JSON)) {
		exit_status = show_description_json(vm, &registrations);
	} else {
		fill_description(&table, vm, &registrations);
		table.max_width = terminal_table_width(&tool->terminal);
		if (!table_print(&table, stdout, false))
			exit_status = tool_no_memory();
	}
	json_free(reply);
	return exit_status;
}

/* ---- registrations ---- */

static const TableColumn registration_columns[] = {
	{ .name = "GUID", .prefix = GUID_PREFIX },
	{ .name = "PID", .right = true },
	{ .name = "USER", .minimum = 8, .drop = 1 },
	{ .name = "CONTEXT", .drop = 5 },
	{ .name = "OBJECTS", .right = true, .drop = 4 },
	{ .name = "AGE", .right = true, .drop = 2 },
	{ .name = "VM", .minimum = 8, .drop = 3 },
};

static void fill_registration(Table *table, const JsonValue *registration, const VmNames *names)
{
	const char *guid = member_text(registration, "virtualMachineGuid");

	table_add(table, guid);
	table_add_number(table, registration, "pid");
	table_add_user(table, registration, "uid");
	table_add(table, context_text(registration));
	table_add_number(table, registration, "openObjects");
	table_add_age(table, registration, "since");
	table_add_vm(table, names, guid);
}

int command_registrations(Tool *tool)
{
	_cleanup_(listing_deinit) Listing registrations = { 0 };
	_cleanup_(table_deinit) Table table = TABLE_INIT(registration_columns);
	_cleanup_(vm_names_deinit) VmNames names = { 0 };
	NTSTATUS status = listing_fetch(tool, "io.vaild.ListRegistrations", NULL, "registrations",
					&registrations);

	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (options_have(&tool->options, OPTION_JSON))
		return report_listings_json(&registrations, NULL);
	if (registrations.item_count > 0)
		vm_names_fetch(tool, &names); /* without the names, GUIDs are shown */
	for (size_t i = 0; i < registrations.item_count; i++)
		fill_registration(&table, registrations.items[i], &names);
	return report_visible(tool, &table, "No registrations",
			      " of this process; operators see all");
}
