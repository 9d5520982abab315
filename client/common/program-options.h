/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_PROGRAM_OPTIONS_H
#define CLIENT_COMMON_PROGRAM_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>

#include "proto/macros.h"
#include "proto/option-fault.h"

/* Command line handling that vailctl, vail-view and vail-qemu share. */

/* Exit statuses; EXIT_USAGE is another. */
#define EXIT_DONE   0
#define EXIT_FAILED 1

/*
 * The long options that all programs have. A program's enum of options begins with the values, and
 * its table for getopt_long() with the rows.
 */
#define SHARED_OPTION_VALUES OPTION_SOCKET = LONG_OPTION_BASE, OPTION_HELP, OPTION_VERSION
/* clang-format off */
#define SHARED_OPTION_ROWS \
	{ "socket", required_argument, NULL, OPTION_SOCKET }, \
	{ "help", no_argument, NULL, OPTION_HELP }, \
	{ "version", no_argument, NULL, OPTION_VERSION }
/* clang-format on */

/* Logs the message. Returns EXIT_USAGE. */
_printf_(1, 2) int usage_error(const char *format, ...);

/*
 * Returns the message of the last usage error, without the program's name and cut if it is long;
 * NULL if there was none. Like the variables of getopt(), it belongs to the process's one command
 * line.
 */
const char *usage_error_message(void);

/*
 * Logs why getopt_long() returned result, which is '?' or ':', as option_fault_describe() words it.
 * help: the command that shows the options; NULL for the program's --help. Returns EXIT_USAGE.
 */
int usage_error_option(char *const *argv, int result, const struct option *long_options,
		       const char *help);

/* Parses a decimal number from 1 to maximum. Returns false if the text is anything else. */
bool number_parse(const char *text, unsigned long maximum, unsigned long *ret_number);

/*
 * Handles --help or -h, --version, and an option that getopt_long() has refused: prints, and exits.
 * usage: the help.
 */
_Noreturn void exit_for_option(char *const *argv, int option, const struct option *long_options,
			       const char *usage);

/* Prints the program's name and version on stdout. */
void print_version(void);

#endif
