/* SPDX-License-Identifier: MIT */
#ifndef PROTO_FRAMING_H
#define PROTO_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"

/*
 * Splits a stream of bytes into messages.
 *
 * A message is one JSON value and one terminator: the first NUL or LF after the value, with only
 * blanks between. The scanner knows just enough JSON to find the end of the value. It alone checks
 * the limits that json-c does not: length, depth, raw control characters, NUL and \u0000. It also
 * refuses characters that JSON does not allow outside strings, because json-c accepts NaN, comments
 * and single quotes. A message still has to be parsed.
 *
 * Each byte is scanned once, however the input is split.
 */

#define FRAME_MESSAGE_MAX 65536
#define FRAME_DEPTH_MAX   16

typedef enum FrameState {
	FRAME_BETWEEN, /* before a message, where blanks and blank lines are skipped */
	FRAME_VALUE,   /* inside an object or array */
	FRAME_SCALAR,  /* inside a number, true, false or null that is the whole message */
	FRAME_STRING,
	FRAME_ESCAPE,   /* after a backslash */
	FRAME_UNICODE,  /* inside the four digits of \uXXXX */
	FRAME_COMPLETE, /* after the value, before its terminator */
} FrameState;

typedef struct Frame {
	FrameState state;
	uint8_t depth;
	uint8_t unicode_digits;
	bool unicode_is_zero;
	uint32_t scanned;   /* bytes scanned from the head of the input */
	uint32_t value_end; /* offset of the end of the value, once FRAME_COMPLETE */
} Frame;

#define FRAME_INIT ((Frame){ .state = FRAME_BETWEEN })

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

/*
 * Checks that the input is exactly one message with its terminator, as libvail requires of a
 * request before it sends it. *ret_error is set if the result is false.
 */
bool frame_is_one_message(Buffer *input, const char **ret_error);

#endif
