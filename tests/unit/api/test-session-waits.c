/* SPDX-License-Identifier: MIT */
/* A request that the host is busy with: nothing happens until the host has finished. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/fake-share.h"

static HostFixture fixture;
static Session session;
static Buffer out;

static void set_up(void)
{
	fixture = host_fixture_new();
	session_init(&session, &fixture.fake_host->service, fixture.client);
	out = BUFFER_INIT;
	fixture.viewer->context_turns = 2;
}

static void tear_down(void)
{
	session_deinit(&session);
	buffer_deinit(&out);
	host_fixture_free(&fixture);
}

TestSuite(session_waits, .init = set_up, .fini = tear_down);

#define REGISTER_A "{\"method\":\"" REGISTER "\",\"parameters\":" NAMES_A "}"
#define INFO       "{\"method\":\"" GET_INFO "\"}"

static void send(const char *bytes, size_t size)
{
	buffer_append(&session.input, bytes, size);
	session_arrived(&session, &(InputMetadata){ 0 });
}

/* Moves the input to memory of exactly its size, as a connection does between two turns. */
static void move_input(void)
{
	Buffer moved = BUFFER_INIT;

	buffer_append(&moved, buffer_head(&session.input), buffer_size(&session.input));
	buffer_deinit(&session.input);
	session.input = moved;
}

static const char *text(void)
{
	buffer_append(&out, "", 1);
	return buffer_head(&out);
}

Test(session_waits, nothing_happens_meanwhile)
{
	size_t records = fixture.fake_host->record_count;

	send(REGISTER_A "\n" INFO "\n", sizeof(REGISTER_A "\n" INFO "\n") - 1);
	for (int turn = 0; turn < 2; turn++) {
		cr_assert_eq(session_pump(&session, &out), SESSION_WAITS);
		cr_assert_eq(buffer_size(&out), 0u);
		cr_assert_not(session_has_partial_message(&session));
		cr_assert_eq(fixture.fake_host->record_count, records);
		cr_assert_eq(fake_host_events(fixture.fake_host, EVENT_REGISTERED), 0u);
		move_input();
	}
	cr_assert_eq(session_pump(&session, &out), SESSION_READS);
	cr_assert_eq(fake_host_events(fixture.fake_host, EVENT_REGISTERED), 1u);
	cr_assert_eq(fixture.fake_host->record_count, records + 1);
	const char *replies = text();
	const char *registration = strstr(replies, "\"registration\":");
	cr_assert(registration && strstr(registration, "\"vendor\":"),
		  "in the order of the requests");
}

Test(session_waits, a_request_that_the_end_of_input_terminates)
{
	send(REGISTER_A, sizeof(REGISTER_A) - 1);
	session_end_of_input(&session);
	cr_assert_eq(session_pump(&session, &out), SESSION_WAITS);
	move_input();
	cr_assert_eq(session_pump(&session, &out), SESSION_WAITS);
	move_input();
	cr_assert_eq(session_pump(&session, &out), SESSION_FINISHED);
	cr_assert_not_null(strstr(text(), "STATUS_SUCCESS"));
}

Test(session_waits, the_request_is_judged_as_the_state_is_then)
{
	send(REGISTER_A "\n", sizeof(REGISTER_A "\n") - 1);
	cr_assert_eq(session_pump(&session, &out), SESSION_WAITS);
	call(fixture.fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A);
	cr_assert_eq(session_pump(&session, &out), SESSION_READS);
	cr_assert_not_null(strstr(text(), "STATUS_NOT_FOUND"));
}

/* The fake host requires that every request which adds to the fdstore has asked whether it can. */
Test(session_waits, a_request_that_the_fdstore_is_not_ready_for)
{
	FakeHost *fake_host = fixture.fake_host;
	int memory = sealed_memory(fake_host);

	fake_host->fdstore_turns = 2;
	cr_assert_str_eq(share(fake_host, fixture.machine, IMAGE, &memory, 1, NULL),
			 "STATUS_SUCCESS");
	cr_assert_eq(fake_host->fdstore_turns, 0u, "the request has waited");
	cr_assert_eq(fake_host_events(fake_host, EVENT_SHARED), 1u, "it is done once");
}
