/* SPDX-License-Identifier: MIT */
/*
 * Output is bounded whatever the caller requests. Past LIMIT_UNREAD_PAUSE the session waits until
 * the replies are read, then continues. No reply is lost or duplicated.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/interfaces.h"
#include "tests/support/fake-host.h"

TestSuite(session_backpressure);

static size_t count_byte(const Buffer *buffer, char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < buffer_size(buffer); i++)
		count += buffer_head(buffer)[i] == byte;
	return count;
}

static size_t largest_description(void)
{
	size_t largest = 0;

	for (size_t i = 0; i < interface_count; i++)
		if (strlen(interfaces[i].description) > largest)
			largest = strlen(interfaces[i].description);
	return largest;
}

#define DESCRIBE_IT                                                    \
	"{\"method\":\"org.varlink.service.GetInterfaceDescription\"," \
	"\"parameters\":{\"interface\":\"io.vaild.Machine\"}}\n"

Test(session_backpressure, pipelined_requests_are_all_answered)
{
	enum { REQUESTS = 400 };
	HostFixture fixture = host_fixture_new_quiet();
	Buffer out = BUFFER_INIT;
	Session session;
	SessionState state;
	size_t replies = 0, pauses = 0;
	size_t bound = LIMIT_UNREAD_PAUSE + 2 * largest_description();

	session_init(&session, &fixture.fake_host->service, fixture.client);
	for (int i = 0; i < REQUESTS; i++)
		buffer_append(&session.input, DESCRIBE_IT, strlen(DESCRIBE_IT));
	session_arrived(&session, &(InputMetadata){ 0 });
	while ((state = session_pump(&session, &out)) == SESSION_PAUSED) {
		pauses++;
		cr_assert_geq(buffer_size(&out), (size_t)LIMIT_UNREAD_PAUSE);
		cr_assert_leq(buffer_size(&out), bound);
		size_t before = buffer_size(&out);
		cr_assert_eq(session_pump(&session, &out), SESSION_PAUSED, "no reply was read");
		cr_assert_eq(buffer_size(&out), before, "output grew during a pause");
		replies += count_byte(&out, '\n');
		buffer_consume(&out, buffer_size(&out));
	}
	cr_assert_eq(state, SESSION_READS);
	replies += count_byte(&out, '\n');
	cr_assert_eq(replies, (size_t)REQUESTS);
	cr_assert_gt(pauses, 5u);
	session_deinit(&session);
	buffer_deinit(&out);
	host_fixture_free(&fixture);
}

static void quarantine_many(HostFixture *fixture, int count, const char *reason)
{
	for (int i = 0; i < count; i++)
		cr_assert_str_eq(callf(fixture->fake_host, fixture->admin, SET_QUARANTINE,
				       "{\"virtualMachineGuid\":"
				       "\"10000000-0000-0000-0000-%012d\",\"quarantined\":true,"
				       "\"reason\":\"%s\"}",
				       i, reason),
				 "STATUS_SUCCESS");
}

Test(session_backpressure, lists_are_produced_as_they_are_read)
{
	enum { ITEMS = 250 };
	char reason[LIMIT_NAME_LENGTH * 6 + 1] = "";
	HostFixture fixture = host_fixture_new_quiet();
	Buffer out = BUFFER_INIT;
	Session session;
	size_t items = 0, largest = 0;

	for (int i = 0; i < LIMIT_NAME_LENGTH; i++)
		strcat(reason, "\\u0001"); /* six bytes each, also in the reply */
	quarantine_many(&fixture, ITEMS, reason);
	session_init(&session, &fixture.fake_host->service, fixture.admin);
	buffer_append(&session.input, "{\"method\":\"" LIST_QUARANTINES "\",\"more\":true}\n",
		      strlen("{\"method\":\"" LIST_QUARANTINES "\",\"more\":true}\n"));
	buffer_append(&session.input, DESCRIBE_IT, strlen(DESCRIBE_IT));
	session_arrived(&session, &(InputMetadata){ 0 });
	session_end_of_input(&session);
	while (session_pump(&session, &out) == SESSION_PAUSED) {
		if (buffer_size(&out) > largest)
			largest = buffer_size(&out);
		items += count_byte(&out, '\n');
		buffer_consume(&out, buffer_size(&out));
	}
	items += count_byte(&out, '\n');
	cr_assert_eq(items, (size_t)ITEMS + 1, "all items, then the later request");
	cr_assert_leq(largest, (size_t)LIMIT_UNREAD_PAUSE + 2000);
	session_deinit(&session);
	buffer_deinit(&out);
	host_fixture_free(&fixture);
}

Test(session_backpressure, list_too_long_for_one_reply)
{
	char reason[LIMIT_NAME_LENGTH * 6 + 1] = "", request[200];
	HostFixture fixture = host_fixture_new_quiet();

	for (int i = 0; i < LIMIT_NAME_LENGTH; i++)
		strcat(reason, "\\u0001");
	/* The fake host persists fewer, so its count is reset. Core keeps all of them. */
	for (int i = 0; i < 700; i++) {
		snprintf(request, sizeof(request), "%012d", i);
		fixture.fake_host->quarantine_count = 0;
		cr_assert_str_eq(callf(fixture.fake_host, fixture.admin, SET_QUARANTINE,
				       "{\"virtualMachineGuid\":\"10000000-0000-0000-0000-%s\","
				       "\"quarantined\":true,\"reason\":\"%s\"}",
				       request, reason),
				 "STATUS_SUCCESS");
	}
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, LIST_QUARANTINES, NULL),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_not_null(strstr(reply_string(fixture.fake_host, "message"), "\"more\": true"));
	cr_assert_null(strstr(fixture.fake_host->reply_text, "quarantines"),
		       "a part of the list is left");
	const char *text = exchange(fixture.fake_host, fixture.admin,
				    "{\"method\":\"" LIST_QUARANTINES "\",\"more\":true}\n");
	size_t items = 0;
	for (; *text; text++)
		items += *text == '\n';
	cr_assert_eq(items, 700u);
	host_fixture_free(&fixture);
}

/* A clock that advances half a millisecond with each call. */
static uint64_t slow_clock(void *self)
{
	return ((FakeHost *)self)->now += 500;
}

Test(session_backpressure, one_request_is_answered_after_the_turn_has_ended)
{
	static const char requests[] = "{\"method\":\"" GET_INFO "\"}\n"
				       "{\"method\":\"" GET_INFO "\"}\n";
	HostFixture fixture = host_fixture_new_quiet();
	Buffer out = BUFFER_INIT;
	Session session;

	session_init(&session, &fixture.fake_host->service, fixture.client);
	fixture.fake_host->service.turn_ends = 1;
	buffer_append(&session.input, requests, strlen(requests));
	session_arrived(&session, &(InputMetadata){ 0 });
	for (size_t answers = 1; answers <= 2; answers++) {
		cr_assert_eq(session_pump(&session, &out), SESSION_PAUSED);
		cr_assert_eq(count_byte(&out, '\n'), answers);
	}
	cr_assert_eq(session_pump(&session, &out), SESSION_READS);
	session_deinit(&session);
	buffer_deinit(&out);
	host_fixture_free(&fixture);
}

Test(session_backpressure, long_turns_pause_for_other_sessions)
{
	enum { REQUESTS = 200 };
	static const char request[] = "{\"method\":\"" GET_INFO "\"}\n";
	HostFixture fixture = host_fixture_new_quiet();
	Buffer out = BUFFER_INIT;
	Session session;
	size_t pauses = 0;

	fixture.fake_host->host.now = slow_clock;
	session_init(&session, &fixture.fake_host->service, fixture.client);
	for (int i = 0; i < REQUESTS; i++)
		buffer_append(&session.input, request, strlen(request));
	session_arrived(&session, &(InputMetadata){ 0 });
	for (;;) {
		fixture.fake_host->service.turn_ends = fixture.fake_host->now + 2000;
		if (session_pump(&session, &out) != SESSION_PAUSED)
			break;
		cr_assert_lt(buffer_size(&out), (size_t)LIMIT_UNREAD_PAUSE,
			     "paused because of the output");
		cr_assert_lt(++pauses, 100u);
	}
	cr_assert_gt(pauses, 2u);
	cr_assert_eq(count_byte(&out, '\n'), (size_t)REQUESTS);
	session_deinit(&session);
	buffer_deinit(&out);
	host_fixture_free(&fixture);
}
