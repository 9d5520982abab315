/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_CHANNEL_PROGRAM_H
#define CLIENT_VAIL_VIEW_CHANNEL_PROGRAM_H

#include "client/vail-view/passed-channel.h"
#include "proto/process-start.h"

/* The environment variable with the number of the program's fd. */
#define CHANNEL_FD_VARIABLE "VAIL_DISPLAY_FD"

/*
 * Runs a program that gets a display channel, and waits for its end. Passes signals on to it.
 * Returns its exit status, EXIT_NOT_FOUND or EXIT_CANNOT_RUN if it cannot be run, and EXIT_FAILED
 * without a channel. Ends with the program's signal if that has ended by one.
 *
 * arguments: NULL-terminated; the first one is the program.
 */
int channel_program_run(const ChannelRequest *request, char *const *arguments,
			const StartState *start);

#endif
