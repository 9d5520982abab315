/* SPDX-License-Identifier: MIT */
#include "client/vailctl/complete.h"

#include <stdio.h>
#include <string.h>

#include "client/common/completion-entities.h"
#include "client/common/completion.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "client/vailctl/command-table.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/methods.h"
#include "client/vailctl/options.h"
#include "proto/interfaces.h"
#include "proto/macros.h"
#include <vail.h>

/* Size of the buffer of a word of the help, such as "GUID" or "registered|shared|ended". */
#define WORD_SIZE 200

/* ---- Words of the help ---- */

/* Copies the next word without brackets and dots. Returns the text behind it, or NULL at the end.
 */
static const char *next_word(const char *text, char word[static WORD_SIZE])
{
	static const char around[] = " \n[]{}=.,;";

	text += strspn(text, around);
	size_t length = strcspn(text, " \n[]{}");
	if (length == 0)
		return NULL;
	snprintf(word, WORD_SIZE, "%.*s", (int)length, text);
	for (size_t end = strlen(word); end > 0 && strchr(".,;", word[end - 1]); end--)
		word[end - 1] = '\0';
	return text + length;
}

/* Tests whether the word stands for an argument or a value, as "GUID" does. */
static bool is_placeholder(const char *word)
{
	return *word >= 'A' && *word <= 'Z' &&
	       strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == strlen(word);
}

static bool takes_value(const char *option)
{
	for (const struct option *row = options_table(); row->name; row++)
		if (strcmp(row->name, option + 2) == 0)
			return row->has_arg == required_argument;
	return false;
}

/* Finds the name of the argument at this position in the help. Returns false if it has none. */
static bool find_argument(const Command *command, size_t position, char word[static WORD_SIZE])
{
	const char *text = command->arguments;
	char value[WORD_SIZE];

	while ((text = next_word(text, word)) && strcmp(word, "--") != 0) {
		if (strncmp(word, "--", 2) == 0)
			text = takes_value(word) ? next_word(text, value) : text;
		else if (is_placeholder(word) && strcmp(word, "OPTION") != 0 && position-- == 0)
			return true;
		if (!text)
			break;
	}
	return false;
}

/* Finds what the help calls the option's value. Returns false if it does not name one. */
static bool find_value(const char *help, const struct option *option, char word[static WORD_SIZE])
{
	while (help && (help = next_word(help, word)))
		if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, option->name) == 0) {
			help = next_word(help, word);
			if (help && (is_placeholder(word) || strchr(word, '|')))
				return true;
		}
	return false;
}

/* ---- Candidates ---- */

/* Prints the words that "|" separates. */
static void print_choices(const CompletionLine *line, char *choices)
{
	char *rest = choices;
	const char *choice;

	while ((choice = strsep(&rest, "|")))
		completion_value(line, choice, NULL);
}

/* Prints the names of the methods that an interface file declares. */
static void print_methods_of(const CompletionLine *line, const Interface *interface)
{
	const char *at = interface->description;
	char name[METHOD_NAME_SIZE];

	while ((at = method_next(interface, at, name)))
		completion_value(line, name, NULL);
}

static void print_methods(const CompletionLine *line)
{
	for (size_t i = 0; i < interface_count; i++)
		print_methods_of(line, &interfaces[i]);
}

/* Prints the kinds of events, also behind the last comma of a list. */
static void print_events(const CompletionLine *line)
{
	const char *comma = strrchr(line->current, ',');
	CompletionLine last = *line;
	const char *name;

	if (comma)
		last.current = comma + 1;
	for (unsigned int kind = VAIL_EVENT_CURRENT; (name = vail_event_name(kind)); kind++)
		completion_value(&last, name, NULL);
}

/* Tests whether an earlier command has the same first word. */
static bool is_repeated(size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(command_at(i)->words[0], command_at(index)->words[0]) == 0)
			return true;
	return false;
}

/* Prints the commands, or the second words of those whose first word is group. */
static void print_commands(const CompletionLine *line, const char *group)
{
	const Command *command;

	for (size_t i = 0; (command = command_at(i)); i++)
		if (!group && !is_repeated(i))
			completion_value(line, command->words[0],
					 command->words[1] ? NULL : command->summary);
		else if (group && command->words[1] && strcmp(command->words[0], group) == 0)
			completion_value(line, command->words[1], command->summary);
}

/* Prints the candidates for a word that the help calls by this name. Others have none. */
static void print_named(const CompletionLine *line, const Command *command, const char *name)
{
	const char *machine = line->word_count > 1 ? line->words[1] : NULL;
	const struct {
		const char *name;
		void (*print)(const CompletionLine *line);
	} lists[] = {
		{ "VM", completion_machines },    { "USER", completion_users },
		{ "PID", completion_pids },       { "PROCESS", completion_gpu_processes },
		{ "HANDLE", completion_objects }, { "OBJECT", completion_objects },
		{ "METHOD", print_methods },      { "KIND", print_events },
	};

	if (command->run == command_vm_release)
		completion_quarantines(line);
	else if (command->run == command_fleet_release)
		completion_fleet_quarantines(line);
	else if ((command->run == command_fleet_where ||
		  command->run == command_fleet_quarantine) &&
		 strcmp(name, "VM") == 0)
		completion_fleet_machines(line);
	else if (command->run == command_vgpu_remove)
		completion_virtual_gpus(line);
	else if (command->run == command_display_close)
		completion_displays(line);
	else if (command->run == command_revoke && strcmp(name, "PID") == 0)
		completion_registered_pids(line, machine);
	else if (strcmp(name, "COMMAND") == 0)
		print_commands(line, NULL);
	else
		for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
			if (strcmp(lists[i].name, name) == 0)
				lists[i].print(line);
}

/* ---- The line ---- */

/* Returns the command of the line, or NULL. Sets *ret_count to the number of its words. */
static const Command *find_command(const CompletionLine *line, size_t *ret_count)
{
	const Command *command;

	for (size_t i = 0; (command = command_at(i)); i++) {
		*ret_count = command->words[1] ? 2 : 1;
		if (line->word_count >= *ret_count &&
		    strcmp(line->words[0], command->words[0]) == 0 &&
		    (*ret_count == 1 || strcmp(line->words[1], command->words[1]) == 0))
			return command;
	}
	return NULL;
}

static bool is_offered(int option, const void *command)
{
	return command_takes_option(command, (Option)option);
}

static bool is_file(const char *name)
{
	return strcmp(name, "FILE") == 0 || strcmp(name, "PATH") == 0;
}

static void complete_value(const CompletionLine *line, const Command *command)
{
	char word[WORD_SIZE] = "";
	bool is_found = command && (find_value(command->arguments, line->option, word) ||
				    find_value(command->details, line->option, word));

	if (!is_found && !find_value(help_options(), line->option, word))
		*word = '\0';
	if (is_file(word)) {
		completion_files(line);
		return;
	}
	completion_begin_values();
	bool has_rights =
		line->option->val == OPTION_USER || line->option->val == OPTION_CLIENT_PID;
	if (has_rights && completion_rights(line))
		return;
	if (line->option->val == OPTION_ADAPTER)
		completion_adapters(line);
	else if (strchr(word, '|'))
		print_choices(line, word);
	else if (command && strcmp(word, "PID") == 0)
		completion_pids(line);
	else if (command)
		print_named(line, command, word);
}

static void complete_argument(const CompletionLine *line, const Command *command, size_t position)
{
	char word[WORD_SIZE];
	bool is_found = find_argument(command, position, word);

	if (is_found && is_file(word)) {
		completion_files(line);
		return;
	}
	completion_begin_values();
	if (is_found)
		print_named(line, command, word);
	else if (command->run == command_help && position == 1) /* the second word of a command */
		print_commands(line, line->words[1]);
}

static void complete_words(const CompletionLine *line, const Command *command, size_t count)
{
	if (line->program > 0) {
		completion_program(line);
	} else if (line->option) {
		complete_value(line, command);
	} else if (*line->current == '-' && !line->is_argument) {
		completion_begin_values();
		completion_options(line, options_table(), is_offered, command);
	} else if (command) {
		complete_argument(line, command, line->word_count - count);
	} else if (line->word_count < 2) {
		completion_begin_values();
		print_commands(line, line->word_count > 0 ? line->words[0] : NULL);
	}
}

static void complete(const CompletionLine *line)
{
	size_t count = 0;
	const Command *command = find_command(line, &count);
	CompletionLine whole = *line;

	if (line->program > 0 && !(command && command->runs_program)) {
		whole = completion_take_rest(line);
		command = find_command(&whole, &count);
	}
	complete_words(&whole, command, count);
}

int complete_command_line(int argc, char *const *argv)
{
	return completion_run(options_table(), complete, argc, argv);
}
