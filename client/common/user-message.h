/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_USER_MESSAGE_H
#define CLIENT_COMMON_USER_MESSAGE_H

#include <stdarg.h>

#include "client/common/plain-words.h"
#include "proto/macros.h"
#include <vail.h>

/* Messages of the client programs to the user, on stderr. */

/* The prefix of every message. Each program defines it, for example as "vailctl". */
extern const char program_name[];

/* Buffer size for a status code in hexadecimal. */
#define STATUS_CODE_SIZE 16

/*
 * Writes "PROGRAM: MESSAGE" and a newline to stderr, which is the journal under systemd. Control
 * characters are escaped, because a message may quote untrusted text. If stderr is a terminal, a
 * long message is folded between words.
 */
_printf_(1, 2) void log_message(const char *format, ...);
_printf_(1, 0) void log_message_list(const char *format, va_list arguments);

/*
 * Puts a label and a colon behind the prefix of each further message, to tell apart processes of
 * one program. label: must outlive the last message; NULL for none.
 */
void log_set_label(const char *label);

/*
 * Returns the status's name, or its code if it has no name. Writes the code to the buffer in
 * either case. The result is valid as long as the buffer.
 */
const char *message_status(NTSTATUS status, char code[STATUS_CODE_SIZE]);

/*
 * Describes why the last call on the handle failed: one sentence in plain words, with the status
 * and, if there is one, the limit. The caller frees the result. Returns NULL if out of memory.
 *
 * wording: used if vaild has refused the call, and not if it cannot be reached. NULL for none.
 */
char *message_refusal(const struct vail *vail, NTSTATUS status, const Wording *wording);

/* Like message_refusal(), with the sentence of vaild unchanged. For calls that name a method. */
char *message_refusal_raw(const struct vail *vail, NTSTATUS status);

#endif
