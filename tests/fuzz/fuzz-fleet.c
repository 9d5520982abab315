/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what other hosts put into etcd, and requests to vaild-fleet. An input is lines of a key, a
 * blank and a value; a line without a value deletes the key. The line after an empty one is a
 * request, of an observer. The index holds only keys of the documented form, every value is written
 * as it reads, and each reply is one JSON value. An observer changes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/model/claim.h"
#include "daemon/fleet/model/place.h"
#include "daemon/fleet/server/answer.h"
#include "proto/framing.h"
#include "tests/fuzz/common/fuzz-input.h"

static bool on_change(void *context, const FleetCaller *caller, const Guid *guid,
		      const char *reason, uint64_t request)
{
	(void)context;
	(void)caller;
	(void)guid;
	(void)reason;
	(void)request;
	fuzz_must(false);
	return true;
}

static void on_measure(void *context, FleetMetrics *ret)
{
	(void)context;
	ret->has_vaild = true;
}

/* A value that is written and read again is the same. */
static void check_value(FleetIndex *index, const FleetEntry *entry)
{
	char *text = fleet_value_format(&entry->value), *again;
	FleetValue value;

	fuzz_must(text);
	fuzz_must(fleet_value_parse(index->parser, entry->key.kind, text, &value) ==
		  FLEET_PARSE_DONE);
	again = fleet_value_format(&value);
	fuzz_must(again && strcmp(text, again) == 0);
	fleet_value_deinit(&value);
	free(text);
	free(again);
}

static void check_index(FleetIndex *index)
{
	for (FleetKeyKind kind = 0; kind < FLEET_KEY_KIND_MAX; kind++) {
		const FleetEntry *entry = fleet_index_first(index, kind);
		size_t count = 0;

		for (; entry; entry = fleet_index_next(entry)) {
			char text[FLEET_KEY_SIZE];
			FleetKey key;

			count++;
			fuzz_must(fleet_key_parse(fleet_key_format(&entry->key, text), &key));
			fuzz_must(fleet_key_compare(&key, &entry->key) == 0);
			check_value(index, entry);
			if (kind == FLEET_KEY_WHERE)
				claim_time(index, entry, 15000);
		}
		fuzz_must(count == index->counts[kind]);
	}
}

static void change_index(FleetIndex *index, Input line, int64_t revision)
{
	char *key = input_text(input_until(&line, ' ')), *value = input_text(line);

	if (line.size > 0)
		fleet_index_put(index, key, value, revision, (uint64_t)revision);
	else
		fleet_index_delete(index, key, revision, (uint64_t)revision);
	free(key);
	free(value);
}

/* Checks one reply, and removes it. */
static void check_answer(Answer answer, Buffer *out)
{
	size_t position;

	fuzz_must(answer != ANSWER_LATER && answer != ANSWER_NO_MEMORY);
	fuzz_must((answer == ANSWER_NONE) == (buffer_size(out) == 0));
	fuzz_must(answer == ANSWER_NONE ||
		  !json_check(buffer_head(out), buffer_size(out) - 1, &position));
	buffer_truncate(out, 0);
}

/* Answers one request if it is a message. */
static void ask(FleetIndex *index, Input request)
{
	FleetService service = { .index = index,
				 .now = 1000,
				 .version = "1",
				 .change = on_change,
				 .measure = on_measure,
				 .parser = index->parser };
	const FleetCaller observer = { .uid = 1, .is_observer = true };
	Buffer input = BUFFER_INIT, out = BUFFER_INIT;
	Frame frame = FRAME_INIT;
	FrameMessage message;
	FleetCursor rest;
	const char *error;

	fuzz_must(buffer_append(&input, request.data, request.size));
	if (frame_next(&frame, &input, true, &message, &error) == FRAME_MESSAGE) {
		const JsonText text = { message.text, message.length };
		Answer answer =
			answer_message(&service, &observer, text, false, '\0', 1, &out, &rest);

		check_answer(answer, &out);
		while (answer == ANSWER_CONTINUES) {
			answer = answer_rest(&service, &rest, '\0', &out);
			fuzz_must(answer != ANSWER_NONE);
			check_answer(answer, &out);
		}
	}
	buffer_deinit(&input);
	buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	const HostId self = { { 1 } };
	FleetPlace *places = NULL;
	FleetIndex index;
	size_t count;

	fuzz_must(fleet_index_init(&index, &self));
	fleet_index_reach(&index, true, NULL, 1);
	for (int64_t revision = 1; input.size > 0; revision++) {
		Input line = input_until(&input, '\n');

		if (line.size == 0)
			break;
		change_index(&index, line, revision);
	}
	check_index(&index);
	fuzz_must(fleet_place(&index, "t", &places, &count));
	fuzz_must(count == index.counts[FLEET_KEY_HOST]);
	free(places);
	ask(&index, input);
	fleet_index_deinit(&index);
	return 0;
}
