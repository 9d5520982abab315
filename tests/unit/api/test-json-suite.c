/* SPDX-License-Identifier: MIT */
/*
 * Every point of JSON's grammar, as a whole message, as parameters and nested, ended by LF and by
 * NUL. Valid text is accepted, and the connection goes on. Invalid text is refused with a reason
 * that ends as its client expects. The replies do not depend on how the input is split.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake-host.h"
#include "tests/support/json-cases.h"

static HostFixture fixture;

static void set_up(void)
{
	fixture = host_fixture_new_quiet();
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

TestSuite(json_suite, .init = set_up, .fini = tear_down);

static void check(const JsonCase *json_case, JsonPlace place, char terminator, const char *replies,
		  size_t size)
{
	const char *flaw = json_case_flaw(json_case, place, terminator, replies, size);

	cr_expect_null(flaw, "case %zu, place %d, terminator %d: %s: %.60s got %.200s",
		       (size_t)(json_case - json_cases), (int)place, terminator, flaw,
		       json_case->text, replies);
}

/* Sends bytes of the message one at a time, then the end of input. */
static void check_bytewise(const JsonCase *json_case, JsonPlace place, char terminator,
			   const Buffer *input)
{
	Buffer out = BUFFER_INIT;
	Session session;

	session_init(&session, &fixture.fake_host->service, fixture.client);
	for (size_t i = 0; i < buffer_size(input) && session.state != SESSION_FINISHED; i++) {
		cr_assert(buffer_append(&session.input, buffer_head(input) + i, 1));
		session_arrived(&session, &(InputMetadata){ 0 });
		session_pump(&session, &out);
	}
	session_end_of_input(&session);
	session_pump(&session, &out);
	check(json_case, place, terminator, buffer_head(&out), buffer_size(&out));
	session_deinit(&session);
	buffer_deinit(&out);
}

static void check_case(const JsonCase *json_case, JsonPlace place, char terminator)
{
	Buffer input = BUFFER_INIT;
	size_t size;

	json_case_write(json_case, place, terminator, &input);
	const char *replies = exchange_bytes(fixture.fake_host, fixture.client, buffer_head(&input),
					     buffer_size(&input), &size);
	check(json_case, place, terminator, replies, size);
	/* An LF that arrives last counts as the end of a malformed message. */
	if (buffer_size(&input) < 300 &&
	    (terminator == '\n' || !memchr(json_case->text, '\n', json_case->size)))
		check_bytewise(json_case, place, terminator, &input);
	buffer_deinit(&input);
}

Test(json_suite, line_feed)
{
	for (JsonPlace place = 0; place < JSON_PLACE_MAX; place++)
		for (size_t i = 0; i < json_case_count; i++)
			check_case(&json_cases[i], place, '\n');
}

Test(json_suite, nul)
{
	for (JsonPlace place = 0; place < JSON_PLACE_MAX; place++)
		for (size_t i = 0; i < json_case_count; i++)
			check_case(&json_cases[i], place, '\0');
}
