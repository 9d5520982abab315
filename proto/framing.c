/* SPDX-License-Identifier: MIT */
#include "proto/framing.h"

#include <assert.h>

#include "proto/macros.h"

#define ERROR_LENGTH   "the message is longer than 65536 bytes; send less in one message"
#define ERROR_TRAILING "there is text after the JSON object; end each message with LF or NUL"
#define ERROR_CUT      "the input ended inside a message; send the whole message"
#define ERROR_MANY     "the text is more than one message; send one JSON object"
#define ERROR_MEMORY   "the daemon is out of memory; try again later"

static const JsonBounds message_bounds = {
	.depth = FRAME_DEPTH_MAX,
	.values = FRAME_VALUES_MAX,
	.digits = FRAME_DIGITS_MAX,
};

static const char *const fault_sentences[JSON_SCAN_RESULT_MAX] = {
	[JSON_SCAN_FAULT_SYNTAX] = "the message is not JSON; send one JSON object, then LF or NUL",
	[JSON_SCAN_FAULT_NUL] = "the message contains a NUL; send NUL only after a message",
	[JSON_SCAN_FAULT_ZERO] = "a string contains \\u0000; leave it out",
	[JSON_SCAN_FAULT_CONTROL] =
		"a string contains a raw control character; write it as an escape, like \\n",
	[JSON_SCAN_FAULT_UTF8] = "a string is not UTF-8; send text as UTF-8",
	[JSON_SCAN_FAULT_CUT] = ERROR_CUT,
	[JSON_SCAN_FAULT_DEPTH] =
		"the message is nested deeper than 16 levels; nest it less deeply",
	[JSON_SCAN_FAULT_VALUES] = "the message contains more than 512 values; send fewer",
	[JSON_SCAN_FAULT_DIGITS] = "a number has more than 32 digits; send fewer",
};

static FrameResult fail(const char *error, const char **ret_error)
{
	*ret_error = error;
	return FRAME_MALFORMED;
}

/* Consumes blanks, blank lines and stray terminators before a message. */
static void frame_skip_blanks(Buffer *input)
{
	static const bool is_skipped[256] = {
		[' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true, ['\0'] = true,
	};
	size_t blanks = 0, size = buffer_size(input);
	const char *data = buffer_head(input);

	while (blanks < size && is_skipped[(uint8_t)data[blanks]])
		blanks++;
	if (blanks > 0)
		buffer_consume(input, blanks);
}

static FrameResult frame_emit(Frame *frame, Buffer *input, char terminator, size_t size,
			      FrameMessage *ret_message)
{
	assert(input->data);

	*ret_message = (FrameMessage){
		.text = input->data + input->start,
		.length = frame->value_end,
		.size = size,
		.terminator = terminator,
	};
	ret_message->text[ret_message->length] = '\0';
	*frame = (Frame){
		.uses_nul = frame->uses_nul || terminator == '\0',
		.nul_may_follow = terminator == '\n' && size == buffer_size(input),
	};
	return FRAME_MESSAGE;
}

/* Takes the message with its terminator, which is at the offset. */
static FrameResult frame_terminate(Frame *frame, Buffer *input, size_t at,
				   FrameMessage *ret_message)
{
	const char *data = buffer_head(input);
	bool is_line = data[at] == '\n';

	if (is_line && at + 1 < buffer_size(input) && data[at + 1] == '\0')
		return frame_emit(frame, input, '\0', at + 2, ret_message);
	return frame_emit(frame, input, is_line ? '\n' : '\0', at + 1, ret_message);
}

/* Looks for the terminator after the value. */
static FrameResult frame_scan_end(Frame *frame, Buffer *input, FrameMessage *ret_message,
				  const char **ret_error)
{
	const char *data = buffer_head(input);

	for (; frame->scanned < buffer_size(input); frame->scanned++) {
		char byte = data[frame->scanned];

		if (byte == '\n' || byte == '\0')
			return frame_terminate(frame, input, frame->scanned, ret_message);
		if (byte != ' ' && byte != '\t' && byte != '\r')
			return fail(ERROR_TRAILING, ret_error);
		if (frame->scanned >= FRAME_MESSAGE_MAX)
			return fail(ERROR_LENGTH, ret_error);
	}
	return FRAME_INCOMPLETE;
}

static FrameResult frame_scan(Frame *frame, Buffer *input, FrameMessage *ret_message,
			      const char **ret_error)
{
	size_t size = buffer_size(input);
	size_t scannable = size < FRAME_MESSAGE_MAX ? size : FRAME_MESSAGE_MAX;
	JsonScanResult result = json_scan(&frame->scan, &message_bounds, buffer_head(input),
					  scannable, &frame->scanned);

	if (result == JSON_SCAN_INCOMPLETE && size > FRAME_MESSAGE_MAX)
		return fail(ERROR_LENGTH, ret_error);
	if (result == JSON_SCAN_INCOMPLETE)
		return FRAME_INCOMPLETE;
	if (result != JSON_SCAN_COMPLETE)
		return fail(fault_sentences[result], ret_error);
	if (frame->value_end == 0)
		frame->value_end = frame->scanned;
	return frame_scan_end(frame, input, ret_message, ret_error);
}

/* Lets the end of the input terminate the message. */
static FrameResult frame_finish(Frame *frame, Buffer *input, FrameMessage *ret_message,
				const char **ret_error)
{
	if (!frame_is_partial(frame))
		return FRAME_INCOMPLETE;
	if (json_scan_end(&frame->scan) != JSON_SCAN_COMPLETE)
		return fail(ERROR_CUT, ret_error);
	if (frame->value_end == 0)
		frame->value_end = frame->scanned;
	if (!buffer_reserve(input, 1))
		return fail(ERROR_MEMORY, ret_error);
	return frame_emit(frame, input, '\n', frame->scanned, ret_message);
}

static FrameResult frame_find(Frame *frame, Buffer *input, bool end_of_input,
			      FrameMessage *ret_message, const char **ret_error)
{
	if (!frame_is_partial(frame))
		frame_skip_blanks(input);

	FrameResult result = frame_scan(frame, input, ret_message, ret_error);

	if (result == FRAME_INCOMPLETE && end_of_input)
		return frame_finish(frame, input, ret_message, ret_error);
	return result;
}

/* Consumes the NUL of a message that has already ended in LF. Returns false if it is not there. */
static bool frame_take_late_nul(Frame *frame, Buffer *input)
{
	if (!frame->nul_may_follow || buffer_size(input) == 0)
		return false;
	frame->nul_may_follow = false;
	if (*buffer_head(input) != '\0')
		return false;
	buffer_consume(input, 1);
	frame->uses_nul = true;
	return true;
}

static bool contains_nul(const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] == '\0')
			return true;
	return false;
}

/* Consumes malformed input, and looks for the end of its message. */
static FrameResult frame_discard(Frame *frame, Buffer *input, bool end_of_input,
				 const char **ret_error)
{
	size_t size = buffer_size(input);
	const char *data = buffer_head(input);
	bool has_nul = contains_nul(data, size);
	bool is_line = size > 0 && data[size - 1] == '\n';

	frame->uses_nul |= has_nul;
	buffer_consume(input, size);
	if (has_nul || is_line || end_of_input)
		frame->end_is_awaited = false;
	return fail(frame->error, ret_error);
}

FrameResult frame_next(Frame *frame, Buffer *input, bool end_of_input, FrameMessage *ret_message,
		       const char **ret_error)
{
	if (frame_take_late_nul(frame, input))
		return FRAME_LATE_NUL;
	if (!frame->error) {
		FrameResult result =
			frame_find(frame, input, end_of_input, ret_message, &frame->error);

		if (result != FRAME_MALFORMED)
			return result;
		frame->scanned = 0;
		frame->end_is_awaited = true;
	}
	return frame_discard(frame, input, end_of_input, ret_error);
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
