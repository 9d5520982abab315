/* SPDX-License-Identifier: MIT */
#ifndef PROTO_FRAMING_H
#define PROTO_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/json-scan.h"

/*
 * Splits a stream of bytes into messages.
 *
 * A message is one JSON value and one terminator: the first NUL or LF after the value, with only
 * blanks between. LF directly followed by NUL is one NUL. A message is valid JSON within the bounds
 * below. Malformed input is refused at its first wrong byte, before the end of the message.
 *
 * An LF that is the last byte of the input ends its message at once, because a person sends nothing
 * after it. A NUL that arrives next is reported as FRAME_LATE_NUL.
 *
 * Each byte is scanned once, however the input is split.
 */

#define FRAME_MESSAGE_MAX 65536
#define FRAME_DEPTH_MAX   16
#define FRAME_VALUES_MAX  512 /* including objects, arrays and null */
#define FRAME_DIGITS_MAX  32  /* of one number, without the zeros that it begins with */

typedef struct Frame {
	JsonScan scan;
	size_t scanned;      /* bytes scanned from the head of the input */
	size_t value_end;    /* offset of the end of the value, 0 if not found */
	const char *error;   /* the sentence about malformed input, otherwise NULL */
	bool uses_nul;       /* a message has ended in NUL, or malformed input has contained one */
	bool nul_may_follow; /* the last message ended in an LF that was the last byte of the input
			      */
	bool end_is_awaited; /* the malformed message has not ended yet */
} Frame;

#define FRAME_INIT ((Frame){ .scanned = 0 })

typedef struct FrameMessage {
	char *text;      /* inside the input, with NUL after the value */
	size_t length;   /* of the value */
	size_t size;     /* of value, blanks and terminator, for the caller to consume */
	char terminator; /* NUL or LF; LF if the end of input terminated the message */
} FrameMessage;

typedef enum FrameResult {
	FRAME_INCOMPLETE, /* no complete message; wait for more bytes */
	FRAME_MESSAGE,    /* *ret_message is set; the caller consumes its size after use */
	FRAME_LATE_NUL,   /* a NUL belongs to the LF of the message before; call again */
	FRAME_MALFORMED,  /* *ret_error is set; later messages cannot be found either */
} FrameResult;

/*
 * Finds the next message at the head of the input, and consumes the blanks before it. If
 * end_of_input is set, the end of the input counts as a terminator; the buffer may then grow by one
 * byte. *ret_error is a static sentence for the sender.
 *
 * Malformed input is consumed. The caller may go on after it: further input is consumed as well,
 * and the result is FRAME_MALFORMED each time. The sender can then finish sending its message, and
 * its end may show that the sender uses NUL. The message has ended when it is no longer partial.
 */
FrameResult frame_next(Frame *frame, Buffer *input, bool end_of_input, FrameMessage *ret_message,
		       const char **ret_error);

/* Tests whether the input begins with a part of a message. */
static inline bool frame_is_partial(const Frame *frame)
{
	return frame->scanned > 0 || frame->end_is_awaited;
}

/* Returns the terminator of an error that no message has asked for: NUL if the sender uses it. */
static inline char frame_terminator(const Frame *frame)
{
	return frame->uses_nul ? '\0' : '\n';
}

/*
 * Checks that the input is exactly one message with its terminator, as libvail requires of a
 * request before it sends it. *ret_error is set if the result is false.
 */
bool frame_is_one_message(Buffer *input, const char **ret_error);

#endif
