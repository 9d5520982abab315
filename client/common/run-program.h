/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_RUN_PROGRAM_H
#define CLIENT_COMMON_RUN_PROGRAM_H

#include <signal.h>
#include <sys/types.h>

#include "proto/process-start.h"

/* Functions for client programs that run another program. */

/* Exit statuses if it cannot be run. */
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND  127

/*
 * Replaces this process by the program, which is looked up in PATH and gets the signal state that
 * this process was given. Returns only if that fails, after it has logged an error: EXIT_NOT_FOUND
 * or EXIT_CANNOT_RUN.
 *
 * arguments: NULL-terminated; the first one is the program.
 * socket: of vaild, which the program finds in VAILD_SOCKET; NULL to leave that alone.
 */
int program_exec(char *const *arguments, const char *socket, const StartState *start);

/* Sets the signals to wait for while a program runs: SIGCHLD, and those that it gets as well. */
void program_signals(sigset_t *ret_signals);

/* Passes a signal on to the program, unless it is SIGCHLD or the program gets it, too. */
void program_pass_signal(pid_t program, int number, int code);

/*
 * Ends this process with the signal that has ended the program, or returns its exit status.
 *
 * status: of the program, as waitpid() returns it.
 */
int program_end_alike(int status);

#endif
