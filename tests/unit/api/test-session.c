/* SPDX-License-Identifier: MIT */
/*
 * Replies come in the order of the requests, each with its request's terminator, and none for
 * oneway. Messages that cannot be understood are refused.
 */
#include <criterion/criterion.h>
#include <stdio.h>
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

/* The test of session_repeated sets up the fixture several times. */
TestSuite(session, .init = set_up, .fini = tear_down);

#define INFO     "{\"method\":\"org.varlink.service.GetInfo\"}"
#define ADAPTERS "{\"method\":\"io.vaild.Gpu.ListAdapters\"}"
#define CREATE   "{\"method\":\"io.vaild.Gpu.CreateContext\"}"
#define UNKNOWN  "{\"method\":\"io.vaild.Nothing\"}"

/* Splits the replies at their terminators. Returns their number. */
static size_t split_replies(const char *text, size_t size, const char **replies, char *terminators,
			    size_t maximum)
{
	size_t count = 0, begin = 0;

	for (size_t i = 0; i < size && count < maximum; i++)
		if (text[i] == '\n' || text[i] == '\0') {
			replies[count] = text + begin;
			terminators[count++] = text[i];
			begin = i + 1;
		}
	cr_assert_eq(begin, size, "the last reply has no terminator");
	return count;
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

Test(session, replies_come_in_order_with_their_terminators)
{
	static const char requests[] = INFO "\0" ADAPTERS "\n" UNKNOWN "\0" INFO;
	static const char *const parts[] = { "vendor", "adapters", "MethodNotFound", "vendor" };
	static const char expected[] = { '\0', '\n', '\0', '\n' };
	const char *replies[8];
	char terminators[8];
	size_t size;
	const char *text = exchange_bytes(fixture.fake_host, fixture.client, requests,
					  sizeof(requests) - 1, &size);

	cr_assert_eq(split_replies(text, size, replies, terminators, 8), 4u);
	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(terminators[i], expected[i], "reply %zu", i);
		cr_assert_not_null(strstr(replies[i], parts[i]), "reply %zu", i);
	}
}

Test(session, blanks_and_line_breaks_are_skipped)
{
	static const char requests[] =
		"\n\n \0\t{\n\"method\"\r\n:\n\"org.varlink.service.GetInfo\"\n} \t\r\n\0\n" INFO
		" \0 \n";
	size_t size;
	const char *text = exchange_bytes(fixture.fake_host, fixture.client, requests,
					  sizeof(requests) - 1, &size);

	const char *replies[4];
	char terminators[4];

	cr_assert_eq(split_replies(text, size, replies, terminators, 4), 2u);
	cr_assert_eq(terminators[0], '\0', "LF NUL is one NUL");
	cr_assert_eq(terminators[1], '\0');
	cr_assert_not_null(strstr(replies[1], "vendor"));
}

Test(session, first_terminator_after_the_object_counts)
{
	static const char requests[] = INFO "\r\n" INFO "\0\n\n";
	const char *replies[4];
	char terminators[4];
	size_t size;
	const char *text = exchange_bytes(fixture.fake_host, fixture.client, requests,
					  sizeof(requests) - 1, &size);

	cr_assert_eq(split_replies(text, size, replies, terminators, 4), 2u);
	cr_assert_eq(terminators[0], '\n');
	cr_assert_eq(terminators[1], '\0');
}

Test(session, empty_input_gets_no_reply)
{
	cr_assert_str_eq(exchange(fixture.fake_host, fixture.client, ""), "");
	cr_assert_str_eq(exchange(fixture.fake_host, fixture.client, " \n\t\n"), "");
}

Test(session, oneway_acts_without_a_reply)
{
	cr_assert_str_eq(
		exchange(fixture.fake_host, fixture.admin,
			 "{\"method\":\"" SET_QUARANTINE "\",\"oneway\":true,\"parameters\":"
			 "{\"virtualMachineGuid\":\"" GUID_B "\",\"quarantined\":true}}\n"),
		"");
	cr_assert_not_null(fake_host_find_quarantine(fixture.fake_host, GUID_B));
	cr_assert_str_eq(
		exchange(fixture.fake_host, fixture.client,
			 "{\"method\":\"" SET_QUARANTINE "\",\"oneway\":true,\"parameters\":"
			 "{\"virtualMachineGuid\":\"" GUID_B "\",\"quarantined\":false}}\n"),
		"", "a refusal gets no reply either");
	cr_assert_not_null(fake_host_find_quarantine(fixture.fake_host, GUID_B));
	cr_assert_str_eq(exchange(fixture.fake_host, fixture.client,
				  "{\"method\":\"io.vaild.Nothing\",\"oneway\":true}\n"),
			 "");
	cr_assert_str_eq(exchange(fixture.fake_host, fixture.client,
				  "{\"method\":\"" LIST_ADAPTERS "\",\"oneway\":true}\n"),
			 "");
}

Test(session, oneway_suppresses_only_its_own_reply)
{
	const char *text = exchange(fixture.fake_host, fixture.client,
				    INFO "\n{\"method\":\"" CREATE_CONTEXT
					 "\",\"oneway\":true}\n" ADAPTERS "\n");

	cr_assert_eq(count_lines(text), 2u);
	cr_assert_not_null(strstr(text, "vendor"));
	cr_assert_not_null(strstr(text, "adapters"));
	cr_assert_null(strstr(text, "context\""));
}

Test(session, malformed_json_closes_after_earlier_replies)
{
	static const char *const rows[] = {
		"nul",
		"tru",
		"{\"a\":1,}",
		"[1,]",
		"{a:1}",
		"{'a':1}",
		"NaN",
		"Infinity",
		"-",
		"+1",
		"01",
		".5",
		"1.",
		"{\"a\" 1}",
		"{]",
		"[}",
		"}",
		"]",
		",",
		":",
		"x",
		"/* */ {}",
		"// x",
		"{} {}",
		"{}x",
		"{}{}",
		"\"\x01\"",
		"{\"a\":\"\t\"}",
		"\"\\u0000\"",
		"{\"\\u0000\":1}",
		"\"\\x41\"",
		"\"\\u12g4\"",
		"{\"a\":\"\xff\"}",
		"\"\xc3\"",
		"\xef\xbb\xbf{}",
		"\x7f",
		"{\"method\":\"io.vaild.Gpu.ListAdapters\"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char request[200];

		snprintf(request, sizeof(request), INFO "\n%s\n" INFO "\n", rows[i]);
		const char *text = exchange(fixture.fake_host, fixture.client, request);
		const char *error = strchr(text, '\n');

		cr_assert_not_null(strstr(text, "vendor"), "the earlier request is answered");
		cr_assert_not_null(error);
		cr_assert_eq(count_lines(text), 2u, "%s got %s", rows[i], text);
		cr_assert_eq(strncmp(error + 1, "{\"error\":\"io.vaild.InvalidParameter\"", 36), 0,
			     "%s got %s", rows[i], text);
		cr_assert_null(strstr(error, "\"parameter\":"), "%s got %s", rows[i], text);
	}
}

/* Writes a request for GetInfo with an array of count values beside its method. */
static void write_ignored_values(char *text, const char *value, size_t count)
{
	char *at = stpcpy(text, "{\"method\":\"org.varlink.service.GetInfo\",\"ignored\":[");

	for (size_t i = 0; i < count; i++)
		at = stpcpy(stpcpy(at, i > 0 ? "," : ""), value);
	stpcpy(at, "]}\n");
}

Test(session, ignored_members_count_as_values)
{
	static const char *const values[] = { "{}", "[]", "null", "\"\"", "-1.5e3" };
	static char request[8192];

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		for (size_t count = 507; count <= 511; count++) {
			write_ignored_values(request, values[i], count);
			const char *text = exchange(fixture.fake_host, fixture.client, request);

			cr_assert_eq(strstr(text, "vendor") != NULL, count + 3 <= FRAME_VALUES_MAX,
				     "%zu values %s: %s", count, values[i], text);
		}
}

/* Each message has the length that costs most. Another request follows and is answered. */
Test(session, longest_messages_are_answered)
{
	static const struct {
		const char *begin, *repeated, *end, *reply;
	} rows[] = {
#define METHOD "{\"method\":\"org.varlink.service.GetInfo\","
		{ METHOD "\"ignored\":\"", "\\ud83d", "\"}", "vendor" },
		{ METHOD "\"ignored\":\"", "\\\"", "\"}", "vendor" },
		{ METHOD "\"", "k", "\":[]}", "vendor" },
		{ METHOD "\"ignored\":[", " ", "]}", "vendor" },
		{ METHOD "\"parameters\":{\"unknown\":\"", "\\ud83d\\ude00", "\"}}", "unknown" },
		{ METHOD "\"parameters\":{\"", "\\u0001", "\":1}}", "InvalidParameter" },
		{ "{\"method\":\"a.b", "\\n", "\"}", "InterfaceNotFound" },
		{ "{\"method\":\"", "x", "\"}", "MethodNotFound" },
		{ "[\"", "\xf0\x9f\x98\x80", "\"]", "InvalidParameter" },
#undef METHOD
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *request = malloc(FRAME_MESSAGE_MAX + sizeof(INFO) + 2);
		char *at = stpcpy(request, rows[i].begin);
		size_t end_size = strlen(rows[i].end), step = strlen(rows[i].repeated);

		while ((size_t)(at - request) + step + end_size <= FRAME_MESSAGE_MAX)
			at = stpcpy(at, rows[i].repeated);
		stpcpy(stpcpy(at, rows[i].end), "\n" INFO "\n");
		const char *text = exchange(fixture.fake_host, fixture.client, request);

		cr_assert_eq(count_lines(text), 2u, "row %zu", i);
		cr_assert_not_null(strstr(text, rows[i].reply), "row %zu", i);
		cr_assert_not_null(strstr(strchr(text, '\n'), "vendor"), "row %zu", i);
		free(request);
	}
}

/* The reply to malformed input, which has no terminator of its own yet. */
Test(session, terminator_of_the_reply_to_malformed_input)
{
	static const struct {
		const char *bytes;
		size_t size;
		char terminator;
	} rows[] = {
#define ROW(text, terminator) { text, sizeof(text) - 1, terminator }
		ROW("x\n", '\n'),      ROW("x\0", '\0'),        ROW("{\"a\0", '\0'),
		ROW("{\"a\n", '\n'),   ROW(INFO "\nx", '\n'),   ROW(INFO "\nx\n", '\n'),
		ROW(INFO "\0x", '\0'), ROW(INFO "\0x\n", '\0'), ROW(INFO "\n" INFO "\0x", '\0'),
		ROW("x", '\n'),        ROW(INFO "\n\0x", '\0'), ROW("{\n\"a\":tru}\0", '\0'),
#undef ROW
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t size;
		const char *text = exchange_bytes(fixture.fake_host, fixture.client, rows[i].bytes,
						  rows[i].size, &size);

		cr_assert_eq(text[size - 1], rows[i].terminator, "row %zu", i);
	}
}

/* Receives the bytes and pumps. Returns the replies, which the next call overwrites. */
static const char *receive(Session *session, const char *bytes, size_t size, size_t *ret_size,
			   SessionState expected)
{
	static char replies[4096];
	Buffer out = BUFFER_INIT;

	cr_assert(buffer_append(&session->input, bytes, size));
	session_arrived(session, &(InputMetadata){ 0 });
	cr_assert_eq(session_pump(session, &out), expected);
	*ret_size = buffer_size(&out);
	cr_assert_lt(*ret_size, sizeof(replies));
	memcpy(replies, buffer_head(&out), *ret_size);
	replies[*ret_size] = '\0';
	buffer_deinit(&out);
	return replies;
}

/* A request that ends in LF is answered at once. If a NUL follows later, so does one of the reply.
 */
Test(session, late_nul_completes_the_reply)
{
	static const char oneway[] = "{\"method\":\"" CREATE_CONTEXT "\",\"oneway\":true}\n";
	const char *text;
	Session session;
	size_t size;

	session_init(&session, &fixture.fake_host->service, fixture.client);
	text = receive(&session, INFO "\n", strlen(INFO) + 1, &size, SESSION_READS);
	cr_assert_eq(text[size - 1], '\n');
	cr_assert_not(session_has_partial_message(&session));
	text = receive(&session, "\0" INFO "\0", strlen(INFO) + 2, &size, SESSION_READS);
	cr_assert_eq(text[0], '\0', "the NUL is first");
	cr_assert_not_null(strstr(text + 1, "vendor"));
	cr_assert_eq(text[size - 1], '\0');
	receive(&session, "\0", 1, &size, SESSION_READS);
	cr_assert_eq(size, 0u, "a NUL behind a NUL is a blank");
	receive(&session, oneway, strlen(oneway), &size, SESSION_READS);
	receive(&session, "\0", 1, &size, SESSION_READS);
	cr_assert_eq(size, 0u, "there is no reply to complete");
	receive(&session, UNKNOWN "\n", strlen(UNKNOWN) + 1, &size, SESSION_READS);
	receive(&session, "\n\0", 2, &size, SESSION_READS);
	cr_assert_eq(size, 0u, "the NUL follows another LF");
	session_deinit(&session);
}

/* The events of a watch end in NUL from then on. */
Test(session, late_nul_completes_the_events_of_a_watch)
{
	static const char watch[] = "{\"method\":\"" WATCH "\",\"more\":true}\n";
	const char *text;
	Session session;
	size_t size;

	session_init(&session, &fixture.fake_host->service, fixture.admin);
	text = receive(&session, watch, strlen(watch), &size, SESSION_WATCHES);
	cr_assert_eq(text[size - 1], '\n');
	cr_assert(session_awaits_nul(&session));
	text = receive(&session, "\0", 1, &size, SESSION_WATCHES);
	cr_assert_eq(size, 1u);
	cr_assert_eq(text[0], '\0');
	cr_assert_not(session_awaits_nul(&session));
	call(fixture.fake_host, fixture.admin, SET_QUARANTINE,
	     "{\"virtualMachineGuid\":\"" GUID_B "\",\"quarantined\":true}");
	text = receive(&session, "", 0, &size, SESSION_WATCHES);
	cr_assert_not_null(strstr(text, "quarantined"));
	cr_assert_eq(text[size - 1], '\0');
	session_deinit(&session);
}

/* The rest of a malformed message is discarded, and a NUL in it is sent behind the error. */
Test(session, malformed_message_is_refused_before_its_end)
{
	const char *text;
	Session session;
	size_t size;

	session_init(&session, &fixture.fake_host->service, fixture.client);
	text = receive(&session, "{\"a\":tru}", 9, &size, SESSION_READS);
	cr_assert_eq(strncmp(text, "{\"error\":\"io.vaild.InvalidParameter\"", 36), 0, "%s", text);
	cr_assert_eq(text[size - 1], '\n');
	cr_assert(session_lingers(&session));
	receive(&session, INFO, strlen(INFO), &size, SESSION_READS);
	cr_assert_eq(size, 0u);
	text = receive(&session, INFO "\0" INFO "\0", 2 * strlen(INFO) + 2, &size,
		       SESSION_FINISHED);
	cr_assert_eq(size, 1u);
	cr_assert_eq(text[0], '\0');
	session_deinit(&session);
}

Test(session, incomplete_message_is_malformed_at_the_end_of_input)
{
	for (size_t cut = 1; cut < strlen(INFO); cut++) {
		size_t size;
		const char *text =
			exchange_bytes(fixture.fake_host, fixture.client, INFO, cut, &size);

		cr_assert_eq(strncmp(text, "{\"error\":\"io.vaild.InvalidParameter\"", 36), 0,
			     "cut at %zu got %s", cut, text);
		cr_assert_eq(text[size - 1], '\n');
	}
}

Test(session_repeated, same_replies_however_the_input_is_split)
{
	static const char requests[] = INFO "\0\n " ADAPTERS " \r\n" UNKNOWN "\0" CREATE "\n12 \n";
	char *whole = NULL;
	size_t whole_size = 0;

	for (size_t cut = 0; cut < sizeof(requests); cut++) {
		set_up();
		Buffer out = BUFFER_INIT;
		Session session;

		session_init(&session, &fixture.fake_host->service, fixture.client);
		buffer_append(&session.input, requests, cut);
		session_arrived(&session, &(InputMetadata){ 0 });
		cr_assert_eq(session_pump(&session, &out), SESSION_READS);
		buffer_append(&session.input, requests + cut, sizeof(requests) - 1 - cut);
		session_arrived(&session, &(InputMetadata){ 0 });
		cr_assert_eq(session_pump(&session, &out), SESSION_READS);
		session_end_of_input(&session);
		cr_assert_eq(session_pump(&session, &out), SESSION_FINISHED);
		if (!whole) {
			whole_size = buffer_size(&out);
			whole = memcpy(malloc(whole_size), buffer_head(&out), whole_size);
		}
		cr_assert_eq(buffer_size(&out), whole_size, "split at %zu", cut);
		cr_assert_eq(memcmp(buffer_head(&out), whole, whole_size), 0, "split at %zu", cut);
		session_deinit(&session);
		buffer_deinit(&out);
		tear_down();
	}
	free(whole);
}

Test(session, partial_message_is_detected)
{
	Buffer out = BUFFER_INIT;
	Session session;

	session_init(&session, &fixture.fake_host->service, fixture.client);
	cr_assert_not(session_has_partial_message(&session));
	buffer_append(&session.input, " \n", 2);
	cr_assert_eq(session_pump(&session, &out), SESSION_READS);
	cr_assert_not(session_has_partial_message(&session), "blanks are not a message");
	buffer_append(&session.input, "{\"met", 5);
	cr_assert_eq(session_pump(&session, &out), SESSION_READS);
	cr_assert(session_has_partial_message(&session));
	buffer_append(&session.input, "hod\":1}", 7);
	cr_assert_eq(session_pump(&session, &out), SESSION_READS);
	cr_assert(session_has_partial_message(&session), "the terminator is missing");
	cr_assert_eq(buffer_size(&out), 0u);
	buffer_append(&session.input, "\n", 1);
	cr_assert_eq(session_pump(&session, &out), SESSION_READS);
	cr_assert_not(session_has_partial_message(&session));
	cr_assert_gt(buffer_size(&out), 0u);
	session_deinit(&session);
	buffer_deinit(&out);
}

Test(session, partial_message_behind_a_watch_is_detected)
{
	static const char watch[] = "{\"method\":\"" WATCH "\",\"more\":true}\n{\"method\":";
	static const char rest[] = "\"" GET_INFO "\"}\n";
	Buffer out = BUFFER_INIT;
	Session session;

	session_init(&session, &fixture.fake_host->service, fixture.admin);
	buffer_append(&session.input, watch, strlen(watch));
	session_arrived(&session, &(InputMetadata){ 0 });
	cr_assert_eq(session_pump(&session, &out), SESSION_WATCHES);
	cr_assert(session_has_partial_message(&session));
	buffer_append(&session.input, rest, strlen(rest));
	cr_assert_eq(session_pump(&session, &out), SESSION_WATCHES);
	cr_assert_not(session_has_partial_message(&session), "the message is complete");
	session_deinit(&session);
	buffer_deinit(&out);
}
