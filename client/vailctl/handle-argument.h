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
 * --object. A whole handle stays as it is and costs no call. A text that is no handle stays as it
 * is, unless it names a VM where an object is needed: the error then says how to find the objects.
 * Returns EXIT_DONE, or another exit status after it has logged an error.
 */
int tool_resolve_handle(const Command *command, Tool *tool);

#endif
