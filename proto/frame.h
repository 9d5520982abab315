/* SPDX-License-Identifier: MIT */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

/*
 * Finds where messages begin and end in a stream of bytes.
 *
 * A message is one JSON value and one terminator: the first NUL or LF behind the value, with only
 * blanks between. The scanner knows just enough JSON to find that place, and refuses what no JSON
 * parser of its own mind would: it is the one judge of length, depth, raw control characters, NUL
 * and \u0000, and of characters that stand outside strings in no JSON (json-c takes NaN, comments
 * and single quotes). What it lets through still has to be parsed.
 *
 * Each byte is looked at once, however the input is cut.
 */

#define FRAME_MESSAGE_MAX 65536
#define FRAME_DEPTH_MAX   16

typedef enum FrameState {
	FRAME_BETWEEN, /* before a message; blanks and blank lines are skipped */
	FRAME_VALUE,   /* inside an object or array */
	FRAME_SCALAR,  /* inside a number or a word that is the whole message */
	FRAME_STRING,
	FRAME_ESCAPE,   /* behind a backslash */
	FRAME_UNICODE,  /* inside the four digits of \uXXXX */
	FRAME_COMPLETE, /* behind the value, before its terminator */
} FrameState;

typedef struct Frame {
	FrameState state;
	uint8_t depth;
	uint8_t unicode_digits;
	bool unicode_is_zero;
	uint32_t scanned;   /* bytes from the head of the input that were looked at */
	uint32_t value_end; /* once FRAME_COMPLETE: where the value ended */
} Frame;

#define FRAME_INIT ((Frame){ .state = FRAME_BETWEEN })

typedef struct FrameMessage {
	char *text;      /* inside the input, NUL in place of its terminator */
	size_t length;   /* of the value */
	size_t size;     /* of value, blanks and terminator: what to consume */
	char terminator; /* '\0' or '\n'; '\n' where the end of input was the terminator */
} FrameMessage;

typedef enum FrameResult {
	FRAME_INCOMPLETE, /* no further message is whole; wait for more bytes */
	FRAME_MESSAGE,    /* *ret_message is set; the caller consumes its size when done with it */
	FRAME_MALFORMED,  /* *ret_error says why; the stream cannot be followed any further */
} FrameResult;

/*
 * The next message at the head of the input. Blanks before it are consumed. With end_of_input the
 * end counts as a terminator. A buffer that ends without a terminator is given one spare byte.
 */
FrameResult frame_next(Frame *frame, Buffer *input, bool end_of_input, FrameMessage *ret_message,
		       const char **ret_error);

#endif
