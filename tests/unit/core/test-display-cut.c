/* SPDX-License-Identifier: MIT */
/*
 * Many channels that end together: they are shut down at once, no request finds them any more, and
 * the rest of their ends is made in slices.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-display.h"
#include "tests/support/fake-share.h"

#define SUCCESS "STATUS_SUCCESS"

enum { CHANNELS = 4 };

static HostFixture fixture;
static FakeHost *fake_host;
static Broker *broker;
static FakeAgent agent;
static char handles[CHANNELS][64];
static int fds[CHANNELS];

static void set_up(void)
{
	fixture = host_fixture_new_sharing();
	fake_host = fixture.fake_host;
	broker = fake_host->service.broker;
	fake_agent_serve(&agent, fake_host, fixture.machine, NAMES_A);
	for (size_t i = 0; i < CHANNELS; i++)
		cr_assert_str_eq(open_display(fake_host, fixture.client, NULL, handles[i], &fds[i]),
				 SUCCESS);
	fake_agent_read(&agent);
	fake_host->tick = ENDING_MICROSECONDS; /* each turn makes one step */
}

static void tear_down(void)
{
	fake_host->tick = 0;
	for (size_t i = 0; i < CHANNELS; i++)
		fake_host_close(fake_host, fds[i]);
	fake_agent_end(&agent);
	host_fixture_free(&fixture);
}

TestSuite(display_cut, .init = set_up, .fini = tear_down);

/* Lets the daemon notice an exit, without a turn that ends anything. */
static void notice_exit(FakeProcess *process)
{
	fake_host_kill(fake_host, process);
	process->exit_reported = true;
	broker_process_exited(broker, process->key);
}

static void end_all(void)
{
	while (broker_end_some(broker, ENDING_MICROSECONDS))
		broker_check(broker);
}

static size_t closed_events(void)
{
	return fake_host_events(fake_host, EVENT_DISPLAY_CLOSED);
}

static void expect_gone(void)
{
	broker_check(broker);
	for (size_t i = 0; i < CHANNELS; i++) {
		cr_expect(fake_host_is_shut(fake_host, fds[i]));
		cr_expect_null(display_channel_after(broker, 0));
		cr_expect_str_eq(callf(fake_host, fixture.admin, CLOSE_DISPLAY,
				       "{\"display\":\"%s\"}", handles[i]),
				 "STATUS_INVALID_HANDLE");
	}
}

/* Expects one step for each channel, before anything else ends. */
static void expect_slices(void)
{
	cr_expect_eq(closed_events(), 0u);
	for (size_t i = 1; i <= CHANNELS; i++) {
		cr_expect(broker_end_some(broker, ENDING_MICROSECONDS));
		cr_expect_eq(closed_events(), i);
		broker_check(broker);
	}
	end_all();
	cr_expect_eq(closed_events(), (size_t)CHANNELS);
	cr_expect_null(fake_host_record(fake_host, "\"kind\":\"display\""));
}

Test(display_cut, channels_of_a_viewer_that_exits)
{
	notice_exit(fixture.viewer);
	expect_gone();
	expect_slices();
}

Test(display_cut, channels_of_a_vmm_that_exits)
{
	notice_exit(fixture.vmm);
	expect_gone();
	expect_slices();
}

Test(display_cut, channels_whose_agent_leaves)
{
	session_deinit(&agent.session);
	session_init(&agent.session, &fake_host->service, fixture.machine);
	expect_gone();
	cr_expect_eq(closed_events(), 0u);
	for (size_t i = 1; broker_end_some(broker, ENDING_MICROSECONDS); i++)
		cr_expect_eq(closed_events(), i);
	cr_expect_eq(closed_events(), (size_t)CHANNELS);
}

/* Only the last reply follows those for the channels. */
Test(display_cut, the_agent_is_told_of_each_channel_of_its_vm)
{
	const char *replies, *at;

	cr_assert_str_eq(call(fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
	expect_gone();
	cr_expect_null(strstr(fake_agent_read(&agent), "\"continues\":false"));
	cr_expect_eq(agent.state, SESSION_WATCHES);
	end_all();
	replies = fake_agent_read(&agent);
	at = strstr(replies, handles[CHANNELS - 1]);
	cr_assert_not_null(at, "%s", replies);
	cr_expect_not_null(
		strstr(at, "\n{\"parameters\":{\"status\":\"STATUS_SUCCESS\",\"reason\":"));
	cr_expect_null(agent.session.stream);
}

/* Returns how often the watch has told of a display since it was read. */
static size_t count_told(Session *watch, const char *kind)
{
	Buffer out = BUFFER_INIT;
	size_t count = 0;

	while (session_pump(watch, &out) == SESSION_WAITS)
		;
	cr_assert(buffer_append(&out, "", 1));
	for (const char *at = buffer_head(&out); (at = strstr(at, kind)); at++)
		count++;
	buffer_deinit(&out);
	return count;
}

static void begin_watch(Session *watch)
{
	static const char request[] = "{\"method\":\"io.vaild.Watch\",\"more\":true}\n";

	session_init(watch, &fake_host->service, fixture.admin);
	cr_assert(buffer_append(&watch->input, request, strlen(request)));
	session_arrived(watch, &(InputMetadata){ 0 });
}

Test(display_cut, a_watch_that_begins_later_does_not_hear_of_the_channels)
{
	Session before, later;

	begin_watch(&before);
	cr_expect_eq(count_told(&before, "displayOpened"), (size_t)CHANNELS);
	notice_exit(fixture.viewer);
	begin_watch(&later);
	cr_expect_eq(count_told(&later, "display"), 0u);
	end_all();
	cr_expect_eq(count_told(&before, "displayClosed"), (size_t)CHANNELS);
	cr_expect_eq(count_told(&later, "displayClosed"), 0u);
	session_deinit(&before);
	session_deinit(&later);
}

Test(display_cut, a_channel_that_is_cut_does_not_count_for_its_vm)
{
	fake_host->tick = 0;
	cr_assert_str_eq(call(fake_host, fixture.admin, DESCRIBE, NAMES_A), SUCCESS);
	cr_expect_eq(reply_number(fake_host, "virtualMachine.displays"), (uint64_t)CHANNELS);
	fake_host->tick = ENDING_MICROSECONDS;
	notice_exit(fixture.viewer);
	cr_assert_str_eq(call(fake_host, fixture.admin, DESCRIBE, NAMES_A), SUCCESS);
	cr_expect_eq(reply_number(fake_host, "virtualMachine.displays"), 0u);
	end_all();
}
