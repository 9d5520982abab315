/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/etcd/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/fleet/etcd/base64.h"
#include "proto/macros.h"

static const char NO_MEMORY[] = "out of memory";

/* Values of answers */

/*
 * Reads a member that is a non-negative integer of up to 64 bits: a string of digits, or absent for
 * zero. Returns false, with *ret unchanged, for anything else.
 */
static bool read_uint64(const JsonValue *object, const char *name, uint64_t maximum, uint64_t *ret)
{
	const JsonValue *member = json_member(object, name);
	const char *digits = json_string(member);
	uint64_t number = 0;

	if (!member) {
		*ret = 0;
		return true;
	}
	if (!digits || !*digits)
		return false;
	for (; *digits; digits++) {
		if (*digits < '0' || *digits > '9')
			return false;
		uint64_t digit = (uint64_t)(*digits - '0');
		if (number > (maximum - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret = number;
	return true;
}

static bool read_int64(const JsonValue *object, const char *name, int64_t *ret)
{
	uint64_t number;

	if (!read_uint64(object, name, INT64_MAX, &number))
		return false;
	*ret = (int64_t)number;
	return true;
}

/* Reads a member that is absent if it is false. */
static bool read_flag(const JsonValue *object, const char *name, bool *ret)
{
	const JsonValue *member = json_member(object, name);

	*ret = false;
	return !member || json_read_boolean(member, ret);
}

static bool read_revision(const JsonValue *answer, int64_t *ret)
{
	const JsonValue *header = json_member(answer, "header");

	return json_type_of(header) == JSON_OBJECT && read_int64(header, "revision", ret);
}

/* Returns the size of the character at the text, or 0 if it is not UTF-8. */
static size_t character_size(const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;
	unsigned int lowest = 0x80, highest = 0xbf;
	size_t size;

	if (bytes[0] < 0x80)
		return 1;
	if (bytes[0] < 0xc2 || bytes[0] > 0xf4)
		return 0;
	size = bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
	if (bytes[0] == 0xe0)
		lowest = 0xa0;
	else if (bytes[0] == 0xed)
		highest = 0x9f;
	else if (bytes[0] == 0xf0)
		lowest = 0x90;
	else if (bytes[0] == 0xf4)
		highest = 0x8f;
	if (bytes[1] < lowest || bytes[1] > highest)
		return 0;
	for (size_t i = 2; i < size; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

/* Tests whether decoded bytes are UTF-8 without a NUL. They end with one. */
static bool is_text(const Buffer *bytes)
{
	const char *text = buffer_head(bytes), *end = text + buffer_size(bytes) - 1;

	while (*text) {
		size_t size = character_size(text);
		if (size == 0)
			return false;
		text += size;
	}
	return text == end;
}

/* Decodes a member in base64, which is absent if it is empty. */
static const char *read_bytes(const JsonValue *object, const char *name, Buffer *ret)
{
	const JsonValue *member = json_member(object, name);
	const char *text = member ? json_string(member) : "";

	if (!text)
		return "a key or value is not a string";
	switch (base64_decode(ret, text)) {
	case BASE64_DECODED:
		return NULL;
	case BASE64_NO_MEMORY:
		return NO_MEMORY;
	case BASE64_MALFORMED:
		break;
	}
	return "a key or value is not in base64";
}

/* Builds the value of a server's text, within the bounds. */
static JsonValue *parse(JsonParser *parser, JsonText text, const char **ret_fault)
{
	static const JsonBounds bounds = { .depth = JSON_DEPTH_MAX,
					   .values = MESSAGE_VALUES_MAX,
					   .digits = 32 };
	JsonScan scan = { 0 };
	size_t position = 0;

	*ret_fault = "the answer is not JSON";
	if (json_scan(&scan, &bounds, text.start, text.length, &position) != JSON_SCAN_COMPLETE)
		return NULL;
	while (position < text.length && memchr(" \t\r\n", text.start[position], 4))
		position++;
	if (position < text.length)
		return NULL;
	JsonValue *value = json_build(parser, text, ret_fault);
	if (!value && !*ret_fault)
		*ret_fault = "the answer is not an object";
	return value;
}

static void free_value(JsonValue **value)
{
	json_free(*value);
}

/* Entries */

/*
 * Gives an entry to the visitor. key: receives the key as it is in etcd. Skips a key that cannot be
 * shown.
 */
static const char *visit_entry(const EntryReader *reader, const JsonValue *pair, bool is_deleted,
			       Buffer *key)
{
	_cleanup_(buffer_deinit) Buffer value = BUFFER_INIT;
	size_t length = strlen(reader->prefix);
	EtcdEntry entry = { 0 };
	const char *fault = read_bytes(pair, "key", key);

	if (!fault)
		fault = read_bytes(pair, "value", &value);
	if (fault)
		return fault;
	if (!read_int64(pair, "mod_revision", &entry.mod_revision) ||
	    !read_int64(pair, "lease", &entry.lease))
		return "a revision or lease is not a number";
	if (!is_text(key) || strncmp(buffer_head(key), reader->prefix, length) != 0)
		return NULL;
	entry.key = buffer_head(key) + length;
	entry.value = is_text(&value) && !is_deleted ? buffer_head(&value) : "";
	return reader->visit(reader->context, &entry, is_deleted);
}

/* Visits all pairs. last_key receives the last key, without a NUL behind it. */
static const char *visit_pairs(const EntryReader *reader, const JsonValue *pairs, Buffer *last_key)
{
	for (size_t i = 0; i < json_array_size(pairs); i++) {
		buffer_truncate(last_key, 0);
		const char *fault = visit_entry(reader, json_array_at(pairs, i), false, last_key);
		if (fault)
			return fault;
		buffer_truncate(last_key, buffer_size(last_key) - 1);
	}
	return NULL;
}

const char *message_read_range(const EntryReader *reader, JsonText text, Buffer *last_key,
			       RangeAnswer *ret)
{
	const char *fault;
	_cleanup_(free_value) JsonValue *answer = parse(reader->parser, text, &fault);
	const JsonValue *pairs = json_member(answer, "kvs");

	if (!answer)
		return fault;
	if (!read_revision(answer, &ret->revision) ||
	    !read_uint64(json_member(answer, "header"), "cluster_id", UINT64_MAX, &ret->cluster) ||
	    !read_flag(answer, "more", &ret->has_more) ||
	    (pairs && json_type_of(pairs) != JSON_ARRAY))
		return "the answer is not a list of keys";
	if (ret->has_more && json_array_size(pairs) == 0)
		return "the answer announces further keys, and lists none";
	return visit_pairs(reader, pairs, last_key);
}

/* Watches */

/* Copies a server's text. The parser has checked that it is UTF-8. */
static void set_words(ServerWords *words, const char *text)
{
	size_t length = 0;

	while (text && *text) {
		size_t size = character_size(text);
		if (size == 0 || length + size >= sizeof(words->text))
			break;
		memcpy(words->text + length, text, size);
		if ((unsigned char)*text < ' ' || *text == '\x7f')
			words->text[length] = ' ';
		length += size;
		text += size;
	}
	words->text[length] = '\0';
}

/* Reads what an error says, in the forms of grpc-gateway 1 and 2. */
static void set_words_of_error(ServerWords *words, const JsonValue *error)
{
	const char *text = json_string(json_member(error, "message"));

	if (!text)
		text = json_string(json_member(error, "error"));
	set_words(words, text);
}

static const char *visit_events(const EntryReader *reader, const JsonValue *events)
{
	for (size_t i = 0; i < json_array_size(events); i++) {
		_cleanup_(buffer_deinit) Buffer key = BUFFER_INIT;
		const JsonValue *event = json_array_at(events, i);
		const char *type = json_string(json_member(event, "type"));
		bool is_deleted = type && strcmp(type, "DELETE") == 0;

		if (json_member(event, "type") && !is_deleted &&
		    (!type || strcmp(type, "PUT") != 0))
			return "an event is of an unknown type";
		const char *fault = visit_entry(reader, json_member(event, "kv"), is_deleted, &key);
		if (fault)
			return fault;
	}
	return NULL;
}

/* Reads the members of a watch's answer that stand beside its changes. */
static bool read_watch_head(const JsonValue *result, WatchAnswer *ret)
{
	const JsonValue *header = json_member(result, "header");

	return json_type_of(result) == JSON_OBJECT &&
	       read_int64(header, "revision", &ret->revision) &&
	       read_uint64(header, "cluster_id", UINT64_MAX, &ret->cluster) &&
	       read_flag(result, "created", &ret->is_created) &&
	       read_flag(result, "fragment", &ret->is_fragment) &&
	       read_flag(result, "canceled", &ret->has_ended) &&
	       read_int64(result, "compact_revision", &ret->compact_revision);
}

const char *message_read_watch(const EntryReader *reader, JsonText text, WatchAnswer *ret)
{
	const char *fault;
	_cleanup_(free_value) JsonValue *answer = parse(reader->parser, text, &fault);
	const JsonValue *result = json_member(answer, "result");
	const JsonValue *error = json_member(answer, "error");

	*ret = (WatchAnswer){ 0 };
	if (!answer)
		return fault;
	if (error) {
		ret->has_ended = true;
		set_words_of_error(&ret->why, json_type_of(error) == JSON_OBJECT ? error : answer);
		return NULL;
	}
	if (!read_watch_head(result, ret))
		return "the answer is not one of a watch";
	set_words(&ret->why, json_string(json_member(result, "cancel_reason")));
	return visit_events(reader, json_member(result, "events"));
}

/* Leases and changes */

const char *message_read_grant(JsonParser *parser, JsonText text, LeaseAnswer *ret)
{
	const char *fault;
	_cleanup_(free_value) JsonValue *answer = parse(parser, text, &fault);

	if (!answer)
		return fault;
	if (!read_int64(answer, "ID", &ret->lease) || !read_int64(answer, "TTL", &ret->ttl) ||
	    ret->lease == 0 || ret->ttl == 0)
		return "the answer has no lease";
	return NULL;
}

const char *message_read_keepalive(JsonParser *parser, JsonText text, LeaseAnswer *ret)
{
	const char *fault;
	_cleanup_(free_value) JsonValue *answer = parse(parser, text, &fault);
	const JsonValue *result = json_member(answer, "result");

	if (!answer)
		return fault;
	if (!read_int64(result, "ID", &ret->lease) || !read_int64(result, "TTL", &ret->ttl) ||
	    ret->lease == 0)
		return "the answer has no lease";
	return NULL;
}

const char *message_read_change(JsonParser *parser, JsonText text, bool is_swap, ChangeAnswer *ret)
{
	const char *fault;
	_cleanup_(free_value) JsonValue *answer = parse(parser, text, &fault);

	if (!answer)
		return fault;
	if (!read_revision(answer, &ret->revision) ||
	    !read_flag(answer, "succeeded", &ret->has_succeeded))
		return "the answer has no revision";
	ret->has_succeeded |= !is_swap;
	return NULL;
}

/* The status names an alarm as "memberID:1 alarm:NOSPACE ". Other errors have no alarm. */
const char *message_read_status(JsonParser *parser, JsonText text, ServerWords *ret_alarm)
{
	const char *fault;
	_cleanup_(free_value) JsonValue *answer = parse(parser, text, &fault);
	const JsonValue *errors = json_member(answer, "errors");
	const char *alarm = NULL;

	if (!answer)
		return fault;
	if (json_type_of(json_member(answer, "header")) != JSON_OBJECT ||
	    (errors && json_type_of(errors) != JSON_ARRAY))
		return "the answer is not a status";
	for (size_t i = 0; !alarm && i < json_array_size(errors); i++) {
		const char *error = json_string(json_array_at(errors, i));

		alarm = error ? strstr(error, "alarm:") : NULL;
	}
	set_words(ret_alarm, alarm ? alarm + strlen("alarm:") : NULL);
	ret_alarm->text[strcspn(ret_alarm->text, " ")] = '\0';
	return NULL;
}

void message_read_error(JsonParser *parser, JsonText text, ServerWords *ret)
{
	const char *fault;
	_cleanup_(free_value) JsonValue *answer = parse(parser, text, &fault);

	set_words_of_error(ret, answer);
}

/* Streams */

MessageStreamResult message_stream_next(MessageStream *stream, Buffer *input, size_t *ret_size)
{
	static const JsonBounds bounds = { .depth = JSON_DEPTH_MAX,
					   .values = MESSAGE_VALUES_MAX,
					   .digits = 32 };

	if (stream->scanned == 0)
		while (buffer_size(input) > 0 && memchr(" \t\r\n", *buffer_head(input), 4))
			buffer_consume(input, 1);
	if (buffer_size(input) == 0)
		return MESSAGE_STREAM_INCOMPLETE;
	JsonScanResult result = json_scan(&stream->scan, &bounds, buffer_head(input),
					  buffer_size(input), &stream->scanned);
	if (result == JSON_SCAN_INCOMPLETE && buffer_size(input) <= MESSAGE_SIZE_MAX)
		return MESSAGE_STREAM_INCOMPLETE;
	if (result != JSON_SCAN_COMPLETE)
		return MESSAGE_STREAM_FAULT;
	*ret_size = stream->scanned;
	*stream = (MessageStream){ 0 };
	return MESSAGE_STREAM_VALUE;
}
