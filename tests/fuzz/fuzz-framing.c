/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the splitting of a stream of bytes into messages, and the parsing of each message. The
 * first byte of an input seeds the sizes of the pieces in which the rest arrives. The messages and
 * the error must be those of a stream that arrives at once. The error ends in NUL if a message did,
 * or if it arrived together with a NUL; otherwise in LF.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/framing.h"
#include "proto/json.h"
#include "tests/fuzz/common/fuzz-input.h"

/* The messages of a stream, each with its terminator, and the error that ends it or NULL. */
typedef struct Messages {
	Buffer text;
	size_t count;
	const char *error;
	char terminator; /* of that error */
} Messages;

static void messages_add(Messages *messages, const FrameMessage *message)
{
	fuzz_must(message->length <= FRAME_MESSAGE_MAX && message->length <= message->size);
	fuzz_must(message->text[message->length] == '\0');
	fuzz_must(buffer_append(&messages->text, message->text, message->length));
	fuzz_must(buffer_append(&messages->text, &message->terminator, 1));
	messages->count++;
}

/* A message that ended in LF ends in LF NUL, which counts as NUL. */
static void messages_add_nul(Messages *messages)
{
	fuzz_must(messages->count > 0);
	char *terminator = buffer_tail(&messages->text) - 1;

	fuzz_must(*terminator == '\n');
	*terminator = '\0';
}

/* Takes all complete messages. Returns false once the stream is malformed. */
static bool take_messages(Frame *frame, Buffer *input, bool is_end, Messages *messages)
{
	FrameMessage message;

	for (;;)
		switch (frame_next(frame, input, is_end, &message, &messages->error)) {
		case FRAME_MESSAGE:
			messages_add(messages, &message);
			buffer_consume(input, message.size);
			break;
		case FRAME_LATE_NUL:
			messages_add_nul(messages);
			break;
		case FRAME_INCOMPLETE:
			return true;
		case FRAME_MALFORMED:
			messages->terminator = frame_terminator(frame);
			fuzz_must(buffer_size(input) == 0);
			return false;
		}
}

/* Returns a size from 1 to 64, small ones more often. */
static size_t next_size(uint32_t *seed)
{
	*seed = *seed * 1103515245u + 12345;
	return 1 + (*seed >> 16 & (*seed >> 24 & 63));
}

/* A seed of 0 passes the stream at once. */
static Messages split(Input stream, uint32_t seed)
{
	Messages messages = { .text = BUFFER_INIT };
	Frame frame = FRAME_INIT;
	Buffer input = BUFFER_INIT;
	bool is_sound = true;

	while (is_sound && stream.size > 0) {
		Input piece = input_take(&stream, seed ? next_size(&seed) : SIZE_MAX);

		fuzz_must(buffer_append(&input, piece.data, piece.size));
		is_sound = take_messages(&frame, &input, false, &messages);
	}
	if (is_sound)
		take_messages(&frame, &input, true, &messages);
	buffer_deinit(&input);
	return messages;
}

/* Parses what framing accepts. Text of a value that was parsed must give the same value again. */
static void parse(JsonParser *parser, const char *text, size_t length)
{
	const char *error;
	JsonValue *value = json_parse(parser, text, length, &error);
	char *formatted = error ? NULL : json_format(value, false);

	if (formatted) {
		JsonValue *again = json_parse(parser, formatted, strlen(formatted), &error);
		char *same = json_format(again, false);

		fuzz_must(!error && same && strcmp(formatted, same) == 0);
		free(same);
		json_free(again);
	}
	free(formatted);
	json_free(value);
}

/* Checks that the error's terminator is NUL if a message before it ended in NUL. */
static void check_terminator(const Messages *messages)
{
	if (messages->error && messages->count > 0 &&
	    memchr(messages->text.data, '\0', buffer_size(&messages->text)))
		fuzz_must(messages->terminator == '\0');
}

static void parse_all(Messages *messages)
{
	JsonParser *parser = json_parser_new();
	char *text = messages->text.data;

	fuzz_must(parser != NULL);
	for (size_t i = 0, begin = 0; i < messages->text.end; i++)
		if (text[i] == '\n' || text[i] == '\0') {
			text[i] = '\0';
			parse(parser, text + begin, i - begin);
			begin = i + 1;
		}
	json_parser_free(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	uint32_t seed = 1u + input_byte(&input);
	Messages whole = split(input, 0), pieces = split(input, seed);

	fuzz_must(whole.count == pieces.count && whole.error == pieces.error);
	fuzz_must(buffer_size(&whole.text) == buffer_size(&pieces.text));
	fuzz_must(whole.count == 0 ||
		  memcmp(whole.text.data, pieces.text.data, buffer_size(&whole.text)) == 0);
	check_terminator(&whole);
	check_terminator(&pieces);
	parse_all(&whole);
	buffer_deinit(&whole.text);
	buffer_deinit(&pieces.text);
	return 0;
}
