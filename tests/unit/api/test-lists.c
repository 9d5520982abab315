/* SPDX-License-Identifier: MIT */
/*
 * Lists: one reply with all items or one item per reply, visibility, and changes while a list
 * streams.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(lists);

static size_t count_text(const char *text, const char *part)
{
	size_t count = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		count++;
	return count;
}

static void quarantine(HostFixture *fixture, int number, bool imposed)
{
	cr_assert_str_eq(callf(fixture->fake_host, fixture->admin, SET_QUARANTINE,
			       "{\"virtualMachineGuid\":\"10000000-0000-0000-0000-%012d\","
			       "\"quarantined\":%s}",
			       number, imposed ? "true" : "false"),
			 "STATUS_SUCCESS");
}

#define MORE(method) "{\"method\":\"" method "\",\"more\":true}\n"

Test(lists, one_item_per_reply_with_more)
{
	for (int items = 0; items < 5; items++) {
		HostFixture fixture = host_fixture_new_quiet();

		for (int i = 0; i < items; i++)
			quarantine(&fixture, i + 1, true);
		call(fixture.fake_host, fixture.admin, LIST_QUARANTINES, NULL);
		cr_assert_eq(reply_count(fixture.fake_host, "quarantines"), (size_t)items);
		cr_assert_null(strstr(fixture.fake_host->reply_text, "continues"));
		const char *text =
			exchange(fixture.fake_host, fixture.admin, MORE(LIST_QUARANTINES));
		size_t replies = items > 0 ? (size_t)items : 1;
		cr_assert_eq(count_text(text, "\n"), replies);
		cr_assert_eq(count_text(text, "\"continues\":true"), replies - 1);
		cr_assert_eq(count_text(text, "virtualMachineGuid"), (size_t)items);
		cr_assert_eq(count_text(text, "\"status\":\"STATUS_SUCCESS\""), replies);
		if (items == 0)
			cr_assert_str_eq(text, "{\"parameters\":{\"status\":\"STATUS_SUCCESS\","
					       "\"quarantines\":[]}}\n");
		host_fixture_free(&fixture);
	}
}

Test(lists, order_of_creation)
{
	HostFixture fixture = host_fixture_new_quiet();

	quarantine(&fixture, 3, true);
	quarantine(&fixture, 1, true);
	quarantine(&fixture, 2, true);
	quarantine(&fixture, 3, true); /* imposed again: stays in its place */
	call(fixture.fake_host, fixture.admin, LIST_QUARANTINES, NULL);
	cr_assert_eq(reply_count(fixture.fake_host, "quarantines"), 3u);
	cr_assert_not_null(strstr(
		reply_string(fixture.fake_host, "quarantines[0].virtualMachineGuid"), "000003"));
	cr_assert_not_null(strstr(
		reply_string(fixture.fake_host, "quarantines[2].virtualMachineGuid"), "000002"));
	host_fixture_free(&fixture);
}

Test(lists, stream_replies_use_the_terminator_of_the_request)
{
	static const char request[] = "{\"method\":\"" LIST_QUARANTINES "\",\"more\":true}\0"
				      "{\"method\":\"org.varlink.service.GetInfo\"}\n";
	size_t size, nuls = 0;
	HostFixture fixture = host_fixture_new_quiet();

	quarantine(&fixture, 1, true);
	quarantine(&fixture, 2, true);
	const char *text = exchange_bytes(fixture.fake_host, fixture.admin, request,
					  sizeof(request) - 1, &size);
	for (size_t i = 0; i < size; i++)
		nuls += text[i] == '\0';
	cr_assert_eq(nuls, 2u);
	cr_assert_eq(text[size - 1], '\n', "the later request is answered after the stream");
	host_fixture_free(&fixture);
}

/* Pauses a stream after its first item, makes the change, and reads the rest. */
static size_t stream_over_change(HostFixture *fixture, void (*change)(HostFixture *),
				 size_t *ret_items)
{
	Session session;
	Buffer out = BUFFER_INIT;
	char filler[LIMIT_UNREAD_PAUSE - 1];
	size_t replies, continues;

	memset(filler, 'x', sizeof(filler));
	session_init(&session, &fixture->fake_host->service, fixture->admin);
	buffer_append(&session.input, MORE(LIST_QUARANTINES), strlen(MORE(LIST_QUARANTINES)));
	session_arrived(&session, &(InputMetadata){ 0 });
	buffer_append(&out, filler, sizeof(filler)); /* leaves room for one reply */
	cr_assert_eq(session_pump(&session, &out), SESSION_PAUSED);
	buffer_consume(&out, sizeof(filler));
	change(fixture);
	cr_assert_eq(session_pump(&session, &out), SESSION_READS);
	buffer_append(&out, "", 1);
	replies = count_text(buffer_head(&out), "\n");
	continues = count_text(buffer_head(&out), "\"continues\":true");
	*ret_items = count_text(buffer_head(&out), "virtualMachineGuid");
	cr_assert_eq(continues, replies - 1, "exactly the last reply does not continue");
	session_deinit(&session);
	buffer_deinit(&out);
	return replies;
}

static void remove_second(HostFixture *fixture)
{
	quarantine(fixture, 2, false);
}

static void remove_first_and_second(HostFixture *fixture)
{
	quarantine(fixture, 1, false); /* the one at the cursor */
	quarantine(fixture, 2, false);
}

static void remove_all(HostFixture *fixture)
{
	for (int i = 1; i <= 3; i++)
		quarantine(fixture, i, false);
}

static void add_one(HostFixture *fixture)
{
	quarantine(fixture, 4, true);
}

Test(lists, changes_while_a_list_streams)
{
	static const struct {
		void (*change)(HostFixture *fixture);
		size_t items, replies;
	} rows[] = {
		{ remove_second, 2, 2 },
		{ remove_first_and_second, 2, 2 },
		{ remove_all, 1, 2 }, /* the first reply said continues, so an empty one follows */
		{ add_one, 4, 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		HostFixture fixture = host_fixture_new_quiet();
		size_t items;

		for (int number = 1; number <= 3; number++)
			quarantine(&fixture, number, true);
		cr_assert_eq(stream_over_change(&fixture, rows[i].change, &items), rows[i].replies,
			     "row %zu", i);
		cr_assert_eq(items, rows[i].items, "row %zu", i);
		host_fixture_free(&fixture);
	}
}

Test(lists, visibility_of_machines)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;
	FakeProcess *second = fake_host_process(fake_host, 301, 1000);
	FakeProcess *with_groups = fake_host_process(fake_host, 302, 1000);

	process_set_groups(with_groups, 1000, 1, (gid_t[]){ 27 });
	FakeProcess *inner = fake_host_process(fake_host, 303, 1000);
	inner->credentials.user_namespace.inode++;
	const struct {
		Caller *caller;
		bool sees;
		const char *who;
	} rows[] = {
		{ fixture.admin, true, "operator" },
		{ fixture.machine, true, "VMM" },
		{ fixture.client, true, "display client" },
		{ fake_host_connect(fake_host, second), true, "another process like it" },
		{ fake_host_connect(fake_host, with_groups), false, "same uid, other groups" },
		{ fake_host_connect(fake_host, inner), false, "same uid in another namespace" },
		{ fixture.stranger, false, "stranger" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		call(fake_host, rows[i].caller, LIST_MACHINES, NULL);
		cr_assert_eq(reply_count(fake_host, "virtualMachines"), rows[i].sees ? 1u : 0u,
			     "%s", rows[i].who);
		cr_assert_str_eq(call(fake_host, rows[i].caller, DESCRIBE, NAMES_A),
				 rows[i].sees ? "STATUS_SUCCESS" : "STATUS_ACCESS_DENIED", "%s",
				 rows[i].who);
	}
	host_fixture_free(&fixture);
}

Test(lists, visibility_of_registrations)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;
	Caller *second = fake_host_connect(fake_host, fake_host_process(fake_host, 301, 1000));

	call(fake_host, second, CREATE_CONTEXT, NULL);
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), "STATUS_SUCCESS");
	cr_assert_str_eq(call(fake_host, second, REGISTER, NAMES_A), "STATUS_SUCCESS");
	call(fake_host, fixture.client, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(fake_host, "registrations"), 1u,
		     "only the process's own, not all of its uid");
	cr_assert_eq(reply_number(fake_host, "registrations[0].pid"), 300u);
	call(fake_host, fixture.stranger, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(fake_host, "registrations"), 0u);
	call(fake_host, fixture.admin, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(fake_host, "registrations"), 2u);
	host_fixture_free(&fixture);
}
