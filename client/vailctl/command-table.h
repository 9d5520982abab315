/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_COMMAND_TABLE_H
#define CLIENT_VAILCTL_COMMAND_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "client/common/machine-search.h"
#include "client/vailctl/options.h"

typedef struct Tool Tool;

typedef struct Command {
	const char *words[2]; /* the command's name; the second word may be NULL */
	size_t minimum;       /* number of arguments after the name */
	size_t maximum;
	bool runs_program; /* takes "-- COMMAND" */
	uint64_t options;  /* set of OPTION_BIT(), beside those that every command takes */
	int (*run)(Tool *tool);
	const char *arguments; /* as shown in help; may be "" */
	const char *summary;   /* one sentence without its full stop */
	const char *details;   /* more lines for the command's help; may be NULL */
} Command;

/*
 * Finds the command that the first words name, and how many they are. Without any word that is
 * list. Returns NULL if they name none.
 */
const Command *command_find(const Options *options, size_t *ret_word_count);

/* Returns the command at this index of the table, or NULL behind its end. */
const Command *command_at(size_t index);

/* Tests whether these words are the command's name. */
bool command_has_words(const Command *command, const char *const words[2]);

/* Tests whether the command has two words, and this is the first one. */
bool command_is_in_group(const Command *command, const char *first);

/* Tests whether commands of two words begin with this one. */
bool command_is_group(const char *first);

/* Tests whether the command takes the option. command: NULL for what every command takes. */
bool command_takes_option(const Command *command, Option option);

/* Returns the part of the help about the options that every command takes. */
const char *help_options(void);

/*
 * Logs that the words name no command, and suggests one. Returns EXIT_USAGE.
 *
 * may_ask: whether vaild is asked if a word is the name of a VM.
 */
int command_unknown(const Options *options, bool may_ask);

/*
 * Checks the options and the number of arguments after the command's name. Returns EXIT_DONE, or
 * EXIT_USAGE after it has logged an error.
 */
int command_check_usage(const Command *command, const Options *options, size_t argument_count);

/*
 * Checks that no program stands where "--" is missing, as in "exec VM ls". word_count: the number
 * of words of the command's name. Returns EXIT_DONE, or EXIT_USAGE after it has logged an error.
 */
int command_check_dashes(const Command *command, const Options *options, size_t word_count);

/* Tests whether the command's output may be long enough for a pager. */
bool command_is_paged(const Command *command);

/* Tests whether the first argument names a VM, and which VMs it may name. */
bool command_takes_machine(const Command *command, MachineScope *ret_scope);

/*
 * Prints help on stdout: for the command that the words name, for the commands that begin with the
 * first word, such as vm, or otherwise for vailctl.
 */
void help_print(const Options *options);

#endif
