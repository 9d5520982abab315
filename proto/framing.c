/* SPDX-License-Identifier: MIT */
#include "proto/framing.h"

#include "proto/macros.h"

#define ERROR_LENGTH    "the message is longer than 65536 bytes; send less in one message"
#define ERROR_DEPTH     "the message is nested deeper than 16 levels; nest it less deeply"
#define ERROR_CONTROL   "a string contains a raw control character; write it as an escape, like \\n"
#define ERROR_NUL       "the message contains a NUL; send NUL only after a message"
#define ERROR_ZERO      "a string contains \\u0000; leave it out"
#define ERROR_CHARACTER "the message is not JSON; send one JSON object, then LF or NUL"
#define ERROR_TRAILING  "there is text after the JSON object; end each message with LF or NUL"
#define ERROR_CUT       "the input ended inside a message; send the whole message"
#define ERROR_MANY      "the text is more than one message; send one JSON object"
#define ERROR_MEMORY    "the daemon is out of memory; try again later"

/* Meaning of a byte outside strings. */
typedef enum Class {
	CLASS_INVALID,
	CLASS_BLANK,
	CLASS_LINE_FEED,
	CLASS_NUL,
	CLASS_OPEN,
	CLASS_CLOSE,
	CLASS_QUOTE,
	CLASS_TOKEN, /* digits, signs, the letters of true, false and null, comma and colon */
} Class;

static const uint8_t classes[256] = {
	[' '] = CLASS_BLANK,         ['\t'] = CLASS_BLANK, ['\r'] = CLASS_BLANK,
	['\n'] = CLASS_LINE_FEED,    ['\0'] = CLASS_NUL,   ['{'] = CLASS_OPEN,
	['['] = CLASS_OPEN,          ['}'] = CLASS_CLOSE,  [']'] = CLASS_CLOSE,
	['"'] = CLASS_QUOTE,         [','] = CLASS_TOKEN,  [':'] = CLASS_TOKEN,
	['0' ... '9'] = CLASS_TOKEN, ['+'] = CLASS_TOKEN,  ['-'] = CLASS_TOKEN,
	['.'] = CLASS_TOKEN,         ['E'] = CLASS_TOKEN,  ['t'] = CLASS_TOKEN,
	['r'] = CLASS_TOKEN,         ['u'] = CLASS_TOKEN,  ['e'] = CLASS_TOKEN,
	['f'] = CLASS_TOKEN,         ['a'] = CLASS_TOKEN,  ['l'] = CLASS_TOKEN,
	['s'] = CLASS_TOKEN,         ['n'] = CLASS_TOKEN,
};

/* Ends the value before the byte at position end. */
static void frame_complete(Frame *frame, size_t end)
{
	frame->state = FRAME_COMPLETE;
	frame->value_end = (uint32_t)end;
}

/* Enters the state after the first byte of a message. Returns an error, or NULL. */
static const char *frame_begin(Frame *frame, Class class)
{
	switch (class) {
	case CLASS_OPEN:
		frame->depth = 1;
		frame->state = FRAME_VALUE;
		return NULL;
	case CLASS_QUOTE:
		frame->state = FRAME_STRING;
		return NULL;
	case CLASS_TOKEN:
		frame->state = FRAME_SCALAR;
		return NULL;
	default:
		return ERROR_CHARACTER;
	}
}

static const char *frame_scan_value(Frame *frame, Class class)
{
	switch (class) {
	case CLASS_TOKEN:
	case CLASS_BLANK:
	case CLASS_LINE_FEED:
		return NULL;
	case CLASS_QUOTE:
		frame->state = FRAME_STRING;
		return NULL;
	case CLASS_OPEN:
		return ++frame->depth > FRAME_DEPTH_MAX ? ERROR_DEPTH : NULL;
	case CLASS_CLOSE:
		if (--frame->depth == 0)
			frame_complete(frame, frame->scanned + 1);
		return NULL;
	case CLASS_NUL:
		return ERROR_NUL;
	default:
		return ERROR_CHARACTER;
	}
}

static const char *frame_scan_string(Frame *frame, uint8_t byte)
{
	if (byte == '"') {
		if (frame->depth > 0)
			frame->state = FRAME_VALUE;
		else
			frame_complete(frame, frame->scanned + 1);
	} else if (byte == '\\') {
		frame->state = FRAME_ESCAPE;
	} else if (byte == '\0') {
		return ERROR_NUL;
	} else if (byte < 0x20) {
		return ERROR_CONTROL;
	}
	return NULL;
}

static const char *frame_scan_escape(Frame *frame, uint8_t byte)
{
	if (byte < 0x20)
		return byte == '\0' ? ERROR_NUL : ERROR_CONTROL;
	if (byte == 'u') {
		frame->state = FRAME_UNICODE;
		frame->unicode_digits = 0;
		frame->unicode_is_zero = true;
	} else {
		frame->state = FRAME_STRING;
	}
	return NULL;
}

static const char *frame_scan_unicode(Frame *frame, uint8_t byte)
{
	bool is_hex = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
		      (byte >= 'A' && byte <= 'F');

	if (!is_hex)
		return byte == '\0' ? ERROR_NUL : ERROR_CHARACTER;
	if (byte != '0')
		frame->unicode_is_zero = false;
	if (++frame->unicode_digits < 4)
		return NULL;
	frame->state = FRAME_STRING;
	return frame->unicode_is_zero ? ERROR_ZERO : NULL;
}

/* Scans one byte of a message. Returns an error, or NULL. */
static const char *frame_scan(Frame *frame, uint8_t byte)
{
	Class class = classes[byte];

	switch (frame->state) {
	case FRAME_BETWEEN:
		return frame_begin(frame, class);
	case FRAME_VALUE:
		return frame_scan_value(frame, class);
	case FRAME_SCALAR:
		if (class == CLASS_BLANK || class == CLASS_LINE_FEED || class == CLASS_NUL)
			frame_complete(frame, frame->scanned);
		else if (class != CLASS_TOKEN)
			return ERROR_CHARACTER;
		return NULL;
	case FRAME_STRING:
		return frame_scan_string(frame, byte);
	case FRAME_ESCAPE:
		return frame_scan_escape(frame, byte);
	case FRAME_UNICODE:
		return frame_scan_unicode(frame, byte);
	case FRAME_COMPLETE:
		return class == CLASS_BLANK ? NULL : ERROR_TRAILING;
	}
	return ERROR_CHARACTER;
}

/* Consumes blanks, blank lines and stray terminators before a message. */
static void frame_skip_blanks(Buffer *input)
{
	size_t blanks = 0, size = buffer_size(input);
	const char *data = buffer_head(input);

	while (blanks < size) {
		Class class = classes[(uint8_t)data[blanks]];
		if (class != CLASS_BLANK && class != CLASS_LINE_FEED && class != CLASS_NUL)
			break;
		blanks++;
	}
	if (blanks > 0)
		buffer_consume(input, blanks);
}

static FrameResult frame_emit(Frame *frame, Buffer *input, char terminator, size_t size,
			      FrameMessage *ret_message)
{
	*ret_message = (FrameMessage){
		.text = input->data + input->start,
		.length = frame->value_end,
		.size = size,
		.terminator = terminator,
	};
	ret_message->text[ret_message->length] = '\0';
	*frame = FRAME_INIT;
	return FRAME_MESSAGE;
}

static FrameResult frame_finish(Frame *frame, Buffer *input, FrameMessage *ret_message,
				const char **ret_error)
{
	if (frame->state == FRAME_BETWEEN)
		return FRAME_INCOMPLETE;
	if (frame->state == FRAME_SCALAR)
		frame_complete(frame, frame->scanned);
	if (frame->state != FRAME_COMPLETE) {
		*ret_error = ERROR_CUT;
		return FRAME_MALFORMED;
	}
	if (!buffer_reserve(input, 1)) {
		*ret_error = ERROR_MEMORY;
		return FRAME_MALFORMED;
	}
	return frame_emit(frame, input, '\n', frame->scanned, ret_message);
}

/* Counts the ordinary characters of a string from position on, to skip them in one step. */
static size_t plain_bytes(const char *data, size_t position, size_t size)
{
	size_t begin = position;

	while (position < size && (uint8_t)data[position] >= 0x20 && data[position] != '"' &&
	       data[position] != '\\')
		position++;
	return position - begin;
}

FrameResult frame_next(Frame *frame, Buffer *input, bool end_of_input, FrameMessage *ret_message,
		       const char **ret_error)
{
	if (frame->state == FRAME_BETWEEN)
		frame_skip_blanks(input);

	const char *data = buffer_head(input);
	size_t size = buffer_size(input);

	for (; frame->scanned < size; frame->scanned++) {
		if (frame->state == FRAME_STRING) {
			frame->scanned += (uint32_t)plain_bytes(data, frame->scanned, size);
			if (frame->scanned == size)
				break;
		}
		uint8_t byte = (uint8_t)data[frame->scanned];

		if (frame->state == FRAME_COMPLETE && (byte == '\n' || byte == '\0'))
			return frame_emit(frame, input, (char)byte, frame->scanned + 1u,
					  ret_message);
		bool in_scalar = frame->state == FRAME_SCALAR;
		const char *error = frame_scan(frame, byte);
		if (!error && frame->scanned >= FRAME_MESSAGE_MAX)
			error = ERROR_LENGTH;
		if (error) {
			*ret_error = error;
			return FRAME_MALFORMED;
		}
		/* A scalar ends before this byte. Scan it again, as the byte after a value. */
		if (in_scalar && frame->state == FRAME_COMPLETE)
			frame->scanned--;
	}
	if (frame->scanned > FRAME_MESSAGE_MAX) {
		*ret_error = ERROR_LENGTH;
		return FRAME_MALFORMED;
	}
	return end_of_input ? frame_finish(frame, input, ret_message, ret_error) : FRAME_INCOMPLETE;
}

bool frame_is_one_message(Buffer *input, const char **ret_error)
{
	Frame frame = FRAME_INIT;
	FrameMessage message;
	FrameResult result = frame_next(&frame, input, false, &message, ret_error);

	if (result == FRAME_INCOMPLETE)
		*ret_error = ERROR_CUT;
	if (result != FRAME_MESSAGE)
		return false;
	if (message.size != buffer_size(input))
		*ret_error = ERROR_MANY;
	return message.size == buffer_size(input);
}
