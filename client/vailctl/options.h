/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_OPTIONS_H
#define CLIENT_VAILCTL_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/common/client-list.h"
#include "client/common/program-options.h"
#include <vail.h>

typedef enum Option {
	SHARED_OPTION_VALUES,
	OPTION_JSON,
	OPTION_NO_LEGEND,
	OPTION_NO_PAGER,
	OPTION_CONTEXT,
	OPTION_MORE,
	OPTION_NAME,
	OPTION_PID,
	OPTION_USER,
	OPTION_CLIENT_PID,
	OPTION_AGENT_USER,
	OPTION_AGENT_PID,
	OPTION_ADAPTER,
	OPTION_PROFILE,
	OPTION_REASON,
	OPTION_FOR,
	OPTION_TIMEOUT,
	OPTION_FOLLOW,
	OPTION_LINES,
	OPTION_USED,
	OPTION_ALL,
	OPTION_KIND,
	OPTION_OBJECT,
	OPTION_FLEET_SOCKET,
	OPTION_TYPE,
	OPTION_MAX,
} Option;

#define OPTION_BIT(option) (UINT64_C(1) << ((option)-LONG_OPTION_BASE))

/* The parsed command line. All strings point into argv. */
typedef struct Options {
	uint64_t given; /* set of OPTION_BIT() */
	const char *socket;
	const char *name;
	const char *adapter;
	const char *profile;
	const char *reason;
	const char *goal;      /* of --for */
	unsigned long timeout; /* in seconds; 0 without one */
	unsigned long lines;
	const char *object; /* handle */
	const char *fleet_socket;
	const char *type; /* of vGPUs */
	uint64_t kinds;   /* of events, see event_kinds_parse() */
	pid_t pid;
	ClientList clients; /* in the given order */
	VailParty agent;
	char *const *line; /* the whole command line, to which words and run point */
	char **words;      /* arguments that are not options, NULL-terminated */
	size_t word_count;
	char **run;    /* the words after "--", NULL-terminated; NULL without "--" */
	bool has_rest; /* words of run have become arguments */
} Options;

static inline bool options_have(const Options *options, Option option)
{
	return options->given & OPTION_BIT(option);
}

/*
 * Parses the command line into ret_options, which must be all zero. Returns EXIT_DONE, or another
 * exit status after it has logged an error. The caller calls options_deinit() in either case.
 */
int options_parse(int argc, char **argv, Options *ret_options);
void options_deinit(Options *options);

/*
 * Makes the words after "--" arguments, also those that begin with "-". up_to_dashes: a second "--"
 * ends them, and the words after it are a program to run.
 */
void options_take_rest(Options *options, bool up_to_dashes);

/* Returns the table for getopt_long(), which completion reads. */
const struct option *options_table(void);

/* Returns the option with its dashes, like "--name". Valid until the next call. */
const char *option_text(Option option);

/* Parses a pid in decimal, from 1 to 2^31-1. Logs an error and returns false if it is invalid. */
bool pid_parse(const char *text, pid_t *ret_pid);

#endif
