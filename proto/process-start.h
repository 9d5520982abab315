/* SPDX-License-Identifier: MIT */
#ifndef PROTO_PROCESS_START_H
#define PROTO_PROCESS_START_H

/*
 * Brings what a program inherits into a known state. The main function of each program calls
 * process_start() before it opens any file. Like fd-util.h, this header makes system calls, so
 * core, store and api must not include it.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The signal state that the program was given. */
typedef struct StartState {
	sigset_t blocked;
	sigset_t ignored;
} StartState;

/*
 * Opens /dev/null for each of the fds 0 to 2 that is closed. Otherwise the next file or socket
 * would get that number, and messages would be written into it. Input is then at its end, messages
 * are lost, and output fails as it does on a closed fd. Exits if that is impossible.
 */
static inline void fill_standard_fds(const char *program)
{
	static const int modes[] = { O_RDONLY, O_RDONLY, O_WRONLY };

	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || open("/dev/null", modes[fd] | O_NOCTTY) == fd)
			continue;
		fprintf(stderr,
			"%s: file descriptor %d is closed, and /dev/null cannot be opened in its "
			"place: %s; start %s with the descriptors 0, 1 and 2 open\n",
			program, fd, strerror(errno), program);
		exit(EXIT_FAILURE);
	}
}

/* Tests for a signal that nohup and shells ignore for programs in the background. */
static inline bool is_background_signal(int signal_number)
{
	return signal_number == SIGHUP || signal_number == SIGINT || signal_number == SIGQUIT;
}

/*
 * Unblocks all signals, and gives those that are ignored their default actions. A program that a
 * person starts passes keeps_background: it then goes on to ignore SIGHUP under nohup, and SIGINT
 * and SIGQUIT as a background job of a script.
 */
static inline void reset_signals(bool keeps_background, StartState *ret)
{
	sigset_t none;

	sigemptyset(&ret->ignored);
	for (int number = 1; number <= SIGRTMAX; number++) {
		struct sigaction action;

		if (sigaction(number, NULL, &action) < 0 || action.sa_handler != SIG_IGN)
			continue;
		sigaddset(&ret->ignored, number);
		if (!keeps_background || !is_background_signal(number))
			signal(number, SIG_DFL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, &ret->blocked);
}

/* Call first in main(). program: its name, for the message if it cannot start. */
static inline void process_start(const char *program, bool keeps_background, StartState *ret)
{
	fill_standard_fds(program);
	reset_signals(keeps_background, ret);
}

/* Restores the signal state that the program was given. Call before the execution of another. */
static inline void start_state_restore(const StartState *state)
{
	for (int number = 1; number <= SIGRTMAX; number++)
		if (sigismember(&state->ignored, number) == 1)
			signal(number, SIG_IGN);
	sigprocmask(SIG_SETMASK, &state->blocked, NULL);
}

#endif
