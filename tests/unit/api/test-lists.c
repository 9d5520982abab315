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

static void quarantine(Cast *cast, int number, bool imposed)
{
	cr_assert_str_eq(callf(cast->world, cast->admin, SET_QUARANTINE,
			       "{\"virtualMachineGuid\":\"10000000-0000-0000-0000-%012d\","
			       "\"quarantined\":%s}",
			       number, imposed ? "true" : "false"),
			 "STATUS_SUCCESS");
}

#define MORE(method) "{\"method\":\"" method "\",\"more\":true}\n"

Test(lists, one_item_per_reply_with_more)
{
	for (int items = 0; items < 5; items++) {
		Cast cast = cast_new_quiet();

		for (int i = 0; i < items; i++)
			quarantine(&cast, i + 1, true);
		call(cast.world, cast.admin, LIST_QUARANTINES, NULL);
		cr_assert_eq(reply_count(cast.world, "quarantines"), (size_t)items);
		cr_assert_null(strstr(cast.world->reply_text, "continues"));
		const char *text = exchange(cast.world, cast.admin, MORE(LIST_QUARANTINES));
		size_t replies = items > 0 ? (size_t)items : 1;
		cr_assert_eq(count_text(text, "\n"), replies);
		cr_assert_eq(count_text(text, "\"continues\":true"), replies - 1);
		cr_assert_eq(count_text(text, "virtualMachineGuid"), (size_t)items);
		cr_assert_eq(count_text(text, "\"status\":\"STATUS_SUCCESS\""), replies);
		if (items == 0)
			cr_assert_str_eq(text, "{\"parameters\":{\"status\":\"STATUS_SUCCESS\","
					       "\"quarantines\":[]}}\n");
		cast_free(&cast);
	}
}

Test(lists, order_of_creation)
{
	Cast cast = cast_new_quiet();

	quarantine(&cast, 3, true);
	quarantine(&cast, 1, true);
	quarantine(&cast, 2, true);
	quarantine(&cast, 3, true); /* imposed again: stays in its place */
	call(cast.world, cast.admin, LIST_QUARANTINES, NULL);
	cr_assert_eq(reply_count(cast.world, "quarantines"), 3u);
	cr_assert_not_null(
		strstr(reply_string(cast.world, "quarantines[0].virtualMachineGuid"), "000003"));
	cr_assert_not_null(
		strstr(reply_string(cast.world, "quarantines[2].virtualMachineGuid"), "000002"));
	cast_free(&cast);
}

Test(lists, stream_replies_use_the_terminator_of_the_request)
{
	static const char request[] = "{\"method\":\"" LIST_QUARANTINES "\",\"more\":true}\0"
				      "{\"method\":\"org.varlink.service.GetInfo\"}\n";
	size_t size, nuls = 0;
	Cast cast = cast_new_quiet();

	quarantine(&cast, 1, true);
	quarantine(&cast, 2, true);
	const char *text =
		exchange_bytes(cast.world, cast.admin, request, sizeof(request) - 1, &size);
	for (size_t i = 0; i < size; i++)
		nuls += text[i] == '\0';
	cr_assert_eq(nuls, 2u);
	cr_assert_eq(text[size - 1], '\n', "the later request is answered after the stream");
	cast_free(&cast);
}

/* Pauses a stream after its first item, makes the change, and reads the rest. */
static size_t stream_over_change(Cast *cast, void (*change)(Cast *), size_t *ret_items)
{
	Session session;
	Buffer out = BUFFER_INIT;
	char filler[LIMIT_UNREAD_PAUSE - 1];
	size_t replies, continues;

	memset(filler, 'x', sizeof(filler));
	session_init(&session, &cast->world->service, cast->admin);
	buffer_append(&session.input, MORE(LIST_QUARANTINES), strlen(MORE(LIST_QUARANTINES)));
	session_arrived(&session, &(Arrival){ 0 });
	buffer_append(&out, filler, sizeof(filler)); /* leaves room for one reply */
	cr_assert_eq(session_pump(&session, &out), SESSION_PAUSED);
	buffer_consume(&out, sizeof(filler));
	change(cast);
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

static void remove_second(Cast *cast)
{
	quarantine(cast, 2, false);
}

static void remove_first_and_second(Cast *cast)
{
	quarantine(cast, 1, false); /* the one at the cursor */
	quarantine(cast, 2, false);
}

static void remove_all(Cast *cast)
{
	for (int i = 1; i <= 3; i++)
		quarantine(cast, i, false);
}

static void add_one(Cast *cast)
{
	quarantine(cast, 4, true);
}

Test(lists, changes_while_a_list_streams)
{
	static const struct {
		void (*change)(Cast *cast);
		size_t items, replies;
	} rows[] = {
		{ remove_second, 2, 2 },
		{ remove_first_and_second, 2, 2 },
		{ remove_all, 1, 2 }, /* the first reply said continues, so an empty one follows */
		{ add_one, 4, 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Cast cast = cast_new_quiet();
		size_t items;

		for (int number = 1; number <= 3; number++)
			quarantine(&cast, number, true);
		cr_assert_eq(stream_over_change(&cast, rows[i].change, &items), rows[i].replies,
			     "row %zu", i);
		cr_assert_eq(items, rows[i].items, "row %zu", i);
		cast_free(&cast);
	}
}

Test(lists, visibility_of_machines)
{
	Cast cast = cast_new();
	World *world = cast.world;
	FakeProcess *second = world_process(world, 301, 1000);
	FakeProcess *with_groups = world_process(world, 302, 1000);

	process_set_groups(with_groups, 1000, 1, (gid_t[]){ 27 });
	FakeProcess *inner = world_process(world, 303, 1000);
	inner->credentials.user_namespace.inode++;
	const struct {
		Caller *caller;
		bool sees;
		const char *who;
	} rows[] = {
		{ cast.admin, true, "operator" },
		{ cast.machine, true, "VMM" },
		{ cast.client, true, "display client" },
		{ world_connect(world, second), true, "another process like it" },
		{ world_connect(world, with_groups), false, "same uid, other groups" },
		{ world_connect(world, inner), false, "same uid in another namespace" },
		{ cast.stranger, false, "stranger" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		call(world, rows[i].caller, LIST_MACHINES, NULL);
		cr_assert_eq(reply_count(world, "virtualMachines"), rows[i].sees ? 1u : 0u, "%s",
			     rows[i].who);
		cr_assert_str_eq(call(world, rows[i].caller, DESCRIBE, NAMES_A),
				 rows[i].sees ? "STATUS_SUCCESS" : "STATUS_ACCESS_DENIED", "%s",
				 rows[i].who);
	}
	cast_free(&cast);
}

Test(lists, visibility_of_registrations)
{
	Cast cast = cast_new();
	World *world = cast.world;
	Caller *second = world_connect(world, world_process(world, 301, 1000));

	call(world, second, CREATE_CONTEXT, NULL);
	cr_assert_str_eq(call(world, cast.client, REGISTER, NAMES_A), "STATUS_SUCCESS");
	cr_assert_str_eq(call(world, second, REGISTER, NAMES_A), "STATUS_SUCCESS");
	call(world, cast.client, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(world, "registrations"), 1u,
		     "only the process's own, not all of its uid");
	cr_assert_eq(reply_number(world, "registrations[0].pid"), 300u);
	call(world, cast.stranger, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(world, "registrations"), 0u);
	call(world, cast.admin, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(world, "registrations"), 2u);
	cast_free(&cast);
}
