/* SPDX-License-Identifier: MIT */
/*
 * Messages in a stream of bytes, proto/framing.c.
 *
 * Proved, for every sequence of bytes and every way to split it into two pieces: the scanner never
 * reads or writes outside the input. It finds the same message as in one piece, or the same fault,
 * and no later. A message lies inside the input, begins with no blank, ends in a NUL, and between
 * its value and its terminator are only blanks. The terminator is the last of its bytes. It is the
 * first LF or NUL behind the value, or the NUL directly behind that LF. If the input is split
 * between these two, the message ends in LF, and the NUL is expected. A fault has a sentence.
 * Scanning goes on only if there is no message yet, and takes no byte back.
 *
 * Bound: inputs of BYTES bytes. The scanner keeps only its state and counters between bytes, so
 * most steps occur in short inputs. A whole \uXXXX and the limits on depth, length and values do
 * not: tests/unit/proto covers these.
 */
#include "proto/framing.h"
#include "tests/proofs/proof.h"

#ifndef BYTES
#define BYTES 3
#endif

typedef struct Bytes {
	char at[BYTES];
} Bytes;

Bytes nondet_bytes(void);

typedef struct Outcome {
	FrameResult result;
	size_t start; /* of the message in the stream */
	size_t length, size;
	char terminator;
	Frame frame;
} Outcome;

/* The input has no byte more than it needs, so that each step outside is found. */
static Buffer input_of(char *bytes, size_t size)
{
	return (Buffer){ .data = bytes, .end = size, .capacity = BYTES };
}

static void check_message(const Bytes *before, const Buffer *input, const FrameMessage *message,
			  size_t start)
{
	size_t at = nondet_size();

	assert(message->text == input->data + input->start);
	assert(message->size >= 2 && message->size <= buffer_size(input));
	assert(message->length >= 1 && message->length < message->size);
	assert(message->text[message->length] == '\0');
	assert(before->at[start + message->size - 1] == message->terminator);
	assert(message->terminator == '\n' || message->terminator == '\0');
	assume(at >= message->length && at < message->size - 1);
	char byte = before->at[start + at];
	bool is_before_nul = at == message->size - 2 && message->terminator == '\0';
	assert(byte == ' ' || byte == '\t' || byte == '\r' || (byte == '\n' && is_before_nul));
}

/* Looks for the first message, after pieces of these sizes have arrived. */
static Outcome scan(const Bytes *stream, size_t first, size_t second)
{
	Bytes bytes = *stream;
	Buffer input = input_of(bytes.at, first);
	Frame frame = FRAME_INIT;
	FrameMessage message = { 0 };
	const char *error = NULL;
	FrameResult result = frame_next(&frame, &input, false, &message, &error);

	if (result == FRAME_INCOMPLETE && second > 0) {
		/* An input without bytes begins at 0 again. */
		size_t gone = input.end == 0 ? first : input.start;

		input.start = gone;
		input.end = first + second;
		result = frame_next(&frame, &input, false, &message, &error);
	}
	size_t start = input.end == 0 ? first + second : input.start;
	if (result == FRAME_MESSAGE)
		check_message(stream, &input, &message, start);
	assert((result == FRAME_MALFORMED) == (error != NULL));
	return (Outcome){ result, start, message.length, message.size, message.terminator, frame };
}

PROOF(framing)
{
	Bytes stream = nondet_bytes();
	size_t split = nondet_size();

	assume(split <= BYTES);
	Outcome whole = scan(&stream, BYTES, 0);
	Outcome parts = scan(&stream, split, BYTES - split);

	assert(whole.result == parts.result);
	if (whole.result == FRAME_INCOMPLETE)
		assert(whole.frame.scanned == parts.frame.scanned);
	if (whole.result != FRAME_MESSAGE)
		return;
	assert(whole.start == parts.start && whole.length == parts.length);
	if (whole.terminator == parts.terminator) {
		assert(whole.size == parts.size);
		return;
	}
	assert(whole.terminator == '\0' && parts.terminator == '\n');
	assert(whole.size == parts.size + 1 && parts.start + parts.size == split);
	assert(parts.frame.nul_may_follow);
}
