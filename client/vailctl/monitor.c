/* SPDX-License-Identifier: MIT */
/* Commands for the interface io.vaild.Monitor: status, limits, metrics, reload. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/common/json-members.h"
#include "client/common/program-options.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include "proto/macros.h"
#include <vail.h>

/* Usage in percent from which a limit is highlighted. */
#define NEARLY_FULL 80

/*
 * Calls a method without parameters. With --json, prints the reply and sets *ret_reply to NULL;
 * otherwise the caller frees *ret_reply, which is NULL on failure. Returns the exit status.
 */
static int call_method(Tool *tool, const char *method, JsonValue **ret_reply)
{
	_cleanup_free_ char *text = NULL;
	const char *error;
	NTSTATUS status = vail_call(tool->vail, method, NULL, &text);

	*ret_reply = NULL;
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (options_have(&tool->options, OPTION_JSON)) {
		puts(text);
		return EXIT_DONE;
	}
	*ret_reply = json_parse(tool->parser, text, strlen(text), &error);
	return *ret_reply ? EXIT_DONE : tool_no_memory();
}

/* Size of the buffer of limit_owner(). */
#define OWNER_SIZE 100

/* A limit as it is shown. */
typedef struct LimitRow {
	const char *name;
	uint64_t used; /* of the caller or, for operators, of the account that uses most */
	uint64_t maximum;
	uint64_t full; /* the use from which requests are refused */
	char owner[OWNER_SIZE];
} LimitRow;

/* Writes who uses the limit, or "" if the use is a total, or the caller's own. */
static void limit_owner(const JsonValue *limit, char text[OWNER_SIZE])
{
	static const struct {
		const char *name;
		const char *label;
	} owners[] = {
		{ "virtualMachineGuid", "virtual machine" },
		{ "gpuProcess", "GPU process" },
		{ "adapter", "adapter" },
	};

	text[0] = '\0';
	if (json_member(limit, "highest"))
		snprintf(text, OWNER_SIZE, "uid %" PRIu64, member_number(limit, "uid"));
	else if (json_member(limit, "maximumForOthers"))
		snprintf(text, OWNER_SIZE, "%" PRIu64 " for users who are no operators",
			 member_number(limit, "maximumForOthers"));
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		const char *owner = member_text(limit, owners[i].name);

		if (owner)
			snprintf(text, OWNER_SIZE, "%s %s", owners[i].label, owner);
	}
}

static void read_limit(const JsonValue *limit, LimitRow *ret)
{
	const char *used = json_member(limit, "highest") ? "highest" : "used";
	const char *full = json_member(limit, "maximumForOthers") ? "maximumForOthers" : "maximum";
	const char *name = member_text(limit, "name");

	*ret = (LimitRow){
		.name = name ? name : "-",
		.used = member_number(limit, used),
		.maximum = member_number(limit, "maximum"),
		.full = member_number(limit, full),
	};
	limit_owner(limit, ret->owner);
}

static TableColour limit_colour(const LimitRow *limit)
{
	if (limit->used >= limit->full)
		return TABLE_RED;
	return limit->used * 100 >= limit->full * NEARLY_FULL ? TABLE_YELLOW : TABLE_PLAIN;
}

/* ---- status ---- */

/* Tests whether the reply covers all users. Only operators get the global limits. */
static bool covers_all_users(const JsonValue *limits)
{
	for (size_t i = 0; i < json_array_size(limits); i++)
		if (strcmp(member_text(json_array_at(limits, i), "name"), "connections") == 0)
			return true;
	return false;
}

static void fill_numbers(Table *table, const JsonValue *status)
{
	static const struct {
		const char *label;
		const char *name;
	} rows[] = {
		{ "Virtual machines:", "virtualMachines" },
		{ "Virtual GPUs:", "virtualGpus" },
		{ "Registrations:", "registrations" },
		{ "Shared objects:", "sharedObjects" },
		{ "Connections:", "connections" },
		{ "Restored:", "restored" },
		{ "Dropped:", "dropped" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		table_add(table, rows[i].label);
		table_add_number(table, status, rows[i].name);
	}
}

static void fill_full_limits(Table *table, const JsonValue *limits)
{
	for (size_t i = 0; i < json_array_size(limits); i++) {
		LimitRow limit;
		char text[300];

		read_limit(json_array_at(limits, i), &limit);
		TableColour colour = limit_colour(&limit);
		if (colour == TABLE_PLAIN)
			continue;
		snprintf(text, sizeof(text), "%s: %" PRIu64 " of %" PRIu64 " used%s%s%s",
			 limit.name, limit.used, limit.maximum, *limit.owner ? " (" : "",
			 limit.owner, *limit.owner ? ")" : "");
		table_add(table, "Limit:");
		table_add_coloured(table, colour, text);
	}
}

static void fill_remarks(Table *table, const JsonValue *remarks)
{
	for (size_t i = 0; i < json_array_size(remarks); i++) {
		const JsonValue *remark = json_array_at(remarks, i);

		table_add(table, "Remark:");
		table_add_format(table, "%s %s", member_text(remark, "subject"),
				 member_text(remark, "message"));
	}
}

static void fill_status(Table *table, const JsonValue *status)
{
	const JsonValue *limits = json_member(status, "limits");
	bool under_systemd = false;

	json_read_boolean(json_member(status, "underSystemd"), &under_systemd);
	table_add(table, "vaild:");
	table_add_coloured(table, TABLE_GREEN, "running");
	table_add(table, "Version:");
	table_add(table, member_text(status, "version"));
	table_add(table, "PID:");
	table_add_number(table, status, "pid");
	table_add(table, "Running for:");
	table_add_age(table, status, "startedAt");
	table_add(table, "Started by:");
	table_add(table, under_systemd ? "systemd" : "hand; registrations end when it exits");
	table_add(table, "Shown:");
	table_add(table, covers_all_users(limits) ? "everybody's" : "your own; operators see all");
	fill_numbers(table, status);
	fill_full_limits(table, limits);
	fill_remarks(table, json_member(status, "remarks"));
}

int command_status(Tool *tool)
{
	static const TableColumn columns[] = { { "FIELD", true }, { "VALUE", false } };
	_cleanup_(table_deinit) Table table = TABLE_INIT(columns);
	JsonValue *status;
	int exit_status = call_method(tool, "io.vaild.Monitor.GetStatus", &status);

	if (!status)
		return exit_status;
	fill_status(&table, status);
	json_free(status);
	table.has_colours = tool->terminal.has_colours;
	return table_print(&table, stdout, false) ? EXIT_DONE : tool_no_memory();
}

/* ---- limits ---- */

static const TableColumn limit_columns[] = {
	{ "LIMIT", false },
	{ "USED", true },
	{ "MAXIMUM", true },
	{ "USED BY", false },
};

int command_limits(Tool *tool)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(limit_columns);
	JsonValue *status;
	int exit_status = call_method(tool, "io.vaild.Monitor.GetStatus", &status);
	const JsonValue *limits = json_member(status, "limits");

	if (!status)
		return exit_status;
	for (size_t i = 0; i < json_array_size(limits); i++) {
		LimitRow limit;
		char used[24];

		read_limit(json_array_at(limits, i), &limit);
		snprintf(used, sizeof(used), "%" PRIu64, limit.used);
		table_add(&table, limit.name);
		table_add_coloured(&table, limit_colour(&limit), used);
		table_add_format(&table, "%" PRIu64, limit.maximum);
		table_add(&table, *limit.owner ? limit.owner : NULL);
	}
	json_free(status);
	return report_table(tool, &table, "No limits.");
}

/* ---- metrics, reload ---- */

int command_metrics(Tool *tool)
{
	JsonValue *reply;
	int exit_status = call_method(tool, "io.vaild.Monitor.GetMetrics", &reply);
	const char *metrics = member_text(reply, "openMetrics");

	if (!reply)
		return exit_status;
	if (metrics)
		fputs(metrics, stdout); /* ASCII lines, safe for a terminal */
	else
		exit_status = tool_failed(tool, STATUS_INVALID_NETWORK_RESPONSE,
					  "the reply contains no metrics; check that %s is vaild's "
					  "socket",
					  vail_path(tool->vail));
	json_free(reply);
	return exit_status;
}

int command_reload(Tool *tool)
{
	return tool_finish(
		tool, vail_call(tool->vail, "io.vaild.Monitor.ReloadConfiguration", NULL, NULL));
}
