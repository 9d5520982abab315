/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_WORDING_H
#define CLIENT_VAILCTL_WORDING_H

#include <vail.h>

typedef struct Tool Tool;

/*
 * Describes why the last call on the tool's handle failed, in the words of the command line: the
 * options and arguments as they were typed, and advice that fits the command. The call command
 * names a method itself, so its message has the sentence of vaild. The caller frees the result.
 * Returns NULL if out of memory.
 */
char *wording_refusal(const Tool *tool, NTSTATUS status);

#endif
