/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_OUTPUT_H
#define CLIENT_VAILCTL_OUTPUT_H

#include "proto/json-writer.h"
#include "proto/json.h"
#include "proto/macros.h"
#include <vail.h>

typedef struct Tool Tool;

/* Error messages, and JSON output. Functions that return an int return the exit status. */

/* Logs the message. Returns EXIT_FAILED. */
_printf_(1, 2) int command_error(const char *format, ...);

/*
 * Logs the message with its status, and prints both as JSON on stdout with --json. For failures
 * that vaild did not report. Returns EXIT_FAILED.
 */
_printf_(3, 4) int tool_failed(const Tool *tool, NTSTATUS status, const char *format, ...);

/*
 * Like tool_failed(), with the message of the last call on the tool's libvail handle, and the host
 * of a VM that is not here.
 */
int tool_refused(const Tool *tool, NTSTATUS status);

/*
 * Logs on which other host the VM of the command is, if the status is STATUS_NOT_FOUND and
 * vaild-fleet tells.
 */
void tool_note_host(const Tool *tool, NTSTATUS status);

/* Logs that vailctl is out of memory. Returns EXIT_FAILED. */
int tool_no_memory(void);

/*
 * Ends a command that prints no result: reports a status other than STATUS_SUCCESS, and prints
 * success as JSON with --json.
 */
int tool_finish(const Tool *tool, NTSTATUS status);

/* Prints the result of a command on its own line, behind what it is if stdout is a terminal. */
void tool_print_result(const Tool *tool, const char *what, const char *result);

/* Prints the written document as one line. Returns EXIT_DONE, or EXIT_FAILED if out of memory. */
int tool_print_json(const Writer *writer);

/* Prints the last usage error as a JSON document. */
void usage_print_json(void);

/* Writes a parsed value unchanged. */
void writer_value_of(Writer *writer, const JsonValue *value);

#endif
