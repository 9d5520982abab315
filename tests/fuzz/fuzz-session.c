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

static void check_reply(FakeHost *fake_host, const VarlinkService *service, char *text,
			size_t length)
{
	const char *error, *flaw;
	JsonValue *reply;

	text[length] = '\0';
	reply = json_parse(fake_host->service.parser, text, length, &error);
	fake_host_must(!error && json_type_of(reply) == JSON_OBJECT);
	fake_host_must(json_type_of(json_member(reply, "parameters")) == JSON_OBJECT);
	flaw = json_member(reply, "error") ? varlink_reply_flaw(service, NULL, reply) : NULL;
	if (flaw)
		fprintf(stderr, "%s\n%s\n", text, flaw);
	fake_host_must(!flaw);
	json_free(reply);
}

static void check_replies(FakeHost *fake_host, const VarlinkService *service, Buffer *taken)
{
	char *text = taken->data;
	size_t size = buffer_size(taken), begin = 0;

	for (size_t i = 0; i < size; i++)
		if (text[i] == '\n' || text[i] == '\0') {
			check_reply(fake_host, service, text + begin, i - begin);
			begin = i + 1;
		}
	fake_host_must(begin == size);
}

/* Takes the fds that go out with the replies, and closes them as the receiver would. */
static void take_outgoing(FakeHost *fake_host, Session *session, size_t size)
{
	for (OutgoingFds *offer = session_outgoing_fds(session); offer;
	     offer = STAILQ_NEXT(offer, link)) {
		fake_host_must(offer->begin < offer->end && offer->end <= size);
		for (size_t i = 0; i < offer->count; i++)
			fake_host_close(fake_host, offer->items[i]);
		offer->count = 0;
	}
	session_sent(session, size);
}

/* Collects the replies. Returns true if the session reads further input. */
static bool pump(FakeHost *fake_host, Session *session, Buffer *taken)
{
	Buffer out = BUFFER_INIT;
	SessionState state;

	do {
		state = session_pump(session, &out);
		fake_host_must(buffer_size(&out) <=
			       LIMIT_UNREAD_PAUSE + LIMIT_UNREAD_PER_CONNECTION);
		fake_host_must(state != SESSION_PAUSED || buffer_size(&out) > 0);
		fake_host_must(buffer_append(taken, buffer_head(&out), buffer_size(&out)));
		take_outgoing(fake_host, session, buffer_size(&out));
		buffer_consume(&out, buffer_size(&out));
	} while (state == SESSION_PAUSED);
	buffer_deinit(&out);
	return state == SESSION_READS;
}

static void send_fds(FakeHost *fake_host, Session *session, uint8_t which)
{
	InputMetadata metadata = { 0 };

	for (unsigned int i = 0; i < (which & 7); i++) {
		static const FdKind kinds[] = { FD_MEMFD, FD_MEMFD, FD_SYNC_FILE, FD_OTHER };
		unsigned int kind = ((which >> 3 & 3) + i) & 3;
		int sent = kind == 0 ? sealed_memory(fake_host)
				     : fake_host_fd(fake_host, kinds[kind], IMAGE_SIZE);

		session_fd_arrived(session, sent, &metadata);
	}
	fake_host_must(!metadata.lost && !metadata.too_many);
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

static void run_session(FakeHost *fake_host, Caller *caller, uint8_t how, Input input,
			Buffer *taken)
{
	static const size_t turns[] = { SIZE_MAX, 1, 7, 64 };
	size_t turn = turns[how >> 4 & 3];
	bool sends = how & 1 << 3, may_share = (how & 3) == 1;
	uint8_t which = sends && may_share ? take_byte(&input) : 0;
	/* The connection closes fds of callers that may not share before they reach the session. */
	InputMetadata metadata = { .foreign = how & 1 << 2, .fds = sends && !may_share ? 2 : 0 };
	Session session;
	bool reads = true;

	session_init(&session, &fake_host->service, caller);
	while (input.size > 0 && reads) {
		size_t some = input.size < turn ? input.size : turn;

		fake_host_must(buffer_append(&session.input, input.data, some));
		session_arrived(&session, &metadata);
		send_fds(fake_host, &session, which);
		reads = pump(fake_host, &session, taken);
		metadata = (InputMetadata){ 0 };
		which = 0;
		input.data += some;
		input.size -= some;
	}
	if (reads) {
		session_end_of_input(&session);
		fake_host_must(!pump(fake_host, &session, taken));
	}
	session_deinit(&session);
}

static void run_connection(HostFixture *fixture, const VarlinkService *service, uint8_t how,
			   Input input)
{
	FakeHost *fake_host = fixture->fake_host;
	Caller *const callers[] = { fixture->admin, fixture->machine, fixture->client,
				    fixture->stranger };
	FakeProcess *const processes[] = { fixture->root, fixture->vmm, fixture->viewer,
					   fixture->mallory };
	Buffer taken = BUFFER_INIT;

	fake_host->refuse_quarantine = fake_host->refuse_watch = how & 1 << 7;
	if (how & 1 << 6)
		fake_host_kill(fake_host, processes[how & 3]);
	run_session(fake_host, callers[how & 3], how, input, &taken);
	check_replies(fake_host, service, &taken);
	buffer_deinit(&taken);
	broker_check(fake_host->service.broker);
	if (how & 1 << 6)
		fake_host_report_exits(fake_host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static VarlinkService service;
	HostFixture fixture = host_fixture_new();

	if (service.count == 0)
		service = varlink_service();
	fixture.fake_host->service.settings.allow_user_machines = true;
	while (size > 0) {
		const uint8_t *end = memchr(data + 1, SEPARATOR, size - 1);
		size_t length = end ? (size_t)(end - data) - 1 : size - 1;

		run_connection(&fixture, &service, data[0],
			       (Input){ .data = data + 1, .size = length });
		data += length + 1 + (end != NULL);
		size -= length + 1 + (end != NULL);
	}
	host_fixture_free(&fixture);
	return 0;
}
