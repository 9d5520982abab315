/* SPDX-License-Identifier: MIT */
/*
 * The whole stack from bytes to replies, driven by whatever bytes come. An input is a row of
 * connections. Each begins with one byte that says who connects and what becomes of the bytes:
 *
 *   bits 0-1  operator, VMM, display client, stranger
 *   bit 2     the first turn's bytes are another process's
 *   bit 3     descriptors come with the first turn
 *   bits 4-5  the bytes come whole, or in turns of 1, 7 or 64
 *   bit 6     the caller dies before it is answered
 *   bit 7     the store and the watching of processes fail
 *
 * and lasts to the next byte 0x1f, which no JSON holds. What has to hold: nothing asserts, replies
 * are whole, each is JSON and of a form that the interface files declare.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake-host.h"
#include "varlink-text.h"

#define SEPARATOR 0x1f

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reply(World *world, const VarlinkService *service, char *text, size_t length)
{
	const char *error, *flaw;
	JsonValue *reply;

	text[length] = '\0';
	reply = json_parse(world->service.parser, text, length, &error);
	world_must(!error && json_type_of(reply) == JSON_OBJECT);
	world_must(json_type_of(json_member(reply, "parameters")) == JSON_OBJECT);
	flaw = json_member(reply, "error") ? varlink_reply_flaw(service, NULL, reply) : NULL;
	if (flaw)
		fprintf(stderr, "%s\n%s\n", text, flaw);
	world_must(!flaw);
	json_free(reply);
}

static void check_replies(World *world, const VarlinkService *service, Buffer *taken)
{
	char *text = taken->data;
	size_t size = buffer_size(taken), begin = 0;

	for (size_t i = 0; i < size; i++)
		if (text[i] == '\n' || text[i] == '\0') {
			check_reply(world, service, text + begin, i - begin);
			begin = i + 1;
		}
	world_must(begin == size);
}

/* Returns whether the session wants more. */
static bool pump(Session *session, Buffer *taken)
{
	Buffer out = BUFFER_INIT;
	SessionState state;

	do {
		state = session_pump(session, &out);
		world_must(buffer_size(&out) <= LIMIT_UNREAD_PAUSE + LIMIT_UNREAD_PER_CONNECTION);
		world_must(state != SESSION_PAUSED || buffer_size(&out) > 0);
		world_must(buffer_append(taken, buffer_head(&out), buffer_size(&out)));
		buffer_consume(&out, buffer_size(&out));
	} while (state == SESSION_PAUSED);
	buffer_deinit(&out);
	return state == SESSION_READS;
}

static void run_session(World *world, Caller *caller, uint8_t how, const uint8_t *data, size_t size,
			Buffer *taken)
{
	static const size_t turns[] = { SIZE_MAX, 1, 7, 64 };
	size_t turn = turns[how >> 4 & 3];
	Arrival arrival = { .foreign = how & 1 << 2, .descriptors = how & 1 << 3 ? 2 : 0 };
	Session session;
	bool reads = true;

	session_init(&session, &world->service, caller);
	while (size > 0 && reads) {
		size_t some = size < turn ? size : turn;

		world_must(buffer_append(&session.input, data, some));
		session_arrived(&session, &arrival);
		reads = pump(&session, taken);
		arrival = (Arrival){ 0 };
		data += some;
		size -= some;
	}
	if (reads) {
		session_end_of_input(&session);
		world_must(!pump(&session, taken));
	}
	session_deinit(&session);
}

static void run_connection(Cast *cast, const VarlinkService *service, uint8_t how,
			   const uint8_t *data, size_t size)
{
	World *world = cast->world;
	Caller *const callers[] = { cast->admin, cast->machine, cast->client, cast->stranger };
	FakeProcess *const processes[] = { cast->root, cast->vmm, cast->viewer, cast->mallory };
	Buffer taken = BUFFER_INIT;

	world->refuse_store = world->refuse_watch = how & 1 << 7;
	if (how & 1 << 6)
		world_kill(world, processes[how & 3]);
	run_session(world, callers[how & 3], how, data, size, &taken);
	check_replies(world, service, &taken);
	buffer_deinit(&taken);
	broker_check(world->service.broker);
	if (how & 1 << 6)
		world_tell_exits(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static VarlinkService service;
	Cast cast = cast_new();

	if (service.count == 0)
		service = varlink_service();
	cast.world->service.settings.allow_user_machines = true;
	while (size > 0) {
		const uint8_t *end = memchr(data + 1, SEPARATOR, size - 1);
		size_t length = end ? (size_t)(end - data) - 1 : size - 1;

		run_connection(&cast, &service, data[0], data + 1, length);
		data += length + 1 + (end != NULL);
		size -= length + 1 + (end != NULL);
	}
	cast_free(&cast);
	return 0;
}
