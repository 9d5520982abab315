/* SPDX-License-Identifier: MIT */
/*
 * Messages with unusual input metadata: bytes of another process, unexpected fds, and control data
 * that the kernel dropped.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake-host.h"

static HostFixture fixture;

static void set_up(void)
{
	fixture = host_fixture_new_quiet();
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

/* The tests of session_input_metadata_repeated set up the fixture several times. */
TestSuite(session_input_metadata, .init = set_up, .fini = tear_down);

#define CREATE        "{\"method\":\"io.vaild.Gpu.CreateContext\"}\n"
#define SHARE_NOTHING "{\"method\":\"" SHARE "\"}\n"
#define INFO          "{\"method\":\"org.varlink.service.GetInfo\"}\n"

typedef struct Turn {
	const char *bytes;
	size_t size;
	InputMetadata metadata;
} Turn;

/* Runs a session over turns. Returns the replies, owned by the fake host. */
static const char *run_turns(FakeHost *fake_host, Caller *caller, const Turn *turns, size_t count)
{
	Session session;
	Buffer out = BUFFER_INIT;

	session_init(&session, &fake_host->service, caller);
	for (size_t i = 0; i < count; i++) {
		buffer_append(&session.input, turns[i].bytes, turns[i].size);
		session_arrived(&session, &turns[i].metadata);
		cr_assert_eq(session_pump(&session, &out), SESSION_READS);
	}
	session_end_of_input(&session);
	cr_assert_eq(session_pump(&session, &out), SESSION_FINISHED);
	session_deinit(&session);
	buffer_append(&out, "", 1);
	free(fake_host->reply_text);
	fake_host->reply_text = out.data;
	return out.data;
}

static const char *run_turn(FakeHost *fake_host, Caller *caller, const char *bytes,
			    InputMetadata metadata)
{
	Turn turn = { .bytes = bytes, .size = strlen(bytes), .metadata = metadata };

	return run_turns(fake_host, caller, &turn, 1);
}

static size_t count_text(const char *text, const char *part)
{
	size_t count = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		count++;
	return count;
}

static size_t contexts_of(FakeHost *fake_host, const FakeProcess *process)
{
	const Process *held = process_find(fake_host->service.broker, process->key);

	return held ? LIST_FIRST(&held->gpu_processes)->context_count : 0;
}

Test(session_input_metadata_repeated, foreign_bytes_anywhere_in_a_message_deny_it)
{
	for (size_t cut = 0; cut <= strlen(CREATE); cut++)
		for (int foreign = 0; foreign < 2; foreign++) {
			set_up();
			Turn turns[] = {
				{ CREATE, cut, { .foreign = foreign == 0 } },
				{ &CREATE[cut], strlen(CREATE) - cut, { .foreign = foreign == 1 } },
			};
			/* A turn without bytes of the message does not matter. */
			bool innocent = turns[foreign].size == 0;
			const char *text = run_turns(fixture.fake_host, fixture.client, turns, 2);

			cr_assert_eq(count_text(text, "\n"), 1u);
			cr_assert_eq(strstr(text, "STATUS_SUCCESS") != NULL, innocent,
				     "cut at %zu: %s", cut, text);
			cr_assert_eq(strstr(text, "io.vaild.Gpu.AccessDenied") != NULL, !innocent,
				     "cut at %zu: %s", cut, text);
			cr_assert_eq(contexts_of(fixture.fake_host, fixture.viewer),
				     innocent ? 1u : 0u);
			tear_down();
		}
}

Test(session_input_metadata_repeated, three_turns_one_of_them_foreign)
{
	for (size_t foreign = 0; foreign < 3; foreign++) {
		set_up();
		Turn turns[] = { { CREATE, 10, { 0 } },
				 { &CREATE[10], 10, { 0 } },
				 { &CREATE[20], strlen(CREATE) - 20, { 0 } } };

		turns[foreign].metadata.foreign = true;
		cr_assert_not_null(strstr(run_turns(fixture.fake_host, fixture.client, turns, 3),
					  "STATUS_ACCESS_DENIED"));
		tear_down();
	}
}

Test(session_input_metadata, next_message_of_the_peer_is_served)
{
	Turn turns[] = { { CREATE, strlen(CREATE), { .foreign = true } },
			 { CREATE, strlen(CREATE), { 0 } } };
	const char *text = run_turns(fixture.fake_host, fixture.client, turns, 2);

	cr_assert_lt(strstr(text, "STATUS_ACCESS_DENIED"), strstr(text, "STATUS_SUCCESS"));
	cr_assert_eq(contexts_of(fixture.fake_host, fixture.viewer), 1u);
}

Test(session_input_metadata, foreign_bytes_after_the_end_of_the_peer)
{
	fake_host_kill(fixture.fake_host, fixture.viewer);
	cr_assert_not_null(strstr(run_turn(fixture.fake_host, fixture.client, CREATE,
					   (InputMetadata){ .foreign = true }),
				  "io.vaild.Gpu.ProcessIsTerminating"));
}

/* All bytes of a peer outside the daemon's pid namespace look foreign. The error says so. */
Test(session_input_metadata, peer_outside_the_pid_namespace)
{
	fixture.client->process = PROCESS_KEY_NONE;
	fixture.client->pid = 0;
	const char *text = run_turn(fixture.fake_host, fixture.client, CREATE,
				    (InputMetadata){ .foreign = true });
	cr_assert_not_null(strstr(text, "io.vaild.Gpu.AccessDenied"));
	cr_assert_not_null(strstr(text, "pid namespace"));
}

Test(session_input_metadata, service_interface_replies_with_an_error_of_vaild)
{
	cr_assert_not_null(strstr(run_turn(fixture.fake_host, fixture.client, INFO,
					   (InputMetadata){ .foreign = true }),
				  "\"io.vaild.AccessDenied\""));
}

Test(session_input_metadata, foreign_oneway_has_no_effect_and_no_reply)
{
	cr_assert_str_eq(run_turn(fixture.fake_host, fixture.client,
				  "{\"method\":\"" CREATE_CONTEXT "\",\"oneway\":true}\n",
				  (InputMetadata){ .foreign = true }),
			 "");
	cr_assert_eq(contexts_of(fixture.fake_host, fixture.viewer), 0u);
}

Test(session_input_metadata, unexpected_fds)
{
	const char *text = run_turn(fixture.fake_host, fixture.client, CREATE,
				    (InputMetadata){ .had_fds = true });

	cr_assert_not_null(strstr(text, "io.vaild.Gpu.InvalidParameter"));
	cr_assert_not_null(strstr(text, "\"parameter\":\"parameters\""));
	cr_assert_eq(contexts_of(fixture.fake_host, fixture.viewer), 0u);
	text = run_turn(fixture.fake_host, fixture.client, INFO,
			(InputMetadata){ .had_fds = true });
	cr_assert_str_eq(text, "{\"error\":\"org.varlink.service.InvalidParameter\","
			       "\"parameters\":{\"parameter\":\"parameters\"}}\n");
}

Test(session_input_metadata, lost_or_too_many_fds)
{
	static const InputMetadata metadata[] = { { .lost = true }, { .too_many = true } };
	static const char *const statuses[] = { "STATUS_INSUFFICIENT_RESOURCES",
						"STATUS_INVALID_PARAMETER" };

	for (size_t i = 0; i < ARRAY_SIZE(metadata); i++) {
		cr_assert_not_null(
			strstr(run_turn(fixture.fake_host, fixture.client, CREATE, metadata[i]),
			       "io.vaild.Gpu.InvalidParameter"),
			"a method that takes no fds says so");
		cr_assert_eq(contexts_of(fixture.fake_host, fixture.viewer), 0u);
		cr_assert_not_null(strstr(
			run_turn(fixture.fake_host, fixture.machine, SHARE_NOTHING, metadata[i]),
			statuses[i]));
	}
}

Test(session_input_metadata, too_many_closes_under_way)
{
	const char *text = run_turn(fixture.fake_host, fixture.client, CREATE,
				    (InputMetadata){ .closing_too_many = true, .had_fds = true });

	cr_assert_not_null(strstr(text, "io.vaild.Gpu.QuotaExceeded"));
	cr_assert_not_null(strstr(text, "\"limit\":\"closesUnderWay\",\"maximum\":8"));
}

/*
 * Returns which of three messages is refused if fds came with a first turn of cut bytes; -1 if
 * none.
 */
static int refused_message(size_t cut)
{
	static const char three[] = CREATE CREATE CREATE;

	set_up();
	Turn turns[] = { { three, cut, { .had_fds = true } },
			 { three + cut, sizeof(three) - 1 - cut, { 0 } } };
	const char *text = run_turns(fixture.fake_host, fixture.client, turns, 2);
	int refused = -1, line = 0;

	cr_assert_eq(count_text(text, "InvalidParameter"), cut > 0 ? 1u : 0u, "cut at %zu", cut);
	cr_assert_eq(count_text(text, "\n"), 3u);
	for (; *text; text++) {
		if (strncmp(text, "{\"error\"", 8) == 0)
			refused = line;
		line += *text == '\n';
	}
	tear_down();
	return refused;
}

Test(session_input_metadata_repeated, fds_belong_to_the_last_message_begun_in_the_turn)
{
	size_t length = strlen(CREATE);

	for (size_t cut = 1; cut <= 3 * length; cut++)
		cr_assert_eq(refused_message(cut), (int)((cut - 1) / length), "cut at %zu", cut);
	cr_assert_eq(refused_message(0), -1);
}

Test(session_input_metadata, blanks_do_not_begin_a_message)
{
	cr_assert_not_null(strstr(run_turn(fixture.fake_host, fixture.client, CREATE " \r\n\t\n ",
					   (InputMetadata){ .had_fds = true }),
				  "InvalidParameter"));
	cr_assert_eq(contexts_of(fixture.fake_host, fixture.viewer), 0u);
}

Test(session_input_metadata, metadata_of_blanks_is_ignored)
{
	Turn turns[] = { { "\n\n", 2, { .foreign = true, .had_fds = true } },
			 { CREATE, strlen(CREATE), { 0 } } };

	cr_assert_not_null(
		strstr(run_turns(fixture.fake_host, fixture.client, turns, 2), "STATUS_SUCCESS"));
}
