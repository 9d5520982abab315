/* SPDX-License-Identifier: MIT */
/*
 * Messages with unusual input metadata: bytes of another process, unexpected fds, and control data
 * that the kernel dropped.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(session_arrival);

#define CREATE        "{\"method\":\"io.vaild.Gpu.CreateContext\"}\n"
#define SHARE_NOTHING "{\"method\":\"" SHARE "\"}\n"
#define INFO          "{\"method\":\"org.varlink.service.GetInfo\"}\n"

typedef struct Turn {
	const char *bytes;
	size_t size;
	Arrival arrival;
} Turn;

/* Runs a session over turns. Returns the replies, owned by the fake host. */
static const char *run_turns(World *world, Caller *caller, const Turn *turns, size_t count)
{
	Session session;
	Buffer out = BUFFER_INIT;

	session_init(&session, &world->service, caller);
	for (size_t i = 0; i < count; i++) {
		buffer_append(&session.input, turns[i].bytes, turns[i].size);
		session_arrived(&session, &turns[i].arrival);
		cr_assert_eq(session_pump(&session, &out), SESSION_READS);
	}
	session_end_of_input(&session);
	cr_assert_eq(session_pump(&session, &out), SESSION_FINISHED);
	session_deinit(&session);
	buffer_append(&out, "", 1);
	free(world->reply_text);
	world->reply_text = out.data;
	return out.data;
}

static const char *run_turn(World *world, Caller *caller, const char *bytes, Arrival arrival)
{
	Turn turn = { .bytes = bytes, .size = strlen(bytes), .arrival = arrival };

	return run_turns(world, caller, &turn, 1);
}

static size_t count_text(const char *text, const char *part)
{
	size_t count = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		count++;
	return count;
}

static size_t contexts_of(World *world, const FakeProcess *process)
{
	const Process *held = process_find(world->service.broker, process->key);

	return held ? LIST_FIRST(&held->gpu_processes)->context_count : 0;
}

Test(session_arrival, foreign_bytes_anywhere_in_a_message_deny_it)
{
	for (size_t cut = 0; cut <= strlen(CREATE); cut++)
		for (int foreign = 0; foreign < 2; foreign++) {
			Cast cast = cast_new_quiet();
			Turn turns[] = {
				{ CREATE, cut, { .foreign = foreign == 0 } },
				{ CREATE + cut, strlen(CREATE) - cut, { .foreign = foreign == 1 } },
			};
			/* A turn without bytes of the message does not matter. */
			bool innocent = turns[foreign].size == 0;
			const char *text = run_turns(cast.world, cast.client, turns, 2);

			cr_assert_eq(count_text(text, "\n"), 1u);
			cr_assert_eq(strstr(text, "STATUS_SUCCESS") != NULL, innocent,
				     "cut at %zu: %s", cut, text);
			cr_assert_eq(strstr(text, "io.vaild.Gpu.AccessDenied") != NULL, !innocent,
				     "cut at %zu: %s", cut, text);
			cr_assert_eq(contexts_of(cast.world, cast.viewer), innocent ? 1u : 0u);
			cast_free(&cast);
		}
}

Test(session_arrival, three_turns_one_of_them_foreign)
{
	for (size_t foreign = 0; foreign < 3; foreign++) {
		Cast cast = cast_new_quiet();
		Turn turns[] = { { CREATE, 10, { 0 } },
				 { CREATE + 10, 10, { 0 } },
				 { CREATE + 20, strlen(CREATE) - 20, { 0 } } };

		turns[foreign].arrival.foreign = true;
		cr_assert_not_null(strstr(run_turns(cast.world, cast.client, turns, 3),
					  "STATUS_ACCESS_DENIED"));
		cast_free(&cast);
	}
}

Test(session_arrival, next_message_of_the_peer_is_served)
{
	Cast cast = cast_new_quiet();
	Turn turns[] = { { CREATE, strlen(CREATE), { .foreign = true } },
			 { CREATE, strlen(CREATE), { 0 } } };
	const char *text = run_turns(cast.world, cast.client, turns, 2);

	cr_assert_lt(strstr(text, "STATUS_ACCESS_DENIED"), strstr(text, "STATUS_SUCCESS"));
	cr_assert_eq(contexts_of(cast.world, cast.viewer), 1u);
	cast_free(&cast);
}

Test(session_arrival, foreign_bytes_after_the_end_of_the_peer)
{
	Cast cast = cast_new_quiet();

	world_kill(cast.world, cast.viewer);
	cr_assert_not_null(
		strstr(run_turn(cast.world, cast.client, CREATE, (Arrival){ .foreign = true }),
		       "io.vaild.Gpu.ProcessIsTerminating"));
	cast_free(&cast);
}

/* All bytes of a peer outside the daemon's pid namespace look foreign. The error says so. */
Test(session_arrival, peer_outside_the_pid_namespace)
{
	Cast cast = cast_new_quiet();

	cast.client->process = PROCESS_KEY_NONE;
	cast.client->pid = 0;
	const char *text = run_turn(cast.world, cast.client, CREATE, (Arrival){ .foreign = true });
	cr_assert_not_null(strstr(text, "io.vaild.Gpu.AccessDenied"));
	cr_assert_not_null(strstr(text, "pid namespace"));
	cast_free(&cast);
}

Test(session_arrival, service_interface_replies_with_an_error_of_vaild)
{
	Cast cast = cast_new_quiet();

	cr_assert_not_null(
		strstr(run_turn(cast.world, cast.client, INFO, (Arrival){ .foreign = true }),
		       "\"io.vaild.AccessDenied\""));
	cast_free(&cast);
}

Test(session_arrival, foreign_oneway_has_no_effect_and_no_reply)
{
	Cast cast = cast_new_quiet();

	cr_assert_str_eq(run_turn(cast.world, cast.client,
				  "{\"method\":\"" CREATE_CONTEXT "\",\"oneway\":true}\n",
				  (Arrival){ .foreign = true }),
			 "");
	cr_assert_eq(contexts_of(cast.world, cast.viewer), 0u);
	cast_free(&cast);
}

Test(session_arrival, unexpected_descriptors)
{
	Cast cast = cast_new_quiet();
	const char *text = run_turn(cast.world, cast.client, CREATE, (Arrival){ .descriptors = 1 });

	cr_assert_not_null(strstr(text, "io.vaild.Gpu.InvalidParameter"));
	cr_assert_not_null(strstr(text, "\"parameter\":\"parameters\""));
	cr_assert_eq(contexts_of(cast.world, cast.viewer), 0u);
	text = run_turn(cast.world, cast.client, INFO, (Arrival){ .descriptors = 253 });
	cr_assert_str_eq(text, "{\"error\":\"org.varlink.service.InvalidParameter\","
			       "\"parameters\":{\"parameter\":\"parameters\"}}\n");
	cast_free(&cast);
}

Test(session_arrival, lost_or_too_many_descriptors)
{
	static const Arrival arrivals[] = { { .lost = true }, { .too_many = true } };
	static const char *const statuses[] = { "STATUS_INSUFFICIENT_RESOURCES",
						"STATUS_INVALID_PARAMETER" };
	Cast cast = cast_new_quiet();

	for (size_t i = 0; i < ARRAY_SIZE(arrivals); i++) {
		cr_assert_not_null(strstr(run_turn(cast.world, cast.client, CREATE, arrivals[i]),
					  "io.vaild.Gpu.InvalidParameter"),
				   "a method that takes no fds says so");
		cr_assert_eq(contexts_of(cast.world, cast.viewer), 0u);
		cr_assert_not_null(
			strstr(run_turn(cast.world, cast.machine, SHARE_NOTHING, arrivals[i]),
			       statuses[i]));
	}
	cast_free(&cast);
}

Test(session_arrival, too_many_closes_under_way)
{
	Cast cast = cast_new_quiet();
	const char *text = run_turn(cast.world, cast.client, CREATE,
				    (Arrival){ .closing_too_many = true, .descriptors = 1 });

	cr_assert_not_null(strstr(text, "io.vaild.Gpu.QuotaExceeded"));
	cr_assert_not_null(strstr(text, "\"limit\":\"closesUnderWay\",\"maximum\":8"));
	cast_free(&cast);
}

/* Returns which of three messages is refused if fds came with a first turn of cut bytes; -1 if
 * none. */
static int refused_message(size_t cut)
{
	static const char three[] = CREATE CREATE CREATE;
	Cast cast = cast_new_quiet();
	Turn turns[] = { { three, cut, { .descriptors = 1 } },
			 { three + cut, sizeof(three) - 1 - cut, { 0 } } };
	const char *text = run_turns(cast.world, cast.client, turns, 2);
	int refused = -1, line = 0;

	cr_assert_eq(count_text(text, "InvalidParameter"), cut > 0 ? 1u : 0u, "cut at %zu", cut);
	cr_assert_eq(count_text(text, "\n"), 3u);
	for (; *text; text++) {
		if (strncmp(text, "{\"error\"", 8) == 0)
			refused = line;
		line += *text == '\n';
	}
	cast_free(&cast);
	return refused;
}

Test(session_arrival, descriptors_belong_to_the_last_message_begun_in_the_turn)
{
	size_t length = strlen(CREATE);

	for (size_t cut = 1; cut <= 3 * length; cut++)
		cr_assert_eq(refused_message(cut), (int)((cut - 1) / length), "cut at %zu", cut);
	cr_assert_eq(refused_message(0), -1);
}

Test(session_arrival, blanks_do_not_begin_a_message)
{
	Cast cast = cast_new_quiet();

	cr_assert_not_null(strstr(run_turn(cast.world, cast.client, CREATE " \r\n\t\n ",
					   (Arrival){ .descriptors = 1 }),
				  "InvalidParameter"));
	cr_assert_eq(contexts_of(cast.world, cast.viewer), 0u);
	cast_free(&cast);
}

Test(session_arrival, metadata_of_blanks_is_ignored)
{
	Cast cast = cast_new_quiet();
	Turn turns[] = { { "\n\n", 2, { .foreign = true, .descriptors = 3 } },
			 { CREATE, strlen(CREATE), { 0 } } };

	cr_assert_not_null(strstr(run_turns(cast.world, cast.client, turns, 2), "STATUS_SUCCESS"));
	cast_free(&cast);
}
