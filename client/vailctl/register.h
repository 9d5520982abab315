/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_REGISTER_H
#define CLIENT_VAILCTL_REGISTER_H

#include "client/vailctl/vailctl.h"

/* Exit statuses of commands that run a program, if it cannot be run. */
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND  127

/*
 * Replaces vailctl by the program in the options, which is looked up in PATH and gets the signal
 * state that vailctl was given. With --socket, VAILD_SOCKET is that socket. Returns only if that
 * fails, after it has logged an error: EXIT_NOT_FOUND or EXIT_CANNOT_RUN.
 */
int program_exec(const Tool *tool);

#endif
