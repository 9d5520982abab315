/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_VIEW_OPTIONS_H
#define CLIENT_VAIL_VIEW_VIEW_OPTIONS_H

#include <stdbool.h>

#include "client/common/machine-search.h"

/* The command line of vail-view. */

/* Buffer size for the name of a console. */
#define CONSOLE_NAME_SIZE 32

/* The options. Strings point into argv. */
typedef struct ViewOptions {
	const char *machine; /* the VM, as typed: see machine-search.h */
	char guid[MACHINE_GUID_SIZE];
	const char *png;
	const char *name;
	char console[CONSOLE_NAME_SIZE]; /* the name that --console stands for */
	const char *socket;
	bool is_raw;
	bool no_clipboard;
	bool no_sound;
	bool microphone;
	unsigned long frames;  /* number of frames to write; 0 for no limit */
	unsigned long timeout; /* in seconds; 0 for none */
	char **program;        /* of --exec, with its arguments; NULL without one */
	int socket_fd;         /* of --dbus-fd; -1 without it */
	unsigned int rights;   /* of --rights; 0 without it */
} ViewOptions;

/*
 * Parses the command line, checks the options together, and sets defaults. The guid stays empty.
 * Prints the help or the version if that is asked for.
 *
 * Returns true if the program shall go on. Otherwise, *ret_exit_status is its exit status, and an
 * error was logged if that is not 0.
 */
bool view_options_parse(int argc, char **argv, ViewOptions *ret_options, int *ret_exit_status);

/* Tests whether a display channel is opened for another program. */
bool view_options_pass_channel(const ViewOptions *options);

/* Answers a shell that completes the command line. Returns the exit status. */
int view_options_complete(int argc, char **argv);

#endif
