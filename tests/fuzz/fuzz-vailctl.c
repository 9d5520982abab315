/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the commands of vailctl with the replies of a server. The first byte of an input selects
 * the command, and its highest bit the JSON form; the replies follow, one in a line. Text for a
 * terminal has no control character but the line feed.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "client/common/user-message.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/vailctl.h"
#include "proto/buffer.h"
#include "proto/macros.h"
#include "tests/fuzz/common/fuzz-input.h"
#include "tests/fuzz/common/prepared-server.h"

#define GUID   "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c"
#define HANDLE "6c929f34ddfa8c9f63c9960ef6e348a3"

/* Ends a command that waits for more. */
#define LAST_REPLY                                                           \
	"\n{\"error\":\"io.vaild.AccessDenied\",\"parameters\":{\"status\":" \
	"\"STATUS_ACCESS_DENIED\",\"code\":\"0xC0000022\",\"message\":\"no\"}}\n"

const char program_name[] = "vailctl";

static const struct {
	int (*run)(Tool *tool);
	const char *argument;
	bool prints_raw; /* prints a text of vaild as it is */
} commands[] = {
	{ command_list, NULL, false },          { command_describe, GUID, false },
	{ command_registrations, NULL, false }, { command_quarantines, NULL, false },
	{ command_objects, NULL, false },       { command_holders, HANDLE, false },
	{ command_gpu_adapters, NULL, false },  { command_gpu_processes, NULL, false },
	{ command_gpu_map, HANDLE, false },     { command_status, NULL, false },
	{ command_limits, NULL, false },        { command_metrics, NULL, true },
	{ command_watch, NULL, false },         { command_reload, NULL, false },
	{ command_vm_quarantine, GUID, false },
};

/* Checks that a terminal only shows the text. */
static void check_printed(const char *text, size_t size)
{
	mbstate_t state = { 0 };
	size_t at = 0;

	while (at < size) {
		wchar_t character;
		size_t length = mbrtowc(&character, text + at, size - at, &state);

		fuzz_must(length > 0 && length <= size - at);
		fuzz_must(character == L'\n' || wcwidth(character) >= 0);
		at += length;
	}
}

/* Returns the replies with the last one behind them. */
static Buffer with_last_reply(Input replies)
{
	Buffer all = BUFFER_INIT;

	fuzz_must(buffer_append(&all, replies.data, replies.size));
	fuzz_must(buffer_append(&all, LAST_REPLY, strlen(LAST_REPLY)));
	return all;
}

/* Runs the command, and checks its output on stdout and stderr. */
static void run(size_t command, bool as_json, Input replies)
{
	Buffer all = with_last_reply(replies);
	Tool tool = { .parser = json_parser_new() };
	const char *arguments[] = { commands[command].argument, NULL };
	FILE *usual_output = stdout, *usual_error = stderr;
	char *output = NULL, *errors = NULL;
	size_t output_size, errors_size;

	fuzz_must(tool.parser != NULL);
	tool.arguments = arguments;
	tool.options.given = as_json ? OPTION_BIT(OPTION_JSON) : 0;
	tool.options.socket = "/nonexistent"; /* for the names of VMs */
	tool.vail = prepared_server_connect(
		(Input){ (const uint8_t *)buffer_head(&all), buffer_size(&all) }, NULL, 0);
	vail_set_resume(tool.vail, false);
	stdout = open_memstream(&output, &output_size);
	stderr = open_memstream(&errors, &errors_size);
	commands[command].run(&tool);
	fclose(stdout);
	fclose(stderr);
	stdout = usual_output;
	stderr = usual_error;
	if (!as_json && !commands[command].prints_raw)
		check_printed(output, output_size);
	check_printed(errors, errors_size);
	free(output);
	free(errors);
	vail_close(tool.vail);
	json_parser_free(tool.parser);
	buffer_deinit(&all);
	prepared_server_refuse();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	uint8_t which = input_byte(&input);

	fuzz_must(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
	run((which & 0x7f) % ARRAY_SIZE(commands), which & 0x80, input);
	return 0;
}
