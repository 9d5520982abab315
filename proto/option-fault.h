/* SPDX-License-Identifier: MIT */
#ifndef PROTO_OPTION_FAULT_H
#define PROTO_OPTION_FAULT_H

#include <getopt.h>

/*
 * Words the mistakes that getopt_long() finds on a command line, for all programs alike. Needs
 * opterr == 0, a ':' at the start of the short options, and values of at least LONG_OPTION_BASE for
 * long options.
 */

/* The exit status for a wrong command line. */
#define EXIT_USAGE 2

/* The lowest value of a long option, above every character. */
#define LONG_OPTION_BASE 0x100

/* An option that getopt_long() has refused, as it tells. */
typedef struct OptionFault {
	int result;            /* its result: '?', or ':' if a value is missing */
	int value;             /* optopt; 0 if the long option is unknown or fits several */
	const char *word;      /* the word before optind */
	const char *next_word; /* the word at optind; NULL at the end */
} OptionFault;

/* The fault of the last call of getopt_long(), which has returned the result. */
#define LAST_OPTION_FAULT(outcome, argv)                   \
	(&(const OptionFault){ .result = (outcome),        \
			       .value = optopt,            \
			       .word = (argv)[optind - 1], \
			       .next_word = (argv)[optind] })

/*
 * Describes the fault. Suggests an option in place of a misspelt one; if several options have its
 * value, the first of them.
 *
 * Returns a text, to be freed, that ends with a semicolon or a question mark, so that "see PROGRAM
 * --help" can follow. Returns NULL if out of memory.
 */
char *option_fault_describe(const OptionFault *fault, const struct option *long_options);

#endif
