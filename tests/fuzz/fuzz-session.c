/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the pure part of the daemon from received bytes to replies. An input is a sequence of
 * connections, separated by the byte 0x1f, which JSON cannot contain. Each begins with a byte that
 * configures the connection; the rest is what the client sends:
 *
 *   bits 0-1  the caller: operator, VMM, display client, or a stranger
 *   bit 2     another process sends the first turn
 *   bit 3     fds come with the first turn. If the caller is the VMM, a second byte says which: its
 *             bits 0-2 are their number, its bits 3-4 the kind of the first one in the cycle sealed
 *             memfd, unsealed memfd, sync_file, pipe
 *   bits 4-5  size of the turns in which the bytes arrive: all, 1, 7, or 64
 *   bit 6     the caller dies before it gets a reply
 *   bit 7     the fd store and the watching of processes fail
 *
 * No assertion may fail, and all replies must be complete, valid JSON and as the interface files
 * declare them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/session-fds.h"
#include "tests/support/fake-share.h"
#include "tests/support/varlink-text.h"

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

/* Takes the fds that go out with the replies, and closes them as the receiver would. */
static void take_offers(World *world, Session *session, size_t size)
{
	for (Offer *offer = session_offer(session); offer; offer = STAILQ_NEXT(offer, link)) {
		world_must(offer->begin < offer->end && offer->end <= size);
		for (size_t i = 0; i < offer->count; i++)
			world_close(world, offer->items[i]);
		offer->count = 0;
	}
	session_sent(session, size);
}

/* Collects the replies. Returns true if the session reads further input. */
static bool pump(World *world, Session *session, Buffer *taken)
{
	Buffer out = BUFFER_INIT;
	SessionState state;

	do {
		state = session_pump(session, &out);
		world_must(buffer_size(&out) <= LIMIT_UNREAD_PAUSE + LIMIT_UNREAD_PER_CONNECTION);
		world_must(state != SESSION_PAUSED || buffer_size(&out) > 0);
		world_must(buffer_append(taken, buffer_head(&out), buffer_size(&out)));
		take_offers(world, session, buffer_size(&out));
		buffer_consume(&out, buffer_size(&out));
	} while (state == SESSION_PAUSED);
	buffer_deinit(&out);
	return state == SESSION_READS;
}

static void send_descriptors(World *world, Session *session, uint8_t which)
{
	Arrival arrival = { 0 };

	for (unsigned int i = 0; i < (which & 7); i++) {
		static const DescriptorKind kinds[] = { DESCRIPTOR_MEMFD, DESCRIPTOR_MEMFD,
							DESCRIPTOR_SYNC_FILE, DESCRIPTOR_OTHER };
		unsigned int kind = ((which >> 3 & 3) + i) & 3;
		Descriptor sent = kind == 0 ? sealed_memory(world)
					    : world_descriptor(world, kinds[kind], IMAGE_SIZE);

		session_descriptor_arrived(session, sent, &arrival);
	}
	world_must(!arrival.lost && !arrival.too_many);
}

typedef struct Input {
	const uint8_t *data;
	size_t size;
} Input;

static uint8_t take_byte(Input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

static void run_session(World *world, Caller *caller, uint8_t how, Input input, Buffer *taken)
{
	static const size_t turns[] = { SIZE_MAX, 1, 7, 64 };
	size_t turn = turns[how >> 4 & 3];
	bool sends = how & 1 << 3, may_share = (how & 3) == 1;
	uint8_t which = sends && may_share ? take_byte(&input) : 0;
	/* The connection closes fds of callers that may not share before they reach the session. */
	Arrival arrival = { .foreign = how & 1 << 2, .descriptors = sends && !may_share ? 2 : 0 };
	Session session;
	bool reads = true;

	session_init(&session, &world->service, caller);
	while (input.size > 0 && reads) {
		size_t some = input.size < turn ? input.size : turn;

		world_must(buffer_append(&session.input, input.data, some));
		session_arrived(&session, &arrival);
		send_descriptors(world, &session, which);
		reads = pump(world, &session, taken);
		arrival = (Arrival){ 0 };
		which = 0;
		input.data += some;
		input.size -= some;
	}
	if (reads) {
		session_end_of_input(&session);
		world_must(!pump(world, &session, taken));
	}
	session_deinit(&session);
}

static void run_connection(Cast *cast, const VarlinkService *service, uint8_t how, Input input)
{
	World *world = cast->world;
	Caller *const callers[] = { cast->admin, cast->machine, cast->client, cast->stranger };
	FakeProcess *const processes[] = { cast->root, cast->vmm, cast->viewer, cast->mallory };
	Buffer taken = BUFFER_INIT;

	world->refuse_store = world->refuse_watch = how & 1 << 7;
	if (how & 1 << 6)
		world_kill(world, processes[how & 3]);
	run_session(world, callers[how & 3], how, input, &taken);
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

		run_connection(&cast, &service, data[0],
			       (Input){ .data = data + 1, .size = length });
		data += length + 1 + (end != NULL);
		size -= length + 1 + (end != NULL);
	}
	cast_free(&cast);
	return 0;
}
