/* SPDX-License-Identifier: MIT */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdarg.h>

#include "macros.h"
#include "vail.h"

/* What programs say to people, on stderr. */

/* Room for STATUS_... as a number. */
#define STATUS_CODE_SIZE 16

/* Writes "program: ...", safe for a terminal: it may quote what somebody else chose. */
_printf_(2, 0) void message_write(const char *program, const char *format, va_list arguments);

/* The status by its name, or else its number; code has the number in any case. */
const char *message_status(NTSTATUS status, char code[STATUS_CODE_SIZE]);

/* Why the last call on the handle failed: one sentence, with the status and the limit. The caller
 * frees it; NULL when there is no memory. */
char *message_refusal(const struct vail *vail, NTSTATUS status);

#endif
