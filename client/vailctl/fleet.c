/* SPDX-License-Identifier: MIT */
/* The commands about all hosts, which vaild-fleet answers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/fleet-search.h"
#include "client/common/json-members.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "client/vailctl/amounts.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include "proto/guid.h"
#include "proto/json-writer.h"
#include "proto/macros.h"
#include <vail.h>

static const char *fleet_socket(const Tool *tool)
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

static int report_failure(const Tool *tool, NTSTATUS status)
{
	if (status == STATUS_CONNECTION_REFUSED)
		return tool_failed(tool, status,
				   "no vaild-fleet serves %s; start it with: systemctl start "
				   "vaild-fleet, or give its socket with --fleet-socket",
				   fleet_socket(tool));
	return tool_refused(tool, status);
}

/*
 * Calls a method of vaild-fleet. parameters: a JSON object, or NULL. Returns the reply, to be freed
 * with json_free(). Returns NULL, with *ret_exit set, after it has reported the failure.
 */
static JsonValue *call_fleet(Tool *tool, const char *method, const char *parameters, int *ret_exit)
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

static int print_document(const JsonValue *reply)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);

	writer_value_of(&writer, reply);
	return tool_print_json(&writer);
}

/* Says how old the reply is, unless it is of now. */
static void say_age(const JsonValue *reply)
{
	const char *problem = member_text(reply, "problem");
	char text[AMOUNT_TEXT];
	double age;

	if (!member_text(reply, "problem") && member_flag(reply, "current"))
		return;
	if (!json_read_real(json_member(reply, "age"), &age))
		log_message("nothing is known of other hosts yet: %s",
			    problem ? problem : "the index is incomplete");
	else
		log_message("this was right %s ago; since then etcd cannot be reached: %s",
			    age_text((uint64_t)age, text),
			    problem ? problem : "no reason is known");
}

/* Prints a list of vaild-fleet as JSON or as a table. key: of the reply's items. */
static int report_fleet(Tool *tool, const char *method, const char *parameters, const char *key,
			Table *table, void (*fill)(Table *, const JsonValue *), const char *empty)
{
	int exit_status;
	JsonValue *reply = call_fleet(tool, method, parameters, &exit_status);

	if (!reply)
		return exit_status;
	if (options_have(&tool->options, OPTION_JSON)) {
		exit_status = print_document(reply);
	} else {
		const JsonValue *items = json_member(reply, key);

		for (size_t i = 0; i < json_array_size(items); i++)
			fill(table, json_array_at(items, i));
		exit_status = report_table(tool, table, empty);
		if (json_member(reply, "current"))
			say_age(reply);
	}
	json_free(reply);
	return exit_status;
}

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

	return report_fleet(tool, "io.vaild.Fleet.ListHosts", NULL, "hosts", &table, fill_host,
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

	return report_fleet(tool, "io.vaild.Fleet.ListVirtualMachines", NULL, "virtualMachines",
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

	return report_fleet(tool, "io.vaild.Fleet.ListGpus", NULL, "gpus", &table, fill_gpu,
			    "No GPU adapters.");
}

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

	return report_fleet(tool, "io.vaild.Fleet.ListQuarantines", NULL, "quarantines", &table,
			    fill_quarantine, "No quarantines of the fleet.");
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

int command_fleet_where(Tool *tool)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(where_columns);
	const char *vm = tool->arguments[0];
	Guid guid;
	_cleanup_free_ char *parameters =
		write_texts(guid_parse(vm, &guid) ? "\"virtualMachineGuid\":" : "\"name\":", vm);
	int exit_status = EXIT_FAILED;

	if (!parameters)
		return tool_no_memory();
	JsonValue *reply = call_fleet(tool, "io.vaild.Fleet.Where", parameters, &exit_status);
	if (!reply)
		return exit_status;
	if (options_have(&tool->options, OPTION_JSON)) {
		exit_status = print_document(reply);
	} else {
		fill_where(&table, reply);
		exit_status = report_table(tool, &table, "");
		say_age(reply);
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
	return report_fleet(tool, "io.vaild.Fleet.Place", parameters, "places", &table, fill_place,
			    "No hosts.");
}

/* --- quarantine ------------------------------------------------------------------------------ */

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

static int set_quarantine(Tool *tool, bool is_imposed, const char *reason)
{
	_cleanup_free_ char *parameters = write_quarantine(tool->arguments[0], is_imposed, reason);
	int exit_status = EXIT_FAILED;

	if (!parameters)
		return tool_no_memory();
	JsonValue *reply =
		call_fleet(tool, "io.vaild.Fleet.SetQuarantine", parameters, &exit_status);
	if (reply && options_have(&tool->options, OPTION_JSON))
		exit_status = print_document(reply);
	json_free(reply);
	return exit_status;
}

int command_fleet_quarantine(Tool *tool)
{
	return set_quarantine(tool, true, tool->options.reason);
}

int command_fleet_release(Tool *tool)
{
	return set_quarantine(tool, false, NULL);
}

/* --- metrics --------------------------------------------------------------------------------- */

int command_fleet_metrics(Tool *tool)
{
	int exit_status;
	JsonValue *reply = call_fleet(tool, "io.vaild.Fleet.GetMetrics", NULL, &exit_status);
	const char *metrics = member_text(reply, "openMetrics");

	if (!reply)
		return exit_status;
	if (options_have(&tool->options, OPTION_JSON))
		exit_status = print_document(reply);
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
