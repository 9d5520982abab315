/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_HANDLE_ARGUMENT_H
#define CLIENT_VAILCTL_HANDLE_ARGUMENT_H

typedef struct Tool Tool;
typedef struct Command Command;

/* The minimum of digits of a beginning. */
#define HANDLE_BEGINNING_MIN 4

/*
 * Replaces the beginning of a handle by the whole one, if it fits exactly one entity that the
 * caller may see: in the first argument of commands that take a handle, in --adapter and in
 * --object. A whole handle, and a text that is none, stay as they are and cost no call. Returns
 * EXIT_DONE, or another exit status after it has logged an error.
 */
int tool_resolve_handle(const Command *command, Tool *tool);

#endif
