/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the answers of an etcd. The first byte chooses the reader, and how many bytes of a stream
 * arrive at a time. Each key is shown behind the prefix, as UTF-8, and words have no control
 * character. A stream has the same values however it is split.
 */
#include <string.h>

#include "daemon/fleet/etcd/base64.h"
#include "daemon/fleet/etcd/message.h"
#include "proto/macros.h"
#include "tests/fuzz/common/fuzz-input.h"

static bool is_utf8(const char *text)
{
	_cleanup_(buffer_deinit) Buffer quoted = BUFFER_INIT;
	size_t position;

	fuzz_must(buffer_append(&quoted, "\"", 1));
	for (; *text; text++)
		if ((unsigned char)*text >= 0x20 && *text != '"' && *text != '\\')
			fuzz_must(buffer_append(&quoted, text, 1));
	fuzz_must(buffer_append(&quoted, "\"", 1));
	return json_check(buffer_head(&quoted), buffer_size(&quoted), &position) == NULL;
}

static const char *visit(void *context, const EtcdEntry *entry, bool is_deleted)
{
	size_t *count = context;

	(*count)++;
	fuzz_must(is_utf8(entry->key) && is_utf8(entry->value));
	fuzz_must(entry->mod_revision >= 0 && entry->lease >= 0);
	fuzz_must(!is_deleted || entry->value[0] == '\0');
	return NULL;
}

static void check_words(const ServerWords *words)
{
	fuzz_must(memchr(words->text, '\0', sizeof(words->text)) && is_utf8(words->text));
	for (const char *at = words->text; *at; at++)
		fuzz_must((unsigned char)*at >= 0x20 && *at != 0x7f);
}

static void read_watch(const EntryReader *reader, JsonText text)
{
	WatchAnswer answer;

	if (message_read_watch(reader, text, &answer))
		return;
	check_words(&answer.why);
	fuzz_must(answer.compact_revision >= 0);
}

static void read_range(const EntryReader *reader, JsonText text)
{
	_cleanup_(buffer_deinit) Buffer last_key = BUFFER_INIT, request = BUFFER_INIT;
	RangeAnswer answer;

	if (message_read_range(reader, text, &last_key, &answer) || !answer.has_more)
		return;
	fuzz_must(message_range(&request, reader->prefix, &last_key, 10, answer.revision));
	fuzz_must(json_check(buffer_head(&request), buffer_size(&request), &(size_t){ 0 }) == NULL);
}

static void read_lease(JsonParser *parser, JsonText text)
{
	LeaseAnswer answer;
	ServerWords words;

	if (!message_read_grant(parser, text, &answer))
		fuzz_must(answer.lease > 0 && answer.ttl > 0);
	if (!message_read_keepalive(parser, text, &answer))
		fuzz_must(answer.lease > 0 && answer.ttl >= 0);
	if (!message_read_status(parser, text, &words))
		check_words(&words);
	message_read_error(parser, text, &words);
	check_words(&words);
}

static void read_change(JsonParser *parser, JsonText text)
{
	ChangeAnswer answer;

	if (!message_read_change(parser, text, false, &answer))
		fuzz_must(answer.has_succeeded && answer.revision >= 0);
	if (!message_read_change(parser, text, true, &answer))
		fuzz_must(answer.revision >= 0);
}

/* Appends the values of a stream to found, each behind a NUL. Returns false if the stream is wrong.
 */
static bool split_stream(Input input, size_t step, Buffer *found)
{
	_cleanup_(buffer_deinit) Buffer buffer = BUFFER_INIT;
	MessageStream stream = { 0 };
	size_t size;

	while (input.size > 0) {
		Input piece = input_take(&input, step);
		MessageStreamResult result;

		fuzz_must(buffer_append(&buffer, piece.data, piece.size));
		while ((result = message_stream_next(&stream, &buffer, &size)) ==
		       MESSAGE_STREAM_VALUE) {
			fuzz_must(json_check(buffer_head(&buffer), size, &(size_t){ 0 }) == NULL);
			fuzz_must(buffer_append(found, "", 1));
			fuzz_must(buffer_append(found, buffer_head(&buffer), size));
			buffer_consume(&buffer, size);
		}
		if (result == MESSAGE_STREAM_FAULT)
			return false;
	}
	return true;
}

static void compare_streams(Input input, size_t step)
{
	_cleanup_(buffer_deinit) Buffer whole = BUFFER_INIT, split = BUFFER_INIT;

	fuzz_must(split_stream(input, input.size, &whole) == split_stream(input, step, &split));
	fuzz_must(buffer_size(&whole) == buffer_size(&split));
	fuzz_must(memcmp(buffer_head(&whole), buffer_head(&split), buffer_size(&whole)) == 0);
}

static void decode(Input input)
{
	_cleanup_(buffer_deinit) Buffer plain = BUFFER_INIT, encoded = BUFFER_INIT;
	_cleanup_free_ char *text = input_text(input);

	if (base64_decode(&plain, text) != BASE64_DECODED)
		return;
	fuzz_must(base64_encode(&encoded, buffer_head(&plain), buffer_size(&plain) - 1));
	fuzz_must(buffer_size(&encoded) == strlen(text));
	fuzz_must(memcmp(buffer_head(&encoded), text, strlen(text)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	uint8_t choice = input_byte(&input);
	JsonParser *parser = json_parser_new();
	JsonText text = { .start = (const char *)input.data, .length = input.size };
	size_t count = 0;
	EntryReader reader = {
		.parser = parser, .prefix = "/v/", .visit = visit, .context = &count
	};

	if (choice % 6 == 0)
		read_range(&reader, text);
	else if (choice % 6 == 1)
		read_watch(&reader, text);
	else if (choice % 6 == 2)
		read_lease(parser, text);
	else if (choice % 6 == 3)
		read_change(parser, text);
	else if (choice % 6 == 4)
		compare_streams(input, 1 + choice / 6);
	else
		decode(input);
	fuzz_must(count <= size);
	json_parser_free(parser);
	return 0;
}
