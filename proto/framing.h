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
 * blanks between. A message is valid JSON within the bounds below. Malformed input is refused at
 * its first wrong byte, before the end of the message.
 *
 * Each byte is scanned once, however the input is split.
 */

#define FRAME_MESSAGE_MAX 65536
#define FRAME_DEPTH_MAX   16
#define FRAME_VALUES_MAX  512 /* including objects, arrays and null */
#define FRAME_DIGITS_MAX  32  /* of one number */

typedef struct Frame {
	JsonScan scan;
	size_t scanned;   /* bytes scanned from the head of the input */
	size_t value_end; /* offset of the end of the value, 0 if not found */
	bool uses_nul;    /* for at least one earlier message */
	bool uses_lf;
} Frame;

#define FRAME_INIT ((Frame){ .scanned = 0 })

typedef struct FrameMessage {
	char *text;      /* inside the input, with NUL after the value */
	size_t length;   /* of the value */
	size_t size;     /* of value, blanks and terminator, for the caller to consume */
	char terminator; /* '\0' or '\n'; '\n' if the end of input terminated the message */
} FrameMessage;

typedef enum FrameResult {
	FRAME_INCOMPLETE, /* no complete message; wait for more bytes */
	FRAME_MESSAGE,    /* *ret_message is set; the caller consumes its size after use */
	FRAME_MALFORMED,  /* *ret_error is set; later messages cannot be found either */
} FrameResult;

/*
 * Finds the next message at the head of the input, and consumes the blanks before it. If
 * end_of_input is set, the end of the input counts as a terminator; the buffer may then grow by one
 * byte. *ret_error is a static sentence for the sender.
 */
FrameResult frame_next(Frame *frame, Buffer *input, bool end_of_input, FrameMessage *ret_message,
		       const char **ret_error);

/* Tests whether the input begins with a part of a message. */
static inline bool frame_is_partial(const Frame *frame)
{
	return frame->scanned > 0;
}

/*
 * Returns the terminator of the reply to malformed input: LF if the sender uses LF and no NUL, in
 * the messages before and in the rest of the input, otherwise NUL.
 */
char frame_terminator(const Frame *frame, const Buffer *input);

/*
 * Checks that the input is exactly one message with its terminator, as libvail requires of a
 * request before it sends it. *ret_error is set if the result is false.
 */
bool frame_is_one_message(Buffer *input, const char **ret_error);

#endif
