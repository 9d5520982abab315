/* SPDX-License-Identifier: MIT */
#include "client/vailctl/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/common/fleet-search.h"
#include "client/common/program-options.h"
#include "client/common/terminal-text.h"
#include "client/common/user-message.h"
#include "client/vailctl/vailctl.h"
#include "client/vailctl/wording.h"

int command_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_message_list(format, arguments);
	va_end(arguments);
	return EXIT_FAILED;
}

int tool_no_memory(void)
{
	return command_error("this process is out of memory (STATUS_NO_MEMORY)");
}

static void write_optional(Writer *writer, const char *quoted_key, const char *value)
{
	if (!value)
		return;
	writer_key_quoted(writer, quoted_key, strlen(quoted_key));
	writer_string(writer, value);
}

int tool_failed(const Tool *tool, NTSTATUS status, const char *format, ...)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	_cleanup_free_ char *message = NULL;
	Writer writer = WRITER_INIT(&text);
	char code[STATUS_CODE_SIZE];
	const char *name = message_status(status, code);
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	va_end(arguments);
	if (!message)
		return tool_no_memory();
	if (options_have(&tool->options, OPTION_JSON)) {
		writer_object_begin(&writer);
		write_optional(&writer, "\"status\":", name);
		write_optional(&writer, "\"code\":", code);
		write_optional(&writer, "\"message\":", message);
		writer_object_end(&writer);
		tool_print_json(&writer);
	}
	return command_error("%s (%s)", message, name);
}

/* Prints the members that an error reply of vaild has. */
static void print_refusal(const Tool *tool, const char *name, const char *code)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);
	uint64_t maximum, used;
	const char *limit = vail_error_limit(tool->vail, &maximum, &used);

	writer_object_begin(&writer);
	write_optional(&writer, "\"error\":", vail_error_name(tool->vail));
	write_optional(&writer, "\"status\":", name);
	write_optional(&writer, "\"code\":", code);
	write_optional(&writer, "\"message\":", vail_error_message(tool->vail));
	write_optional(&writer, "\"parameter\":", vail_error_parameter(tool->vail));
	if (limit) {
		write_optional(&writer, "\"limit\":", limit);
		writer_key(&writer, "maximum");
		writer_unsigned(&writer, maximum);
		writer_key(&writer, "used");
		writer_unsigned(&writer, used);
	}
	writer_object_end(&writer);
	tool_print_json(&writer);
}

void tool_note_host(const Tool *tool, NTSTATUS status)
{
	bool is_for_people = !options_have(&tool->options, OPTION_JSON);
	_cleanup_free_ char *note = status == STATUS_NOT_FOUND && tool->typed && is_for_people
					    ? fleet_note(tool->typed, program_name)
					    : NULL;

	if (note)
		log_message("%s", note);
}

int tool_refused(const Tool *tool, NTSTATUS status)
{
	_cleanup_free_ char *sentence = wording_refusal(tool, status);
	char code[STATUS_CODE_SIZE];
	const char *name = message_status(status, code);

	if (options_have(&tool->options, OPTION_JSON))
		print_refusal(tool, name, code);
	int exit_status = sentence ? command_error("%s", sentence) : tool_no_memory();
	tool_note_host(tool, status);
	return exit_status;
}

int tool_finish(const Tool *tool, NTSTATUS status)
{
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (options_have(&tool->options, OPTION_JSON))
		puts("{\"status\":\"STATUS_SUCCESS\"}");
	return EXIT_DONE;
}

void tool_print_result(const Tool *tool, const char *what, const char *result)
{
	if (tool->terminal.is_terminal)
		printf("%s: ", what);
	puts(result);
}

int tool_print_json(const Writer *writer)
{
	if (writer->failed)
		return tool_no_memory();
	fwrite(buffer_head(writer->out), 1, buffer_size(writer->out), stdout);
	putchar('\n');
	return EXIT_DONE;
}

void usage_print_json(void)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	/* The message may quote any bytes, and a document must be UTF-8. */
	_cleanup_free_ char *message = text_escape(usage_error_message(), NULL);
	Writer writer = WRITER_INIT(&text);
	char code[STATUS_CODE_SIZE];

	writer_object_begin(&writer);
	write_optional(&writer, "\"error\":", "usage");
	write_optional(&writer, "\"status\":", message_status(STATUS_INVALID_PARAMETER, code));
	write_optional(&writer, "\"code\":", code);
	write_optional(&writer, "\"message\":", message);
	writer_object_end(&writer);
	tool_print_json(&writer);
}

void writer_value_of(Writer *writer, const JsonValue *value)
{
	_cleanup_free_ char *text = json_format(value, false);

	if (text)
		writer_json(writer, text, strlen(text));
	else
		writer->failed = true;
}
