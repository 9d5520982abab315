/* SPDX-License-Identifier: MIT */
/* The commands about all hosts, which vaild-fleet answers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/json-members.h"
#include "client/common/program-options.h"
#include "client/vailctl/amounts.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/fleet-call.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include "proto/guid.h"
#include "proto/json-writer.h"
#include "proto/macros.h"
#include <vail.h>

/* Adds the name of a host, or its machine ID if it has no name. */
static void add_host(Table *table, const JsonValue *item, const char *name_key)
{
	const char *name = member_text(item, name_key);

	table_add(table, name && *name ? name : member_text(item, "host"));
}

/* --- lists ----------------------------------------------------------------------------------- */

static const TableColumn host_columns[] = {
	{ .name = "HOST", .minimum = 8 },
	{ .name = "STATE" },
	{ .name = "VMS", .right = true },
	{ .name = "REGISTERED", .right = true, .drop = 2 },
	{ .name = "ADAPTERS", .right = true, .drop = 3 },
	{ .name = "FREE VGPUS", .right = true, .drop = 1 },
	{ .name = "VAILD", .drop = 4, .minimum = 5 },
	{ .name = "MACHINE ID", .drop = 5 },
};

static void fill_host(Table *table, const JsonValue *item)
{
	bool is_away = member_flag(item, "vaildIsAway");

	add_host(table, item, "name");
	table_add_coloured(table, is_away ? TABLE_YELLOW : TABLE_GREEN,
			   is_away                     ? "vaild is away"
			   : member_flag(item, "self") ? "this host"
						       : "present");
	table_add_number(table, item, "virtualMachines");
	table_add_number(table, item, "registrations");
	table_add_number(table, item, "adapters");
	table_add_number(table, item, "free");
	table_add(table, member_text(item, "version"));
	table_add(table, member_text(item, "host"));
}

int command_fleet_hosts(Tool *tool)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(host_columns);

	return fleet_report(tool, "io.vaild.Fleet.ListHosts", NULL, "hosts", &table, fill_host,
			    "No hosts.");
}

static const TableColumn vm_columns[] = {
	{ .name = "GUID", .prefix = GUID_PREFIX },
	{ .name = "VM", .minimum = 8 },
	{ .name = "HOST", .minimum = 8 },
	{ .name = "STATE" },
	{ .name = "VGPUS", .right = true, .drop = 2 },
	{ .name = "REGISTERED", .right = true, .drop = 1 },
	{ .name = "SINCE", .drop = 3 },
};

static void fill_vm(Table *table, const JsonValue *item)
{
	const char *state = member_text(item, "state");

	table_add(table, member_text(item, "virtualMachineGuid"));
	table_add(table, member_text(item, "name"));
	add_host(table, item, "hostName");
	table_add_coloured(table, state && strcmp(state, "conflict") == 0 ? TABLE_RED : TABLE_PLAIN,
			   state);
	table_add_number(table, item, "virtualGpus");
	table_add_number(table, item, "registrations");
	table_add(table, member_text(item, "date"));
}

int command_fleet_vms(Tool *tool)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(vm_columns);

	return fleet_report(tool, "io.vaild.Fleet.ListVirtualMachines", NULL, "virtualMachines",
			    &table, fill_vm, "No virtual machines.");
}

static const TableColumn gpu_columns[] = {
	{ .name = "HOST", .minimum = 8 },
	{ .name = "ADDRESS", .minimum = 12 },
	{ .name = "NAME", .minimum = 8 },
	{ .name = "SOURCE", .drop = 3 },
	{ .name = "USED", .right = true },
	{ .name = "CAPACITY", .right = true, .drop = 1 },
	{ .name = "FREE BY TYPE", .minimum = 12, .drop = 2 },
};

/* Adds the types with their free vGPUs, like "nvidia-63:4 nvidia-64:2". */
static void add_types(Table *table, const JsonValue *item)
{
	const JsonValue *types = json_member(item, "types");
	char text[512] = "";
	size_t length = 0;

	for (size_t i = 0; i < json_array_size(types) && length < sizeof(text); i++) {
		const JsonValue *type = json_array_at(types, i);
		const char *name = member_text(type, "name");

		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s:%" PRIu64,
					   i > 0 ? " " : "", name ? name : "-",
					   member_number(type, "free"));
	}
	if (json_array_size(types) == 0 && member_flag(item, "takesAnyType"))
		snprintf(text, sizeof(text), "any");
	table_add(table, text);
}

static void fill_gpu(Table *table, const JsonValue *item)
{
	add_host(table, item, "hostName");
	table_add(table, member_text(item, "address"));
	table_add(table, member_text(item, "name"));
	table_add(table, member_text(item, "source"));
	table_add_number(table, item, "used");
	table_add_number(table, item, "capacity");
	add_types(table, item);
}

int command_fleet_gpus(Tool *tool)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(gpu_columns);

	return fleet_report(tool, "io.vaild.Fleet.ListGpus", NULL, "gpus", &table, fill_gpu,
			    "No GPU adapters.");
}

/* --- where and place ------------------------------------------------------------------------- */

/* Writes an object with one member that is a text. key: with its quotes and colon. */
static char *write_texts(const char *key, const char *value)
{
	Buffer out = BUFFER_INIT;
	Writer writer = WRITER_INIT(&out);

	writer_object_begin(&writer);
	writer_key_quoted(&writer, key, strlen(key));
	writer_string(&writer, value);
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	char *text = writer.failed ? NULL : strdup(buffer_head(&out));
	buffer_deinit(&out);
	return text;
}

static const TableColumn where_columns[] = {
	{ .name = "HOST", .minimum = 8 },
	{ .name = "STATE" },
	{ .name = "EPOCH", .right = true, .drop = 3 },
	{ .name = "SINCE", .drop = 1 },
	{ .name = "VM", .minimum = 8, .drop = 2 },
	{ .name = "GUID", .prefix = GUID_PREFIX },
};

static void fill_where(Table *table, const JsonValue *item)
{
	char age[AMOUNT_TEXT], state[AMOUNT_TEXT + 32];
	double unreachable;
	bool is_gone = json_read_real(json_member(item, "unreachable"), &unreachable);

	add_host(table, item, "hostName");
	if (is_gone)
		snprintf(state, sizeof(state), "unreachable for %s",
			 age_text((uint64_t)unreachable, age));
	table_add_coloured(table, is_gone ? TABLE_RED : TABLE_GREEN,
			   is_gone                     ? state
			   : member_flag(item, "self") ? "this host"
						       : "present");
	table_add_number(table, item, "epoch");
	table_add(table, member_text(item, "date"));
	table_add(table, member_text(item, "name"));
	table_add(table, member_text(item, "virtualMachineGuid"));
}

/*
 * Replaces the beginning of a GUID by the whole one. vaild-fleet finds names itself, also for users
 * that it gives no list, and for VMs of hosts that have gone. Returns the exit status.
 */
static int resolve_where(Tool *tool)
{
	_cleanup_free_ char *message = NULL;

	if (!machine_may_begin_guid(tool->arguments[0]))
		return EXIT_DONE;
	NTSTATUS status = fleet_search(tool, FLEET_MACHINES, &message);
	if (status == STATUS_OBJECT_NAME_COLLISION && message)
		return tool_failed(tool, status, "%s", message);
	return EXIT_DONE;
}

int command_fleet_where(Tool *tool)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(where_columns);
	int exit_status = resolve_where(tool);
	const char *vm = tool->arguments[0];
	Guid guid;

	if (exit_status != EXIT_DONE)
		return exit_status;
	_cleanup_free_ char *parameters =
		write_texts(guid_parse(vm, &guid) ? "\"virtualMachineGuid\":" : "\"name\":", vm);
	if (!parameters)
		return tool_no_memory();
	JsonValue *reply = fleet_call(tool, "io.vaild.Fleet.Where", parameters, &exit_status);
	if (!reply)
		return exit_status;
	if (options_have(&tool->options, OPTION_JSON)) {
		exit_status = fleet_print_document(reply);
	} else {
		fill_where(&table, reply);
		exit_status = report_table(tool, &table, "");
		fleet_say_age(reply);
	}
	json_free(reply);
	return exit_status;
}

static const TableColumn place_columns[] = {
	{ .name = "HOST", .minimum = 8 },
	{ .name = "FREE", .right = true },
	{ .name = "REASON", .minimum = 20, .folds = true },
};

static void fill_place(Table *table, const JsonValue *item)
{
	add_host(table, item, "hostName");
	table_add_number(table, item, "free");
	table_add(table, member_text(item, "reason"));
}

int command_fleet_place(Tool *tool)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(place_columns);

	if (!tool->options.type)
		return usage_error("fleet place: --type is missing; give the type of the vGPU, as "
				   "vailctl fleet gpus shows it");
	_cleanup_free_ char *parameters = write_texts("\"type\":", tool->options.type);
	if (!parameters)
		return tool_no_memory();
	return fleet_report(tool, "io.vaild.Fleet.Place", parameters, "places", &table, fill_place,
			    "No hosts.");
}

/* --- metrics --------------------------------------------------------------------------------- */

int command_fleet_metrics(Tool *tool)
{
	int exit_status;
	JsonValue *reply = fleet_call(tool, "io.vaild.Fleet.GetMetrics", NULL, &exit_status);
	const char *metrics = member_text(reply, "openMetrics");

	if (!reply)
		return exit_status;
	if (options_have(&tool->options, OPTION_JSON))
		exit_status = fleet_print_document(reply);
	else if (metrics)
		fputs(metrics, stdout); /* ASCII lines, safe for a terminal */
	else
		exit_status = tool_failed(tool, STATUS_INVALID_NETWORK_RESPONSE,
					  "the reply contains no metrics; check that %s is "
					  "vaild-fleet's socket",
					  fleet_socket(tool));
	json_free(reply);
	return exit_status;
}
