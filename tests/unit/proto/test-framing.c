/* SPDX-License-Identifier: MIT */
/*
 * Framing: the same messages however the input is split, the exact bounds of length and depth, and
 * the input that makes a stream malformed.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "proto/framing.h"
#include "proto/macros.h"

TestSuite(framing);

typedef struct Found {
	char text[512];
	char terminator;
} Found;

typedef struct Outcome {
	Found found[16];
	size_t count;
	bool malformed;
	char last_terminator; /* of the error, if the input is malformed */
	const char *error;
} Outcome;

/*
 * Takes messages until none is complete. A NUL that comes late replaces the LF of its message, so
 * that the outcome does not depend on how the input is split.
 */
static void take(Frame *frame, Buffer *input, bool end_of_input, Outcome *outcome)
{
	FrameMessage message;
	const char *error = NULL;
	FrameResult result;

	while ((result = frame_next(frame, input, end_of_input, &message, &error)) ==
		       FRAME_MESSAGE ||
	       result == FRAME_LATE_NUL) {
		if (result == FRAME_LATE_NUL) {
			cr_assert_gt(outcome->count, 0u);
			cr_assert_eq(outcome->found[outcome->count - 1].terminator, '\n');
			outcome->found[outcome->count - 1].terminator = '\0';
			continue;
		}
		Found *found = &outcome->found[outcome->count++];

		cr_assert_lt(outcome->count, 16u);
		cr_assert_lt(message.length, sizeof(found->text));
		cr_assert_eq(message.text[message.length], '\0');
		cr_assert_leq(message.length, message.size);
		memcpy(found->text, message.text, message.length + 1);
		found->terminator = message.terminator;
		buffer_consume(input, message.size);
	}
	if (result == FRAME_MALFORMED) {
		cr_assert_not_null(error);
		cr_assert_eq(buffer_size(input), 0u, "malformed input is consumed");
		outcome->malformed = true;
		outcome->error = error;
		outcome->last_terminator = frame_terminator(frame);
	}
}

/* Runs the bytes in three parts, split at first and second. */
static Outcome run(const char *bytes, size_t size, size_t first, size_t second, bool end)
{
	Frame frame = FRAME_INIT;
	Buffer input = BUFFER_INIT;
	Outcome outcome = { 0 };
	size_t cuts[] = { 0, first, second, size };

	for (int i = 0; i < 3 && !outcome.malformed; i++) {
		buffer_append(&input, bytes + cuts[i], cuts[i + 1] - cuts[i]);
		take(&frame, &input, end && i == 2, &outcome);
	}
	buffer_deinit(&input);
	return outcome;
}

static void check_same(const Outcome *a, const Outcome *b, size_t first, size_t second)
{
	cr_assert_eq(a->count, b->count, "split at %zu and %zu", first, second);
	cr_assert_eq(a->malformed, b->malformed, "split at %zu and %zu", first, second);
	for (size_t i = 0; i < a->count; i++) {
		cr_assert_str_eq(a->found[i].text, b->found[i].text, "split at %zu and %zu", first,
				 second);
		cr_assert_eq(a->found[i].terminator, b->found[i].terminator);
	}
}

Test(framing, same_messages_however_the_input_is_split)
{
	static const char stream[] =
		"\n\t{\"a\":\n[1,{\"b\":\"}\\\"]\\u00e9\\\\\"}]} \r\n"
		"12 \0\n\n\"s\\u0041\"\0null\n{}\0 [ ]\t\0true\r\n\0{\"x\":-1.5e3}";
	Outcome whole = run(stream, sizeof(stream) - 1, 0, 0, true);

	cr_assert_eq(whole.count, 8u);
	cr_assert_not(whole.malformed);
	cr_assert_str_eq(whole.found[0].text, "{\"a\":\n[1,{\"b\":\"}\\\"]\\u00e9\\\\\"}]}");
	cr_assert_str_eq(whole.found[1].text, "12");
	cr_assert_str_eq(whole.found[7].text, "{\"x\":-1.5e3}");
	cr_assert_eq(whole.found[0].terminator, '\n');
	cr_assert_eq(whole.found[1].terminator, '\0');
	cr_assert_eq(whole.found[6].terminator, '\0', "LF NUL counts as NUL");
	cr_assert_eq(whole.found[7].terminator, '\n', "the end of input counts as LF");
	for (size_t first = 0; first < sizeof(stream); first++)
		for (size_t second = first; second < sizeof(stream); second++) {
			Outcome cut = run(stream, sizeof(stream) - 1, first, second, true);

			check_same(&whole, &cut, first, second);
		}
}

/* An LF directly followed by NUL is one NUL. Behind anything else, a NUL is a blank. */
Test(framing, line_feed_and_nul)
{
	static const struct {
		const char *bytes;
		size_t size, count;
		char terminators[3];
	} rows[] = {
#define ROW(text, count, ...)                  \
	{                                      \
		text, sizeof(text) - 1, count, \
		{                              \
			__VA_ARGS__            \
		}                              \
	}
		ROW("{}\n\0", 1, '\0'),
		ROW("{}\r\n\0", 1, '\0'),
		ROW("{} \t\r\n\0\n\0", 1, '\0'),
		ROW("{}\n\n\0", 1, '\n'),
		ROW("{}\n \0", 1, '\n'),
		ROW("{}\n\r\0", 1, '\n'),
		ROW("{}\0\n", 1, '\0'),
		ROW("\n\0{}\n", 1, '\n'),
		ROW("{}\n\0{}\n", 2, '\0', '\n'),
		ROW("{}\n{}\n\0{}\0", 3, '\n', '\0', '\0'),
		ROW("{}\n\0\0{}\n\0", 2, '\0', '\0'),
#undef ROW
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t cut = 0; cut <= rows[i].size; cut++) {
			Outcome outcome = run(rows[i].bytes, rows[i].size, 0, cut, false);

			cr_assert_not(outcome.malformed, "row %zu", i);
			cr_assert_eq(outcome.count, rows[i].count, "row %zu", i);
			for (size_t k = 0; k < outcome.count; k++)
				cr_assert_eq(outcome.found[k].terminator, rows[i].terminators[k],
					     "row %zu cut at %zu, message %zu", i, cut, k);
		}
}

/* A person who types a line sends nothing behind it, so the line is complete at its LF. */
Test(framing, line_feed_ends_a_message_at_once)
{
	Frame frame = FRAME_INIT;
	Buffer input = BUFFER_INIT;
	FrameMessage message;
	const char *error;

	buffer_append(&input, "{}\n", 3);
	cr_assert_eq(frame_next(&frame, &input, false, &message, &error), FRAME_MESSAGE);
	cr_assert_eq(message.terminator, '\n');
	buffer_consume(&input, message.size);
	cr_assert_eq(frame_next(&frame, &input, false, &message, &error), FRAME_INCOMPLETE);
	buffer_append(&input, "\0{}\n{}\n", 7);
	cr_assert_eq(frame_next(&frame, &input, false, &message, &error), FRAME_LATE_NUL);
	cr_assert_eq(frame_next(&frame, &input, false, &message, &error), FRAME_MESSAGE);
	cr_assert_eq(message.terminator, '\n');
	buffer_deinit(&input);
}

/* The terminator of the error that ends a connection. */
Test(framing, terminator_of_the_error)
{
	static const struct {
		const char *bytes;
		size_t size;
		char terminator;
	} rows[] = {
#define ROW(text, terminator) { text, sizeof(text) - 1, terminator }
		ROW("x\n", '\n'),
		ROW("x", '\n'),
		ROW("x\0", '\0'),
		ROW("{\"a\":tru}\n\0", '\0'),
		ROW("{\n\"a\":tru\n}\0", '\0'),
		ROW("{}\nx\n", '\n'),
		ROW("{}\nx\0", '\0'),
		ROW("{}\0x\n", '\0'),
		ROW("{}\n{}\0x\n", '\0'),
		ROW("{}\0{}\nx\n", '\0'),
		ROW("{}\n\0x", '\0'),
#undef ROW
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Outcome outcome = run(rows[i].bytes, rows[i].size, 0, 0, false);

		cr_assert(outcome.malformed, "row %zu", i);
		cr_assert_eq(outcome.last_terminator, rows[i].terminator, "row %zu", i);
	}
}

/* The error comes at the first wrong byte. The end of the message tells the terminator. */
Test(framing, malformed_message_is_read_to_its_end)
{
	static const struct {
		const char *begin, *end;
		size_t end_size;
		bool end_of_input;
		char terminator;
	} rows[] = {
		{ "[8,,", "8]\0", 3, false, '\0' },   { "[8,,", "8]\n", 3, false, '\n' },
		{ "[8,,", "8]\n\0", 4, false, '\0' }, { "[8,,", "8]", 2, true, '\n' },
		{ "\n}", "\0", 1, false, '\0' },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Frame frame = FRAME_INIT;
		Buffer input = BUFFER_INIT;
		Outcome outcome = { 0 };

		buffer_append(&input, rows[i].begin, strlen(rows[i].begin));
		take(&frame, &input, false, &outcome);
		cr_assert(outcome.malformed, "row %zu", i);
		cr_assert(frame_is_partial(&frame), "row %zu", i);
		for (size_t k = 0; k < 3; k++) {
			buffer_append(&input, "\n[,,", 4);
			take(&frame, &input, false, &outcome);
			cr_assert_eq(buffer_size(&input), 0u, "what follows takes no memory");
			cr_assert(frame_is_partial(&frame));
		}
		buffer_append(&input, rows[i].end, rows[i].end_size);
		take(&frame, &input, rows[i].end_of_input, &outcome);
		cr_assert_not(frame_is_partial(&frame), "row %zu", i);
		cr_assert_not_null(strstr(outcome.error, "not JSON"), "row %zu", i);
		cr_assert_eq(outcome.last_terminator, rows[i].terminator, "row %zu", i);
		buffer_deinit(&input);
	}
}

Test(framing, messages_need_a_terminator)
{
	Outcome outcome = run("{\"a\":1}", 7, 0, 0, false);

	cr_assert_eq(outcome.count, 0u);
	outcome = run("12", 2, 0, 0, false);
	cr_assert_eq(outcome.count, 0u);
	outcome = run("{\"a\":1}", 7, 0, 0, true);
	cr_assert_eq(outcome.count, 1u);
	outcome = run("12", 2, 0, 0, true);
	cr_assert_eq(outcome.count, 1u);
}

/* Runs an object that blanks pad to length bytes, followed by the tail. */
static Outcome run_padded(size_t length, const char *tail, size_t tail_size)
{
	Frame frame = FRAME_INIT;
	Buffer input = BUFFER_INIT;
	Outcome outcome = { 0 };
	FrameMessage message;
	const char *error;

	buffer_append(&input, "{", 1);
	for (size_t i = 2; i < length; i++)
		buffer_append(&input, " ", 1);
	buffer_append(&input, "}", 1);
	buffer_append(&input, tail, tail_size);
	FrameResult result = frame_next(&frame, &input, false, &message, &error);
	outcome.malformed = result == FRAME_MALFORMED;
	outcome.count = result == FRAME_MESSAGE;
	if (outcome.count > 0)
		cr_assert_eq(message.length, length);
	buffer_deinit(&input);
	return outcome;
}

Test(framing, maximum_length)
{
	static const struct {
		size_t length;
		const char *tail;
		size_t tail_size;
		bool good;
	} rows[] = {
		{ 65535, "\n", 1, true },   { 65536, "\n", 1, true },  { 65536, "\0", 1, true },
		{ 65537, "\n", 1, false },  { 65535, " \n", 2, true }, { 65536, " \n", 2, false },
		{ 65536, " \0", 2, false }, { 65537, "", 0, false },
	};

	cr_assert_eq(FRAME_MESSAGE_MAX, 65536);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Outcome outcome = run_padded(rows[i].length, rows[i].tail, rows[i].tail_size);

		cr_assert_eq(outcome.count, rows[i].good ? 1u : 0u, "row %zu", i);
		cr_assert_eq(outcome.malformed, !rows[i].good, "row %zu", i);
	}
}

Test(framing, blanks_before_a_message_do_not_count)
{
	Frame frame = FRAME_INIT;
	Buffer input = BUFFER_INIT;
	FrameMessage message;
	const char *error;

	for (int i = 0; i < 100000; i++)
		buffer_append(&input, "\n \t", 3);
	cr_assert_eq(frame_next(&frame, &input, false, &message, &error), FRAME_INCOMPLETE);
	cr_assert_eq(buffer_size(&input), 0u, "blanks are consumed");
	buffer_append(&input, " {}\n", 4);
	cr_assert_eq(frame_next(&frame, &input, false, &message, &error), FRAME_MESSAGE);
	cr_assert_str_eq(message.text, "{}");
	buffer_deinit(&input);
}

Test(framing, maximum_depth)
{
	for (size_t depth = 1; depth <= 17; depth++)
		for (size_t objects = 0; objects < 2; objects++) {
			char text[160] = "";

			for (size_t i = 0; i < depth; i++)
				strcat(text, objects ? "{\"a\":" : "[");
			strcat(text, "0");
			for (size_t i = 0; i < depth; i++)
				strcat(text, objects ? "}" : "]");
			strcat(text, "\n");
			Outcome outcome = run(text, strlen(text), 0, 0, false);
			cr_assert_eq(outcome.malformed, depth > FRAME_DEPTH_MAX, "depth %zu",
				     depth);
			cr_assert_eq(outcome.count, depth > FRAME_DEPTH_MAX ? 0u : 1u);
		}
	cr_assert_eq(FRAME_DEPTH_MAX, 16);
}

Test(framing, malformed_input)
{
	static const struct {
		const char *bytes;
		size_t size;
	} rows[] = {
#define ROW(text) { text, sizeof(text) - 1 }
		ROW("}"),
		ROW("]"),
		ROW("x"),
		ROW("'"),
		ROW("/"),
		ROW("#"),
		ROW("\x01"),
		ROW("\x7f"),
		ROW("\xef\xbb\xbf{}\n"),
		ROW("{'"),
		ROW("{\"a\":N"),
		ROW("{\"a\":I"),
		ROW("{/"),
		ROW("{}{"),
		ROW("{} x"),
		ROW("{}\"\""),
		ROW("{}1"),
		ROW("1 2"),
		ROW("12{"),
		ROW("12\""),
		ROW("\"a\" b"),
		ROW("\"a\"\"b\""),
		ROW("{\0"),
		ROW("[1\0"),
		ROW("\"a\0"),
		ROW("\"\\\0"),
		ROW("\"\\u00\0"),
		ROW("{\"a\x01"),
		ROW("\"\x1f"),
		ROW("\"\n"),
		ROW("\"\t"),
		ROW("\"\r"),
		ROW("\"\\\n"),
		ROW("\"\\\x01"),
		ROW("\"\\u0000"),
		ROW("{\"\\u0000"),
		ROW("\"\\u00g"),
		ROW("\"\\u\""),
		ROW("\"\\u 123"),
		ROW("{\"a\":\"b\\u0000"),
		ROW("[\x80"),
		ROW("{}\v"),
		ROW("\f{}"),
		ROW("{\v"),
#undef ROW
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Outcome outcome = run(rows[i].bytes, rows[i].size, 0, 0, false);

		cr_assert(outcome.malformed, "row %zu: %s", i, rows[i].bytes);
		cr_assert_eq(outcome.count, 0u, "row %zu: %s", i, rows[i].bytes);
	}
}

Test(framing, unusual_but_valid_strings)
{
	static const char *const rows[] = {
		"\"\\u0001\"\n",          "\"\\u1000\"\n", "\"\\u0010\"\n", "\"\\\\u0000\"\n",
		"{\"\x7f\xc3\xa9\":1}\n", "\"{[}]'/#\"\n", "[\t\r\n ]\n",   "\"\\\"\"\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Outcome outcome = run(rows[i], strlen(rows[i]), 0, 0, false);

		cr_assert_not(outcome.malformed, "%s", rows[i]);
		cr_assert_eq(outcome.count, 1u, "%s", rows[i]);
	}
}

Test(framing, input_that_ends_inside_a_message)
{
	static const char *const rows[] = { "{", "[1,", "\"", "\"\\", "\"\\u12", "{\"a\":\"b\"" };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Outcome outcome = run(rows[i], strlen(rows[i]), 0, 0, true);

		cr_assert(outcome.malformed, "%s", rows[i]);
	}
	cr_assert_not(run(" \n\t", 3, 0, 0, true).malformed);
}

Test(frame, exactly_one_message)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool is_one;
	} rows[] = {
		{ "{}\0", 3, true },      { "{\"a\":1}\n", 8, true }, { "{}", 2, false },
		{ "", 0, false },         { "{\0", 2, false },        { "{}{}\0", 5, false },
		{ "{}\0{}\0", 6, false }, { "{}\n\0", 4, true },      { "{}\n\n", 4, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Buffer input = BUFFER_INIT;
		const char *error = NULL;

		buffer_append(&input, rows[i].bytes, rows[i].size);
		cr_assert_eq(frame_is_one_message(&input, &error), rows[i].is_one, "row %zu", i);
		cr_assert_eq(error == NULL, rows[i].is_one, "row %zu", i);
		buffer_deinit(&input);
	}
}
