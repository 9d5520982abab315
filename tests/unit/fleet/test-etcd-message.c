/* SPDX-License-Identifier: MIT */
/*
 * Requests and answers of etcd's JSON gateway: the texts that etcd 3.4 has answered, what is wrong
 * with those of a broken server, and streams that are split anywhere.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/fleet/etcd/base64.h"
#include "daemon/fleet/etcd/message.h"
#include "proto/macros.h"

TestSuite(etcd_message);

#define HEADER                                                               \
	"\"header\":{\"cluster_id\":\"15118495548433857066\",\"member_id\":" \
	"\"13668033151171901709\","                                          \
	"\"revision\":\"4\",\"raft_term\":\"2\"}"

static JsonText text_of(const char *text)
{
	return (JsonText){ .start = text, .length = strlen(text) };
}

static void expect_text(Buffer *buffer, const char *expected)
{
	cr_assert_eq(buffer_size(buffer), strlen(expected), "%.*s", (int)buffer_size(buffer),
		     buffer_head(buffer));
	cr_assert_eq(memcmp(buffer_head(buffer), expected, strlen(expected)), 0, "%.*s",
		     (int)buffer_size(buffer), buffer_head(buffer));
	buffer_truncate(buffer, 0);
}

Test(etcd_message, base64_of_rfc_4648)
{
	static const struct {
		const char *plain, *encoded;
	} rows[] = { { "", "" },
		     { "f", "Zg==" },
		     { "fo", "Zm8=" },
		     { "foo", "Zm9v" },
		     { "foob", "Zm9vYg==" },
		     { "fooba", "Zm9vYmE=" },
		     { "foobar", "Zm9vYmFy" },
		     { "\xfb\xff\xbf", "+/+/" } };
	_cleanup_(buffer_deinit) Buffer buffer = BUFFER_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert(base64_encode(&buffer, rows[i].plain, strlen(rows[i].plain)));
		expect_text(&buffer, rows[i].encoded);
		cr_assert_eq(base64_decode(&buffer, rows[i].encoded), BASE64_DECODED);
		cr_assert_eq(buffer_size(&buffer), strlen(rows[i].plain) + 1);
		cr_assert_str_eq(buffer_head(&buffer), rows[i].plain);
		buffer_truncate(&buffer, 0);
	}
}

Test(etcd_message, malformed_base64_adds_nothing)
{
	static const char *const texts[] = { "Z",    "Zg",  "Zg=",      "Z===", "====", "=Zg=",
					     "Zg=a", "Zg ", "Zg==Zg==", "Zh==", "Zm9=", "Zm\n8" };
	_cleanup_(buffer_deinit) Buffer buffer = BUFFER_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cr_assert_eq(base64_decode(&buffer, texts[i]), BASE64_MALFORMED, "%s", texts[i]);
		cr_assert_eq(buffer_size(&buffer), 0u);
	}
}

Test(etcd_message, requests)
{
	_cleanup_(buffer_deinit) Buffer out = BUFFER_INIT;
	_cleanup_(buffer_deinit) Buffer after = BUFFER_INIT;

	cr_assert(message_put(&out, "/v/", "a", "hello", 0));
	expect_text(&out, "{\"key\":\"L3YvYQ==\",\"value\":\"aGVsbG8=\"}");
	cr_assert(message_put(&out, "/v/", "a", "hello", INT64_MAX));
	expect_text(&out, "{\"key\":\"L3YvYQ==\",\"value\":\"aGVsbG8=\","
			  "\"lease\":\"9223372036854775807\"}");
	cr_assert(message_delete(&out, "/v/", "a"));
	expect_text(&out, "{\"key\":\"L3YvYQ==\"}");
	cr_assert(message_swap(&out, "/v/", &(MessageSwap){ .key = "a", .value = "hello" }));
	expect_text(&out, "{\"compare\":[{\"key\":\"L3YvYQ==\",\"target\":\"MOD\","
			  "\"result\":\"EQUAL\",\"mod_revision\":\"0\"}],\"success\":["
			  "{\"request_put\":{\"key\":\"L3YvYQ==\",\"value\":\"aGVsbG8=\"}}]}");
	cr_assert(message_swap(&out, "/v/", &(MessageSwap){ .key = "a", .mod_revision = 7 }));
	expect_text(&out, "{\"compare\":[{\"key\":\"L3YvYQ==\",\"target\":\"MOD\","
			  "\"result\":\"EQUAL\",\"mod_revision\":\"7\"}],\"success\":["
			  "{\"request_delete_range\":{\"key\":\"L3YvYQ==\"}}]}");
	const MessageSwap guarded = { "a", 7, "hello", "a", 5, "a", 9 };
	cr_assert(message_swap(&out, "/v/", &guarded));
	expect_text(&out, "{\"compare\":[{\"key\":\"L3YvYQ==\",\"target\":\"MOD\","
			  "\"result\":\"EQUAL\",\"mod_revision\":\"7\"},"
			  "{\"key\":\"L3YvYQ==\",\"target\":\"LEASE\","
			  "\"result\":\"EQUAL\",\"lease\":\"5\"},"
			  "{\"key\":\"L3YvYQ==\",\"target\":\"MOD\","
			  "\"result\":\"EQUAL\",\"mod_revision\":\"9\"}],\"success\":["
			  "{\"request_put\":{\"key\":\"L3YvYQ==\",\"value\":\"aGVsbG8=\"}}]}");
	cr_assert(message_range(&out, "/v/", NULL, 100, 0));
	expect_text(&out, "{\"key\":\"L3Yv\",\"range_end\":\"L3Yw\",\"limit\":\"100\"}");
	cr_assert(buffer_append(&after, "/v/a", 4));
	cr_assert(message_range(&out, "/v/", &after, 100, 5));
	expect_text(&out, "{\"key\":\"L3YvYQA=\",\"range_end\":\"L3Yw\",\"limit\":\"100\","
			  "\"revision\":\"5\"}");
	cr_assert(message_watch(&out, "/v/", 6));
	expect_text(&out, "{\"create_request\":{\"key\":\"L3Yv\",\"range_end\":\"L3Yw\","
			  "\"start_revision\":\"6\",\"fragment\":true}}");
	cr_assert(message_grant(&out, 15));
	expect_text(&out, "{\"TTL\":\"15\"}");
	cr_assert(message_lease(&out, 12));
	expect_text(&out, "{\"ID\":\"12\"}");
}

/* The entries that a reader has found, as one text. */
typedef struct Seen {
	char text[512];
	JsonParser *parser;
	Buffer last_key;
} Seen;

static const char *see(void *context, const EtcdEntry *entry, bool is_deleted)
{
	Seen *seen = context;
	size_t length = strlen(seen->text);

	snprintf(seen->text + length, sizeof(seen->text) - length, "%s%s=%s@%lld/%lld;",
		 is_deleted ? "-" : "", entry->key, entry->value, (long long)entry->mod_revision,
		 (long long)entry->lease);
	return strcmp(entry->key, "stop") == 0 ? "stopped" : NULL;
}

static void seen_init(Seen *seen)
{
	*seen = (Seen){ .parser = json_parser_new() };
}

static void seen_deinit(Seen *seen)
{
	json_parser_free(seen->parser);
	buffer_deinit(&seen->last_key);
}

static EntryReader reader_of(Seen *seen)
{
	seen->text[0] = '\0';
	return (EntryReader){
		.parser = seen->parser, .prefix = "/v/", .visit = see, .context = seen
	};
}

static const char *read_range(Seen *seen, const char *text, RangeAnswer *ret)
{
	EntryReader reader = reader_of(seen);

	return message_read_range(&reader, text_of(text), &seen->last_key, ret);
}

static const char *read_watch(Seen *seen, const char *text, WatchAnswer *ret)
{
	EntryReader reader = reader_of(seen);

	return message_read_watch(&reader, text_of(text), ret);
}

Test(etcd_message, a_list_of_keys)
{
	_cleanup_(seen_deinit) Seen seen;
	RangeAnswer answer = { 0 };

	seen_init(&seen);
	cr_assert_null(
		read_range(&seen,
			   "{" HEADER ",\"kvs\":[{\"key\":\"L3YvYQ==\","
			   "\"create_revision\":\"2\",\"mod_revision\":\"2\",\"version\":\"1\","
			   "\"value\":\"aGVsbG8=\"},{\"key\":\"L3YvYg==\",\"mod_revision\":"
			   "\"3\",\"lease\":\"4111120352239514378\"}],\"more\":true,"
			   "\"count\":\"3\"}",
			   &answer));
	cr_assert_str_eq(seen.text, "a=hello@2/0;b=@3/4111120352239514378;");
	cr_assert_eq(answer.revision, 4);
	cr_assert_eq(answer.cluster, 15118495548433857066u);
	cr_assert(answer.has_more);
	expect_text(&seen.last_key, "/v/b");
	cr_assert_null(read_range(&seen, "{" HEADER "}", &answer), "an empty list has no kvs");
	cr_assert_str_eq(seen.text, "");
	cr_assert_not(answer.has_more);
}

Test(etcd_message, keys_that_cannot_be_shown_are_skipped)
{
	_cleanup_(seen_deinit) Seen seen;
	RangeAnswer answer;

	seen_init(&seen);
	/* /v/ and 0xff, /v/ and NUL and x, /w/a, and a value of 0xff */
	cr_assert_null(
		read_range(&seen,
			   "{" HEADER ",\"kvs\":[{\"key\":\"L3Yv/w==\"},{\"key\":\"L3YvAHg=\"},"
			   "{\"key\":\"L3cvYQ==\"},{},{\"key\":\"L3YvYQ==\",\"value\":\"/w==\"}]}",
			   &answer));
	cr_assert_str_eq(seen.text, "a=@0/0;");
}

Test(etcd_message, faults_of_a_list)
{
	static const char *const texts[] = {
		"",
		"null",
		"[]",
		"{}",
		"{" HEADER,
		"{" HEADER "}{",
		"{\"header\":{\"revision\":4}}",
		"{\"header\":{\"revision\":\"-1\"}}",
		"{\"header\":{\"revision\":\"\"}}",
		"{\"header\":{\"revision\":\"9223372036854775808\"}}",
		"{\"header\":{\"revision\":\"4x\"}}",
		"{" HEADER ",\"kvs\":{}}",
		"{" HEADER ",\"more\":\"true\"}",
		"{" HEADER ",\"more\":true}",
		"{" HEADER ",\"kvs\":[{\"key\":\"L3YvYQ=\"}]}",
		"{" HEADER ",\"kvs\":[{\"key\":1}]}",
		"{" HEADER ",\"kvs\":[{\"key\":\"L3YvYQ==\",\"mod_revision\":1}]}",
		"{" HEADER ",\"kvs\":[{\"key\":\"L3YvYQ==\",\"lease\":\"x\"}]}",
	};
	_cleanup_(seen_deinit) Seen seen;
	RangeAnswer answer;

	seen_init(&seen);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_assert_not_null(read_range(&seen, texts[i], &answer), "%s", texts[i]);
	/* /v/stop: the visitor ends the reading */
	cr_assert_str_eq(read_range(&seen,
				    "{" HEADER ",\"kvs\":[{\"key\":\"L3Yvc3RvcA==\"},{\"key\":1}]}",
				    &answer),
			 "stopped");
}

Test(etcd_message, an_answer_of_many_values_is_refused)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	_cleanup_(seen_deinit) Seen seen;
	RangeAnswer answer;

	seen_init(&seen);
	cr_assert(buffer_append(&text, "{" HEADER ",\"x\":[0", strlen("{" HEADER ",\"x\":[0")));
	for (size_t i = 0; i < MESSAGE_VALUES_MAX; i++)
		cr_assert(buffer_append(&text, ",0", 2));
	cr_assert(buffer_append(&text, "]}", 3));
	cr_assert_str_eq(read_range(&seen, buffer_head(&text), &answer), "the answer is not JSON");
}

Test(etcd_message, events_of_a_watch)
{
	_cleanup_(seen_deinit) Seen seen;
	WatchAnswer answer;

	seen_init(&seen);
	cr_assert_null(read_watch(&seen, "{\"result\":{" HEADER ",\"created\":true}}", &answer));
	cr_assert(answer.is_created && !answer.has_ended && !answer.is_fragment);
	cr_assert_null(
		read_watch(&seen,
			   "{\"result\":{\"header\":{\"cluster_id\":\"18446744073709551615\","
			   "\"revision\":\"9\"},\"fragment\":true}}",
			   &answer));
	cr_assert(answer.is_fragment);
	cr_assert_eq(answer.cluster, UINT64_MAX);
	cr_assert_eq(answer.revision, 9);
	cr_assert_null(
		read_watch(&seen,
			   "{\"result\":{" HEADER ",\"events\":[{\"kv\":{\"key\":\"L3YvYQ==\","
			   "\"mod_revision\":\"5\",\"value\":\"aGVsbG8=\"}},{\"type\":\"DELETE\","
			   "\"kv\":{\"key\":\"L3YvYg==\",\"mod_revision\":\"6\"}}]}}",
			   &answer));
	cr_assert(!answer.is_created && !answer.has_ended);
	cr_assert_str_eq(seen.text, "a=hello@5/0;-b=@6/0;");
}

Test(etcd_message, ends_of_a_watch)
{
	_cleanup_(seen_deinit) Seen seen;
	WatchAnswer answer;

	seen_init(&seen);
	cr_assert_null(read_watch(
		&seen, "{\"result\":{" HEADER ",\"canceled\":true,\"compact_revision\":\"4\"}}",
		&answer));
	cr_assert(answer.has_ended);
	cr_assert_eq(answer.compact_revision, 4);
	cr_assert_str_eq(answer.why.text, "");
	cr_assert_null(
		read_watch(&seen,
			   "{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":"
			   "\"etcdserver: no\\nleader\",\"http_status\":\"Service Unavailable\"}}",
			   &answer));
	cr_assert(answer.has_ended);
	cr_assert_str_eq(answer.why.text, "etcdserver: no leader");
	cr_assert_null(
		read_watch(&seen, "{\"error\":\"a\",\"message\":\"b\",\"code\":5}", &answer));
	cr_assert_str_eq(answer.why.text, "b");
	cr_assert_null(read_watch(&seen, "{\"error\":\"a\",\"code\":5}", &answer));
	cr_assert_str_eq(answer.why.text, "a");
}

Test(etcd_message, faults_of_a_watch)
{
	static const char *const texts[] = {
		"null",
		"{}",
		"{\"result\":1}",
		"{\"result\":{\"created\":1}}",
		"{\"result\":{\"compact_revision\":1}}",
		"{\"result\":{\"events\":[{\"type\":\"MOVE\",\"kv\":{}}]}}",
		"{\"result\":{\"events\":[{\"type\":1,\"kv\":{}}]}}",
		"{\"result\":{\"events\":[{\"kv\":{\"key\":\"x\"}}]}}",
	};
	_cleanup_(seen_deinit) Seen seen;
	WatchAnswer answer;

	seen_init(&seen);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_assert_not_null(read_watch(&seen, texts[i], &answer), "%s", texts[i]);
}

Test(etcd_message, long_words_are_cut_behind_a_character)
{
	_cleanup_(seen_deinit) Seen seen;
	char text[400] = "{\"error\":\"";
	ServerWords words;

	seen_init(&seen);
	for (size_t i = 0; i < 100; i++)
		strcat(text, "€");
	strcat(text, "\"}");
	message_read_error(seen.parser, text_of(text), &words);
	cr_assert_eq(strlen(words.text), (sizeof(words.text) - 1) / 3 * 3);
	message_read_error(seen.parser, text_of("Not Found\n"), &words);
	cr_assert_str_eq(words.text, "", "an answer that is not JSON has no words");
}

Test(etcd_message, leases)
{
	_cleanup_(seen_deinit) Seen seen;
	LeaseAnswer answer;

	seen_init(&seen);
	cr_assert_null(message_read_grant(
		seen.parser, text_of("{" HEADER ",\"ID\":\"411112035223951437\",\"TTL\":\"2\"}"),
		&answer));
	cr_assert_eq(answer.lease, 411112035223951437);
	cr_assert_eq(answer.ttl, 2);
	cr_assert_not_null(message_read_grant(seen.parser, text_of("{" HEADER "}"), &answer));
	cr_assert_not_null(message_read_grant(seen.parser, text_of("{\"ID\":\"1\"}"), &answer));
	cr_assert_null(message_read_keepalive(
		seen.parser, text_of("{\"result\":{" HEADER ",\"ID\":\"12345\",\"TTL\":\"15\"}}"),
		&answer));
	cr_assert_eq(answer.ttl, 15);
	cr_assert_null(message_read_keepalive(
		seen.parser, text_of("{\"result\":{" HEADER ",\"ID\":\"12345\"}}"), &answer));
	cr_assert_eq(answer.ttl, 0, "an expired lease has no TTL");
	cr_assert_not_null(message_read_keepalive(seen.parser, text_of("{}"), &answer));
}

Test(etcd_message, alarms_of_a_status)
{
	static const struct {
		const char *text, *alarm; /* NULL for a fault */
	} rows[] = {
		{ "{\"header\":{}}", "" },
		{ "{\"header\":{},\"errors\":[]}", "" },
		{ "{\"header\":{},\"errors\":[\"etcdserver: no leader\"]}", "" },
		{ "{\"header\":{},\"errors\":[\"memberID:7 alarm:NOSPACE \"]}", "NOSPACE" },
		{ "{\"header\":{},\"errors\":[7,\"x\",\"memberID:7 alarm:CORRUPT\"]}", "CORRUPT" },
		{ "{\"header\":{},\"errors\":[\"alarm:A\\u0007B\",\"alarm:C\"]}", "A" },
		{ "{\"header\":{},\"errors\":{}}", NULL },
		{ "{\"errors\":[\"memberID:7 alarm:NOSPACE \"]}", NULL },
		{ "", NULL },
	};
	JsonParser *parser = json_parser_new();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const JsonText text = { rows[i].text, strlen(rows[i].text) };
		ServerWords alarm;
		const char *fault = message_read_status(parser, text, &alarm);

		cr_assert_eq(fault == NULL, rows[i].alarm != NULL, "%s", rows[i].text);
		if (!fault)
			cr_assert_str_eq(alarm.text, rows[i].alarm);
	}
	json_parser_free(parser);
}

Test(etcd_message, changes)
{
	_cleanup_(seen_deinit) Seen seen;
	ChangeAnswer answer;

	seen_init(&seen);
	cr_assert_null(message_read_change(seen.parser, text_of("{" HEADER "}"), false, &answer));
	cr_assert(answer.has_succeeded);
	cr_assert_eq(answer.revision, 4);
	cr_assert_null(message_read_change(seen.parser, text_of("{" HEADER "}"), true, &answer));
	cr_assert_not(answer.has_succeeded, "a lost swap has no member \"succeeded\"");
	cr_assert_null(message_read_change(
		seen.parser, text_of("{" HEADER ",\"succeeded\":true,\"responses\":[]}"), true,
		&answer));
	cr_assert(answer.has_succeeded);
	cr_assert_not_null(message_read_change(seen.parser, text_of("{}"), false, &answer));
	cr_assert_not_null(message_read_change(
		seen.parser, text_of("{" HEADER ",\"succeeded\":\"true\"}"), true, &answer));
}

/* Returns the values of the stream, each followed by a semicolon, if step bytes arrive at a time.
 */
static const char *split_stream(const char *stream, size_t step, char found[static 256])
{
	_cleanup_(buffer_deinit) Buffer input = BUFFER_INIT;
	MessageStream state = { 0 };
	size_t size, length = strlen(stream);

	found[0] = '\0';
	for (size_t at = 0; at < length; at += step) {
		MessageStreamResult result;

		cr_assert(buffer_append(&input, stream + at,
					step < length - at ? step : length - at));
		while ((result = message_stream_next(&state, &input, &size)) ==
		       MESSAGE_STREAM_VALUE) {
			strncat(found, buffer_head(&input), size);
			strcat(found, ";");
			buffer_consume(&input, size);
		}
		if (result == MESSAGE_STREAM_FAULT)
			return strcat(found, "fault");
	}
	return found;
}

Test(etcd_message, a_stream_is_divided_wherever_it_is_split)
{
	char found[256];

	for (size_t step = 1; step < 40; step++) {
		cr_assert_str_eq(
			split_stream("{\"a\":1}\n {\"b\":[]}{\"c\":\"}\"}\r\n{\"d\":", step, found),
			"{\"a\":1};{\"b\":[]};{\"c\":\"}\"};");
		cr_assert_str_eq(split_stream("{\"a\":1}\n<html>", step, found), "{\"a\":1};fault");
	}
}

Test(etcd_message, a_stream_without_an_end_is_refused)
{
	_cleanup_(buffer_deinit) Buffer input = BUFFER_INIT;
	char block[4096];
	MessageStream stream = { 0 };
	size_t size;

	memset(block, 'x', sizeof(block));
	cr_assert(buffer_append(&input, "\"", 1));
	while (buffer_size(&input) + sizeof(block) <= MESSAGE_SIZE_MAX) {
		cr_assert(buffer_append(&input, block, sizeof(block)));
		cr_assert_eq(message_stream_next(&stream, &input, &size),
			     MESSAGE_STREAM_INCOMPLETE);
	}
	cr_assert(buffer_append(&input, block, sizeof(block)));
	cr_assert_eq(message_stream_next(&stream, &input, &size), MESSAGE_STREAM_FAULT);
}
