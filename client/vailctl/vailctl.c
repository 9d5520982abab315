/* SPDX-License-Identifier: MIT */
#include "client/vailctl/vailctl.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "client/common/completion.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "client/vailctl/command-table.h"
#include "client/vailctl/complete.h"
#include "client/vailctl/handle-argument.h"
#include "client/vailctl/json-style.h"
#include "client/vailctl/machine-argument.h"
#include "client/vailctl/output.h"
#include "proto/macros.h"

const char program_name[] = "vailctl";

/* How long vailctl is silent while it waits. */
#define WAITING_MILLISECONDS 1000

static void say_waiting(struct vail *vail, const char *what, void *context)
{
	(void)vail;
	(void)context;
	log_message("%s; still waiting, see: systemctl status vaild, or the "
		    "stderr of a vaild started by hand",
		    what);
}

static int run_command(const Command *command, Tool *tool)
{
	NTSTATUS status = vail_new(tool->options.socket, &tool->vail);
	int exit_status = EXIT_DONE;

	tool->parser = json_parser_new();
	if (status != STATUS_SUCCESS || !tool->parser) {
		exit_status = tool_no_memory();
	} else {
		vail_set_waiting(tool->vail, WAITING_MILLISECONDS, say_waiting, NULL);
		exit_status = tool_resolve_machine(command, tool);
	}
	if (exit_status == EXIT_DONE)
		exit_status = tool_resolve_handle(command, tool);
	if (exit_status == EXIT_DONE) {
		terminal_open(&tool->terminal,
			      command_is_paged(command) &&
				      !options_have(&tool->options, OPTION_NO_PAGER),
			      &tool->start);
		exit_status = command->run(tool);
		terminal_close(&tool->terminal);
	}
	json_parser_free(tool->parser);
	vail_close(tool->vail);
	return exit_status;
}

/* Tests whether a second "--" follows among the words. */
static bool has_dashes(char *const *words)
{
	while (*words && strcmp(*words, "--") != 0)
		words++;
	return *words;
}

/*
 * Finds the command. Words after "--" are its arguments, so that they may begin with "-", unless it
 * runs a program: then they are so only where its own arguments are missing and a second "--"
 * follows. Returns NULL if there is no such command.
 */
static const Command *find_command(Options *options, size_t *ret_word_count)
{
	const Command *command = options->run && options->word_count == 0
					 ? NULL
					 : command_find(options, ret_word_count);

	if (!options->run)
		return command;
	if (!command || !command->runs_program)
		options_take_rest(options, false);
	else if (options->word_count - *ret_word_count < command->minimum &&
		 has_dashes(options->run))
		options_take_rest(options, true);
	return command ? command : command_find(options, ret_word_count);
}

static int run(Tool *tool)
{
	Options *options = &tool->options;
	size_t word_count = 0;
	const Command *command = find_command(options, &word_count);

	if (options_have(options, OPTION_VERSION)) {
		print_version();
		return EXIT_DONE;
	}
	if (options_have(options, OPTION_HELP)) {
		terminal_open(&tool->terminal, !options_have(options, OPTION_NO_PAGER),
			      &tool->start);
		help_print(options);
		terminal_close(&tool->terminal);
		return EXIT_DONE;
	}
	if (!command)
		return command_unknown(options, true);
	int wrong = command_check_usage(command, options, options->word_count - word_count);
	if (wrong)
		return wrong;
	tool->arguments = (const char **)options->words + word_count;
	return run_command(command, tool);
}

/*
 * Returns the last --json or --json=STYLE of the command line, even behind an option that is wrong,
 * or NULL.
 */
static const char *find_json_option(int argc, char *const *argv)
{
	const char *found = NULL;

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0 || strncmp(argv[i], "--json=", 7) == 0)
			found = argv[i];
	return found;
}

int main(int argc, char **argv)
{
	Tool tool = { 0 };
	JsonStyle style = { 0 };
	const char *json = find_json_option(argc, argv);

	process_start(program_name, true, &tool.start);
	setlocale(LC_CTYPE, "");
	if (completion_wanted(argc, argv))
		return complete_command_line(argc, argv);
	int exit_status = options_parse(argc, argv, &tool.options);
	if (json && strcmp(json, "--json=pretty") == 0 && !json_style_open(&style))
		exit_status = tool_no_memory();
	if (exit_status == EXIT_DONE)
		exit_status = run(&tool);
	if (usage_error_message() && json)
		usage_print_json();
	options_deinit(&tool.options);
	bool is_written = json_style_close(&style);
	/* Report lost output, for example on a full disk. */
	if ((!is_written || fflush(stdout) != 0 || ferror(stdout)) && exit_status == EXIT_DONE)
		exit_status = command_error("cannot write the output: %s", strerror(errno));
	return exit_status;
}
