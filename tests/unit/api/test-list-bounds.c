/* SPDX-License-Identifier: MIT */
/*
 * No step of a list or watch takes long: neither when the caller may see none of many entities, nor
 * when the list is too long for one reply.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(list_bounds);

/* The serials of the VMs follow each other. */
#define MACHINES 600
#define VISIBLE  431 /* the only VM with the viewer as its display client */

static void add_machines(HostFixture *fixture)
{
	for (int i = 1; i <= MACHINES; i++)
		cr_assert_str_eq(callf(fixture->fake_host, fixture->admin, REGISTER_MACHINE,
				       "{\"virtualMachineGuid\":\"10000000-0000-0000-0000-%012d\","
				       "\"vmmPid\":200,\"displayClients\":[{\"user\":\"%s\"}]}",
				       i, i == VISIBLE ? "alice" : "carol"),
				 "STATUS_SUCCESS");
}

static HostFixture fixture_with_machines(void)
{
	HostFixture fixture = host_fixture_new_quiet();

	fake_host_user(fixture.fake_host, "carol", 1002);
	add_machines(&fixture);
	return fixture;
}

static size_t count_text(const char *text, const char *part)
{
	size_t count = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		count++;
	return count;
}

Test(list_bounds, each_step_looks_at_few_entities)
{
	HostFixture fixture = fixture_with_machines();
	const ListView view = {
		.service = &fixture.fake_host->service,
		.caller = fixture.stranger,
		.list = &list_virtual_machines,
	};

	for (int counts = 0; counts < 2; counts++) {
		ListCursor cursor = { 0 };
		ListStep step = LIST_GOES_ON;
		size_t steps = 0;

		for (; step == LIST_GOES_ON; steps++) {
			uint64_t begin = cursor.position;

			step = counts ? list_count_entities(&view, &cursor)
				      : list_next_entity(&view, &cursor, NULL);
			cr_assert_leq(cursor.position - begin,
				      (uint64_t)LIMIT_LIST_WALK + (begin == 0 ? 1000 : 0));
		}
		cr_assert_eq(step, LIST_ENDS);
		cr_assert_eq(cursor.parts, 0u);
		cr_assert_eq(steps, (size_t)MACHINES / LIMIT_LIST_WALK + 1);
	}
	host_fixture_free(&fixture);
}

/* The list is complete although most of its steps find nothing. */
Test(list_bounds, one_visible_entity_among_many)
{
	HostFixture fixture = fixture_with_machines();
	FakeHost *fake_host = fixture.fake_host;

	call(fake_host, fixture.client, LIST_MACHINES, NULL);
	cr_assert_eq(reply_count(fake_host, "virtualMachines"), 1u);
	const char *text = exchange(fake_host, fixture.client,
				    "{\"method\":\"" LIST_MACHINES "\",\"more\":true}\n");
	cr_assert_eq(count_text(text, "000000000431"), 1u);
	cr_assert_eq(count_text(text, "\"continues\":true"), count_text(text, "\n") - 1);
	call(fake_host, fixture.stranger, LIST_MACHINES, NULL);
	cr_assert_eq(reply_count(fake_host, "virtualMachines"), 0u);
	text = exchange(fake_host, fixture.stranger,
			"{\"method\":\"" LIST_MACHINES "\",\"more\":true}\n");
	cr_assert_str_eq(text, "{\"parameters\":{\"status\":\"STATUS_SUCCESS\","
			       "\"virtualMachines\":[]}}\n");
	call(fake_host, fixture.admin, LIST_MACHINES, NULL);
	cr_assert_eq(reply_count(fake_host, "virtualMachines"), (size_t)MACHINES);
	host_fixture_free(&fixture);
}

Test(list_bounds, watch_looks_at_few_entities_at_once)
{
	HostFixture fixture = fixture_with_machines();
	const Method *method;
	Session session;
	Buffer out = BUFFER_INIT;
	StreamStep step;
	size_t steps = 0;

	cr_assert_eq(method_find(WATCH, &method), METHOD_FOUND);
	session_init(&session, &fixture.fake_host->service, fixture.stranger);
	session.stream = stream_new(&session, method, '\n');
	Request request = { .service = session.service, .caller = session.caller };
	cr_assert_eq(stream_watch(session.stream, &request), STATUS_SUCCESS);
	while ((step = stream_next(session.stream, &out)) == STREAM_CONTINUES)
		steps++;
	cr_assert_eq(step, STREAM_WAITS);
	cr_assert_geq(steps, (size_t)MACHINES / LIMIT_LIST_WALK);
	buffer_append(&out, "", 1);
	cr_assert_eq(count_text(buffer_head(&out), "\n"), 1u, "only the event current");
	session_deinit(&session);
	buffer_deinit(&out);
	host_fixture_free(&fixture);
}

/* Pumps one request until it is answered, and counts the replies. */
static size_t pump(HostFixture *fixture, Caller *caller, const char *request, Buffer *out,
		   size_t *ret_largest)
{
	Session session;
	size_t replies = 0;

	session_init(&session, &fixture->fake_host->service, caller);
	buffer_append(&session.input, request, strlen(request));
	session_arrived(&session, &(InputMetadata){ 0 });
	while (session_pump(&session, out) == SESSION_PAUSED)
		if (session.stream && stream_unread(session.stream) > *ret_largest)
			*ret_largest = stream_unread(session.stream);
	for (size_t i = 0; i < buffer_size(out); i++)
		replies += buffer_head(out)[i] == '\n';
	session_deinit(&session);
	return replies;
}

/* The clock advances with each call, so that the session pauses after each step. */
static uint64_t slow_clock(void *self)
{
	return ((FakeHost *)self)->now += 100000;
}

Test(list_bounds, list_without_reply_is_not_made)
{
	static const char request[] = "{\"method\":\"" LIST_MACHINES "\",\"oneway\":true}\n"
				      "{\"method\":\"" GET_INFO "\"}\n";
	HostFixture fixture = fixture_with_machines();
	Buffer out = BUFFER_INIT;
	size_t largest = 0;

	fixture.fake_host->host.now = slow_clock;
	cr_assert_eq(pump(&fixture, fixture.admin, request, &out, &largest), 1u);
	cr_assert_eq(largest, 0u);
	buffer_deinit(&out);
	host_fixture_free(&fixture);
}

static void map_ranges(HostFixture *fixture, const char *process, int count)
{
	for (int i = 0; i < count; i++)
		cr_assert_str_eq(callf(fixture->fake_host, fixture->client, MAP_ADDRESS,
				       "{\"process\":\"%s\",\"sizeInBytes\":4096,"
				       "\"protection\":\"zero\"}",
				       process),
				 "STATUS_SUCCESS");
}

/* A list of at most LIMIT_LIST_PARTS ranges is one reply. Of a longer one nothing is written. */
Test(list_bounds, longest_list_in_one_reply)
{
	HostFixture fixture = host_fixture_new_quiet();
	FakeHost *fake_host = fixture.fake_host;
	char process[HANDLE_TEXT_LENGTH + 1], request[200];

	call(fake_host, fixture.client, CREATE_CONTEXT, NULL);
	snprintf(process, sizeof(process), "%s", reply_string(fake_host, "process"));
	snprintf(request, sizeof(request), "{\"process\":\"%s\"}", process);
	call(fake_host, fixture.client, DESCRIBE_SPACE, request);
	size_t others = reply_count(fake_host, "ranges");
	map_ranges(&fixture, process, LIMIT_LIST_PARTS - (int)others);
	cr_assert_str_eq(call(fake_host, fixture.client, DESCRIBE_SPACE, request),
			 "STATUS_SUCCESS");
	cr_assert_eq(reply_count(fake_host, "ranges"), (size_t)LIMIT_LIST_PARTS);
	map_ranges(&fixture, process, 1);
	cr_assert_str_eq(call(fake_host, fixture.client, DESCRIBE_SPACE, request),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_not_null(strstr(reply_string(fake_host, "message"), "\"more\": true"));

	Buffer out = BUFFER_INIT;
	size_t largest = 0;
	fake_host->host.now = slow_clock;
	snprintf(request, sizeof(request),
		 "{\"method\":\"" DESCRIBE_SPACE "\",\"parameters\":{\"process\":\"%s\"}}\n",
		 process);
	cr_assert_eq(pump(&fixture, fixture.client, request, &out, &largest), 1u);
	cr_assert_eq(largest, 0u, "a part of the list was written");
	buffer_deinit(&out);
	host_fixture_free(&fixture);
}
