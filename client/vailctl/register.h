/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_REGISTER_H
#define CLIENT_VAILCTL_REGISTER_H

/* Exit statuses of commands that run a program, if it cannot be run. */
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND  127

/*
 * Replaces vailctl by the program, which is looked up in PATH. Returns only if that fails, after it
 * has logged an error: EXIT_NOT_FOUND or EXIT_CANNOT_RUN.
 *
 * program: its name and arguments, NULL-terminated.
 */
int program_exec(char *const *program);

#endif
