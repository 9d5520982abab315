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

static TableColour limit_colour(const JsonValue *limit)
{
	uint64_t maximum = member_number(limit, "maximum"), used = member_number(limit, "used");

	if (used >= maximum)
		return TABLE_RED;
	return used * 100 >= maximum * NEARLY_FULL ? TABLE_YELLOW : TABLE_PLAIN;
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
		const JsonValue *limit = json_array_at(limits, i);
		TableColour colour = limit_colour(limit);
		char text[160];

		if (colour == TABLE_PLAIN)
			continue;
		snprintf(text, sizeof(text), "%s: %" PRIu64 " of %" PRIu64 " used",
			 member_text(limit, "name"), member_number(limit, "used"),
			 member_number(limit, "maximum"));
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
		const JsonValue *limit = json_array_at(limits, i);
		char used[24];

		snprintf(used, sizeof(used), "%" PRIu64, member_number(limit, "used"));
		table_add(&table, member_text(limit, "name"));
		table_add_coloured(&table, limit_colour(limit), used);
		table_add_number(&table, limit, "maximum");
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
