/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_COMPLETION_H
#define CLIENT_COMMON_COMPLETION_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Completion of command lines, for all shells: the scripts in client/completions run
 *
 *   PROGRAM --complete WORD...
 *
 * with the words behind the program's name up to the cursor, without their quotes. The last word is
 * the one to complete, and may be empty. The program prints one of
 *
 *   files       the word is a file name; the line may be followed by the option and "=" before it
 *   program N   the words from number N on, counted from 0, are another program's command line
 *   values      the lines that follow are candidates: the value, a tab, and a description
 *
 * Candidates begin with the last word. None has a control character, so that a name from vaild can
 * neither break the lines nor reach a terminal. The script quotes them for its shell.
 */

/* The command line to complete. Strings point into argv. */
typedef struct CompletionLine {
	const char **words; /* those before the last one that are no options, nor their values */
	size_t word_count;
	const char *current;         /* the last word; only the value if it is --option=VALUE */
	const char *before;          /* the last word including "--option="; else the same */
	const struct option *option; /* the option whose value is completed; NULL if none */
	const char *socket;          /* the value of --socket; NULL if absent */
	size_t program;              /* the number of the word behind "--" or --exec; 0 without */
	char *const *rest;           /* the words from there on, without the last one */
	size_t rest_count;
	bool is_argument; /* the last word is no option, even if it begins with "-" */
} CompletionLine;

/* Tests whether the command line asks for completion. */
bool completion_wanted(int argc, char *const *argv);

/*
 * Reads the words, and lets complete() print the completions. options: the program's table for
 * getopt_long(). Returns the exit status.
 */
int completion_run(const struct option *options, void (*complete)(const CompletionLine *line),
		   int argc, char *const *argv);

/*
 * Continues with the words behind "--" as arguments, for a program that runs no other one. The line
 * shares its array of words with the result.
 */
CompletionLine completion_take_rest(const CompletionLine *line);

/* Print the first line: see above. The values are printed after completion_begin_values(). */
void completion_files(const CompletionLine *line);
void completion_program(const CompletionLine *line);
void completion_begin_values(void);

/*
 * Tests whether a line and a terminal can show the text unchanged. Another text is no candidate,
 * because a person could not recognise it.
 */
bool completion_is_printable(const char *text);

/* Prints the candidate if it begins with the word. description: may be NULL; untrusted. */
void completion_value(const CompletionLine *line, const char *value, const char *description);

/*
 * Prints the options. is_offered: tests whether the option with this value of getopt_long() is one
 * of them; NULL for all.
 */
void completion_options(const CompletionLine *line, const struct option *options,
			bool (*is_offered)(int value, const void *context), const void *context);

/*
 * Prints the rights of a display client behind the colon of NAME:RIGHTS, or behind its last comma.
 * Returns false if the word has no colon.
 */
bool completion_rights(const CompletionLine *line);

/* Prints the rights on a display, of which the word has some with commas between them. */
void completion_right_list(const CompletionLine *line);

/* Print all users, and the pids of all processes. */
void completion_users(const CompletionLine *line);
void completion_pids(const CompletionLine *line);

#endif
