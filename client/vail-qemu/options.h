/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_OPTIONS_H
#define CLIENT_VAIL_QEMU_OPTIONS_H

#include "client/common/client-list.h"

/* The command line. The texts belong to argv. */
typedef struct Options {
	const char *qmp;
	const char *bus;
	int display_fd; /* -1 if it is not given */
	const char *socket;
	const char *adapter;
	ClientList clients;
	const char *settings_source; /* of the clients, as in VailMachine */
	bool is_registered;          /* an operator has added the VM */
} Options;

/*
 * Parses the command line. Exits after the help or the version, or with an error if it is wrong.
 *
 * options: zeroed before, except that display_fd is -1; the caller calls options_deinit().
 */
void options_parse(int argc, char **argv, Options *options);
void options_deinit(Options *options);

/* Prints what completes a command line, for shells. Returns the exit status. */
int options_complete(int argc, char **argv);

#endif
