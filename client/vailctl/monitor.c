/* SPDX-License-Identifier: MIT */
/* Commands for the interface io.vaild.Monitor: status, metrics, reload. */
#include "client/vailctl/monitor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/common/json-members.h"
#include "client/common/program-options.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/ended.h"
#include "client/vailctl/limits.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include "proto/macros.h"
#include <vail.h>

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

int monitor_status_fetch(Tool *tool, JsonValue **ret_reply)
{
	return call_method(tool, "io.vaild.Monitor.GetStatus", ret_reply);
}

/* ---- status ---- */

/* A number of the reply, and how people read it. */
typedef struct StatusNumber {
	const char *label;
	const char *name; /* of the member */
	const char *unit;
	const char *unit_of_one;
} StatusNumber;

/* Tests whether the reply covers all users. Only operators and observers get the global limits. */
static bool covers_all_users(const JsonValue *limits)
{
	for (size_t i = 0; i < json_array_size(limits); i++) {
		const char *name = member_text(json_array_at(limits, i), "name");

		if (name && strcmp(name, "connections") == 0)
			return true;
	}
	return false;
}

bool tool_sees_all(const Tool *tool)
{
	_cleanup_free_ char *text = NULL;
	const char *error;

	if (vail_call(tool->vail, "io.vaild.Monitor.GetStatus", NULL, &text) != STATUS_SUCCESS)
		return true;
	JsonValue *reply = json_parse(tool->parser, text, strlen(text), &error);
	bool sees_all = !reply || covers_all_users(json_member(reply, "limits"));
	json_free(reply);
	return sees_all;
}

bool tool_sees_all_apart(const Tool *tool)
{
	Tool apart = *tool;

	if (vail_new(tool->options.socket, &apart.vail) != STATUS_SUCCESS)
		return true;
	vail_set_resume(apart.vail, false);
	bool sees_all = tool_sees_all(&apart);
	vail_close(apart.vail);
	return sees_all;
}

/* Returns the number of digits of the largest of the members. */
static int digits_of(const JsonValue *object, const StatusNumber *numbers, size_t count)
{
	int digits = 1;

	for (size_t i = 0; i < count; i++) {
		int own = snprintf(NULL, 0, "%" PRIu64, member_number(object, numbers[i].name));

		if (own > digits)
			digits = own;
	}
	return digits;
}

static void fill_numbers(Table *table, const JsonValue *status)
{
	static const StatusNumber numbers[] = {
		{ "Virtual machines:", "virtualMachines", "running", "running" },
		{ "Virtual GPUs:", "virtualGpus", "assigned", "assigned" },
		{ "Registrations:", "registrations", "in force", "in force" },
		{ "Shared objects:", "sharedObjects", "shared", "shared" },
		{ "Connections:", "connections", "open", "open" },
		{ "Restored:", "restored", "records of the time before the last start",
		  "record of the time before the last start" },
		{ "Dropped:", "dropped", "records of the time before the last start",
		  "record of the time before the last start" },
	};
	const size_t always = 5; /* the rest counts only what a start has found */
	int digits = digits_of(status, numbers, ARRAY_SIZE(numbers));

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t number = member_number(status, numbers[i].name);

		if (i >= always && number == 0)
			continue;
		table_add(table, numbers[i].label);
		table_add_format(table, "%*" PRIu64 " %s", digits, number,
				 number == 1 ? numbers[i].unit_of_one : numbers[i].unit);
	}
}

/* Adds the limits that are nearly reached, or one row that says that none is. */
static void fill_full_limits(Table *table, const LimitRows *limits)
{
	size_t count = 0;

	for (size_t i = 0; i < limits->count; i++) {
		if (limit_row_colour(&limits->rows[i]) == TABLE_PLAIN)
			continue;
		table_add(table, "Limit:");
		limit_row_add_sentence(table, &limits->rows[i]);
		count++;
	}
	if (count > 0)
		return;
	table_add(table, "Limits:");
	table_add(table, "none is nearly reached");
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

static void fill_daemon(Table *table, const JsonValue *status)
{
	uint64_t pid = member_number(status, "pid");

	table_add(table, "Version:");
	table_add(table, member_text(status, "version"));
	table_add(table, "PID:");
	if (pid > 0)
		table_add_format(table, "%" PRIu64, pid);
	else
		table_add(table, "not visible here");
	table_add(table, "Started by:");
	table_add(table, member_flag(status, "underSystemd")
				 ? "systemd"
				 : "hand; registrations end when it exits");
}

/* Adds what people want to know first at the top. */
static void fill_status(Table *table, const JsonValue *status, const LimitRows *limits)
{
	table_add(table, "vaild:");
	table_add_coloured(table, TABLE_GREEN, "running");
	table_add(table, "Since:");
	table_add_since(table, status, "startedAt");
	fill_full_limits(table, limits);
	fill_remarks(table, json_member(status, "remarks"));
	table_add(table, "Counts below:");
	table_add(table, covers_all_users(json_member(status, "limits"))
				 ? "of all users"
				 : "of your user only; operators see those of all users");
	fill_numbers(table, status);
	fill_daemon(table, status);
}

int command_status(Tool *tool)
{
	static const TableColumn columns[] = { { .name = "FIELD", .right = true },
					       { .name = "VALUE", .minimum = 20, .folds = true } };
	_cleanup_(table_deinit) Table table = TABLE_INIT(columns);
	_cleanup_(limit_rows_deinit) LimitRows limits = { 0 };
	JsonValue *status;
	int exit_status = monitor_status_fetch(tool, &status);

	if (!status)
		return exit_status;
	if (limit_rows_read(tool, json_member(status, "limits"), &limits))
		fill_status(&table, status, &limits);
	else
		table.failed = true;
	json_free(status);
	table.has_colours = tool->terminal.has_colours;
	table.max_width = terminal_table_width(&tool->terminal);
	return table_print(&table, stdout, false) ? EXIT_DONE : tool_no_memory();
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
	_cleanup_(ended_deinit) Ended ended = ENDED_INIT;

	/* The drop-ins may name other display clients. */
	ended_begin(tool, NULL, &ended);
	return ended_finish(
		tool, vail_call(tool->vail, "io.vaild.Monitor.ReloadConfiguration", NULL, NULL),
		&ended);
}
