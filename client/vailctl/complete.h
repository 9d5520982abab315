/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_COMPLETE_H
#define CLIENT_VAILCTL_COMPLETE_H

/*
 * Prints the completions of vailctl's command line; see client/common/completion.h. Commands,
 * options and their values come from the table of commands, so that a new one is completed as well.
 * Returns the exit status.
 */
int complete_command_line(int argc, char *const *argv);

#endif
