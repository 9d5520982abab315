/* SPDX-License-Identifier: MIT */
/* Suggests the command that a person meant whose words name none. */
#include <stdio.h>
#include <string.h>

#include "client/common/machine-search.h"
#include "client/common/plain-words.h"
#include "client/common/program-options.h"
#include "client/vailctl/command-table.h"
#include "proto/macros.h"
#include "proto/suggest.h"

/* The time in which vaild must say whether a word is a VM, in milliseconds. */
#define MACHINE_TIMEOUT 500

/* Words that people try, and the commands to suggest for them. */
static const struct {
	const char *typed;
	const char *words[2];
} synonyms[] = {
	{ "unregister", { "revoke", NULL } },
	{ "deregister", { "revoke", NULL } },
	{ "ls", { "list", NULL } },
	{ "vms", { "list", NULL } },
	{ "machines", { "list", NULL } },
	{ "ps", { "registrations", NULL } },
	{ "log", { "logs", NULL } },
	{ "info", { "show", NULL } },
	{ "inspect", { "show", NULL } },
	{ "run", { "exec", NULL } },
	{ "events", { "watch", NULL } },
	{ "monitor", { "watch", NULL } },
	{ "create", { "vm", "add" } },
	{ "delete", { "vm", "remove" } },
	{ "rm", { "vm", "remove" } },
	{ "set", { "vm", "update" } },
	{ "unquarantine", { "vm", "release" } },
	{ "ls", { "vm", "list" } },
	{ "ls", { "gpu", "list" } },
	{ "show", { "gpu", "list" } },
	{ "ps", { "gpu", "processes" } },
	{ "ls", { "vgpu", "list" } },
	{ "show", { "vgpu", "list" } },
	{ "add", { "vgpu", "assign" } },
	{ "create", { "vgpu", "assign" } },
	{ "unassign", { "vgpu", "remove" } },
	{ "delete", { "vgpu", "remove" } },
	{ "rm", { "vgpu", "remove" } },
	{ "list", { "fleet", "vms" } },
	{ "ls", { "fleet", "vms" } },
	{ "machines", { "fleet", "vms" } },
	{ "status", { "fleet", "hosts" } },
	{ "show", { "fleet", "where" } },
};

static const Command *find_command(const char *const words[2])
{
	const Command *command;

	for (size_t i = 0; (command = command_at(i)); i++)
		if (command_has_words(command, words))
			return command;
	return NULL;
}

/* group: the first word if the word is the second one, else NULL. Returns NULL without a synonym.
 */
static const Command *find_synonym(const char *group, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++) {
		bool is_in_group = !group || strcmp(synonyms[i].words[0], group) == 0;

		if (is_in_group && strcmp(synonyms[i].typed, word) == 0)
			return find_command(synonyms[i].words);
	}
	return NULL;
}

/*
 * Returns the command whose second word is this one, as if its first word was forgotten or is
 * another one, or NULL.
 */
static const Command *find_second(const char *word)
{
	const Command *command;

	for (size_t i = 0; (command = command_at(i)); i++)
		if (command->words[1] && strcmp(command->words[1], word) == 0)
			return command;
	return NULL;
}

/* The greatest number of commands that are compared. */
#define COMMANDS_MAX 64

/*
 * Returns the command whose first or second word resembles the word, or NULL. group: see
 * find_synonym().
 */
static const Command *find_similar(const char *group, const char *word)
{
	const char *choices[COMMANDS_MAX];
	const Command *command;
	size_t count = 0, column = group ? 1 : 0;

	for (; count < COMMANDS_MAX && (command = command_at(count)); count++)
		choices[count] = !group || command_is_in_group(command, group)
					 ? command->words[column]
					 : NULL;
	const char *found = suggest_nearest(word, choices, count);
	for (size_t i = 0; found && i < count; i++)
		if (choices[i] == found)
			return command_at(i);
	return NULL;
}

/* Tests whether the word names a VM that the caller may see. */
static bool is_machine(const Options *options, const char *word)
{
	char guid[MACHINE_GUID_SIZE];
	_cleanup_free_ char *message = NULL;
	struct vail *vail = NULL;

	if (vail_new(options->socket, &vail) != STATUS_SUCCESS)
		return false;
	vail_set_resume(vail, false);
	vail_set_timeout(vail, MACHINE_TIMEOUT);
	NTSTATUS status = machine_find(vail, word, MACHINES_RUNNING, guid, &message);
	vail_close(vail);
	return status == STATUS_SUCCESS;
}

/* ---- Messages ---- */

/* Size of the buffer of a suggested command line. */
#define LINE_SIZE (SHELL_QUOTE_SIZE + 64)

/* Writes the command with the argument, which may be NULL. Returns line. */
static const char *write_line(char line[static LINE_SIZE], const Command *command,
			      const char *argument)
{
	char quoted[SHELL_QUOTE_SIZE];
	const char *second = command->words[1];

	snprintf(line, LINE_SIZE, "%s%s%s%s%s", command->words[0], second ? " " : "",
		 second ? second : "", argument ? " " : "",
		 argument ? shell_quote(argument, quoted) : "");
	return line;
}

/* Logs that the words are no command. line: the suggestion behind "vailctl ", or NULL. */
static int log_unknown(const char *text, const char *line)
{
	if (!line)
		return usage_error("%s is not a command; see vailctl --help", text);
	return usage_error("%s is not a command; did you mean vailctl %s? see vailctl --help", text,
			   line);
}

/* Suggests a command about a VM. word: another word of the command line, or NULL. */
static int log_machine(const char *text, const char *machine, const char *word)
{
	const char *show[2] = { "show", NULL }, *first[2] = { word, NULL };
	const Command *command = word ? find_command(first) : NULL;
	char line[LINE_SIZE], quoted[PLAIN_QUOTE_SIZE];
	MachineScope scope;

	if (!command && word)
		command = find_second(word);
	if (!command || !command_takes_machine(command, &scope))
		command = find_command(show);
	return usage_error("%s is not a command, but %s is a VM; did you mean vailctl %s? see "
			   "vailctl --help",
			   text, plain_quote(machine, quoted), write_line(line, command, machine));
}

/* Handles a word that stands alone, or that other words follow. */
static int unknown_first(const Options *options, bool may_ask)
{
	const char *word = options->words[0];
	const char *next = options->word_count > 1 ? options->words[1] : NULL;
	const Command *meant = find_synonym(NULL, word), *second = find_second(word);
	char line[LINE_SIZE];

	/* "vms" means "list" rather than "fleet vms", and "add" means "vm add". */
	if (second && (!meant || meant->words[1]))
		meant = second;
	if (meant)
		return log_unknown(word, write_line(line, meant, NULL));
	if (may_ask && is_machine(options, word))
		return log_machine(word, word, next);
	meant = find_similar(NULL, word);
	/* Only the first word resembles the typed one. */
	return log_unknown(word, meant ? meant->words[0] : NULL);
}

#define SECOND_WORDS_SIZE 256

/* Lists the words that can follow the first one. Returns words. */
static const char *list_second(const char *group, char words[static SECOND_WORDS_SIZE])
{
	const Command *command;
	size_t length = 0;

	words[0] = '\0';
	for (size_t i = 0; (command = command_at(i)) && length < SECOND_WORDS_SIZE; i++)
		if (command_is_in_group(command, group))
			length +=
				(size_t)snprintf(words + length, SECOND_WORDS_SIZE - length, "%s%s",
						 length > 0 ? ", " : "", command->words[1]);
	return words;
}

/* Handles two words of which the first begins commands, such as vm. */
static int unknown_second(const Options *options, bool may_ask)
{
	const char *group = options->words[0], *word = options->words[1];
	const char *next = options->word_count > 2 ? options->words[2] : NULL;
	const char *alone[2] = { word, NULL };
	char text[LINE_SIZE], line[LINE_SIZE], quoted[PLAIN_QUOTE_SIZE];
	char words[SECOND_WORDS_SIZE];
	const Command *meant = find_synonym(group, word);

	snprintf(text, sizeof(text), "%s %s", group, plain_quote(word, quoted));
	if (!meant && strcmp(word, "help") == 0)
		return log_unknown(text, write_line(line, find_command(alone), group));
	if (!meant && find_command(alone))
		return log_unknown(text, write_line(line, find_command(alone), next));
	if (!meant && may_ask && is_machine(options, word))
		return log_machine(text, word, next);
	if (!meant)
		meant = find_similar(group, word);
	if (!meant)
		meant = find_second(word);
	if (meant)
		return log_unknown(text, write_line(line, meant, NULL));
	return usage_error("%s is not a command; %s takes one of: %s; see vailctl help %s", text,
			   group, list_second(group, words), group);
}

/* Says that the first word needs one. */
static int lacks_second(const char *group)
{
	char words[SECOND_WORDS_SIZE];

	return usage_error("%s needs a subcommand, one of: %s; see vailctl help %s", group,
			   list_second(group, words), group);
}

int command_unknown(const Options *options, bool may_ask)
{
	const char *first = options->words[0];
	bool has_group = command_is_group(first);

	if (has_group && options->word_count < 2)
		return lacks_second(first);
	if (strcmp(options->words[options->word_count - 1], "version") == 0)
		return usage_error("version is not a command; did you mean vailctl --version? see "
				   "vailctl --help");
	return has_group ? unknown_second(options, may_ask) : unknown_first(options, may_ask);
}
