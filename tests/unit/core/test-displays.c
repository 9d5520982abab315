/* SPDX-License-Identifier: MIT */
/* Display servers and channels: who serves what, in which order, and what they are charged for. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-display.h"
#include "tests/support/fake-share.h"

#define SUCCESS "STATUS_SUCCESS"

static HostFixture fixture;
static FakeAgent agent;
static FakeProcess *second;
static Caller *second_machine;

static void set_up(void)
{
	fixture = host_fixture_new_sharing();
	second = fake_host_process(fixture.fake_host, 500, 64055);
	second_machine = fake_host_connect(fixture.fake_host, second);
	fake_agent_serve(&agent, fixture.fake_host, fixture.machine, NAMES_A);
}

static void tear_down(void)
{
	fake_agent_end(&agent);
	host_fixture_free(&fixture);
}

TestSuite(displays, .init = set_up, .fini = tear_down);

static const char *open_and_close(char ret_handle[64])
{
	int fd = FD_NONE;
	const char *status = open_display(fixture.fake_host, fixture.client, NULL, ret_handle, &fd);

	if (fd != FD_NONE)
		fake_host_close(fixture.fake_host, fd);
	return status;
}

static void begin_hand_over(void)
{
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":500}"),
			 SUCCESS);
}

Test(displays, the_first_reply_is_empty)
{
	cr_assert_str_eq(buffer_head(&agent.replies),
			 "{\"parameters\":{\"status\":\"STATUS_SUCCESS\"},\"continues\":true}\n");
	cr_assert_eq(agent.state, SESSION_WATCHES);
}

Test(displays, channels_are_sent_in_their_order_each_with_its_end)
{
	char first[64], later[64];

	cr_assert_str_eq(open_and_close(first), SUCCESS);
	cr_assert_str_eq(open_and_close(later), SUCCESS);
	const char *replies = fake_agent_read(&agent);
	cr_assert_eq(agent.fds.count, 2u);
	cr_assert_lt(strstr(replies, first), strstr(replies, later));
	cr_assert_not_null(strstr(replies, "\"fileDescriptor\":0"));
	cr_assert_str_eq(fake_agent_read(&agent), "");
}

Test(displays, a_channel_that_closes_before_it_is_sent_is_left_out)
{
	char handle[64];

	cr_assert_str_eq(open_and_close(handle), SUCCESS);
	callf(fixture.fake_host, fixture.client, CLOSE_DISPLAY, "{\"display\":\"%s\"}", handle);
	cr_assert_str_eq(fake_agent_read(&agent), "");
	cr_assert_eq(fake_host_open_fds(fixture.fake_host), 0u);
}

Test(displays, a_stream_needs_more)
{
	cr_assert_str_eq(call(fixture.fake_host, fixture.machine, SERVE_DISPLAYS, NAMES_A),
			 "org.varlink.service.ExpectedMore");
}

Test(displays, the_agent_closes_what_its_viewer_has_left)
{
	char handle[64];

	cr_assert_str_eq(open_and_close(handle), SUCCESS);
	fake_agent_read(&agent);
	cr_assert_str_eq(callf(fixture.fake_host, fixture.machine, CLOSE_DISPLAY,
			       "{\"display\":\"%s\"}", handle),
			 SUCCESS);
	cr_assert_not_null(strstr(fake_agent_read(&agent), "\"requested\""));
}

Test(displays, descriptors_that_run_out_refuse_and_leave_nothing_behind)
{
	FakeHost *fake_host = fixture.fake_host;

	fake_host->fd_limit = 2;
	cr_assert_str_eq(open_and_close(NULL), "STATUS_INSUFFICIENT_RESOURCES");
	fake_host->fd_limit = 0;
	fake_host->refuse_fdstore_add = true;
	cr_assert_str_eq(open_and_close(NULL), "STATUS_INSUFFICIENT_RESOURCES");
	fake_host->refuse_fdstore_add = false;
	fake_host->refuse_persist = true;
	cr_assert_str_eq(open_and_close(NULL), "STATUS_INSUFFICIENT_RESOURCES");
	fake_host->refuse_persist = false;
	cr_assert_eq(fake_host_open_fds(fake_host), 0u);
	cr_assert_str_eq(fake_agent_read(&agent), "");
	cr_assert_str_eq(open_and_close(NULL), SUCCESS);
	fake_agent_read(&agent);
}

Test(displays, closes_under_way_of_either_side_refuse_a_channel)
{
	FakeHost *fake_host = fixture.fake_host;
	const Payer payers[] = { payer_of(fixture.client), payer_of(fixture.machine) };

	cr_assert_neq(payer_compare(&payers[0], &payers[1]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(payers); i++) {
		size_t fds = fake_host_open_fds(fake_host);

		fake_host->closer = payers[i];
		fake_host->closes = LIMIT_CLOSES_UNDER_WAY;
		cr_assert_str_eq(open_and_close(NULL), "STATUS_QUOTA_EXCEEDED");
		cr_assert_str_eq(reply_string(fake_host, "limit"), LIMIT_NAME_CLOSES);
		cr_assert_eq(fake_host_open_fds(fake_host), fds);
		fake_host->closes--;
		cr_assert_str_eq(open_and_close(NULL), SUCCESS);
		fake_agent_read(&agent);
	}
}

/* Counts the channels that fake_agent_read() has opened. */
static size_t count_opened(const char *replies)
{
	size_t count = 0;

	while ((replies = strstr(replies, "\"opened\""))) {
		replies++;
		count++;
	}
	return count;
}

Test(displays, one_user_cannot_lock_others_out_of_a_vm)
{
	FakeHost *fake_host = fixture.fake_host;
	uint64_t maximum = limits_default.per_entity[LIMIT_DISPLAYS];
	uint64_t share = maximum - maximum / LIMIT_DISPLAY_SHARE;

	for (uint64_t i = 0; i < share; i++) {
		cr_assert_str_eq(open_and_close(NULL), SUCCESS);
		fake_agent_read(&agent);
		fake_agent_close_fds(&agent);
	}
	cr_assert_str_eq(open_and_close(NULL), "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(fake_host, "limit"), "displaysPerMachine");
	cr_assert_eq(reply_number(fake_host, "maximum"), share);
	cr_assert_eq(reply_number(fake_host, "used"), share);
}

static size_t count_displays(void)
{
	uint64_t cursor = 0;
	size_t count = 0;
	Broker *broker = fixture.fake_host->service.broker;
	const DisplayChannel *channel;

	while ((channel = display_channel_after(broker, cursor))) {
		cursor = channel->entity.serial;
		count++;
	}
	return count;
}

Test(displays, a_channel_ends_whose_viewer_does_not_get_it)
{
	static const char request[] =
		"{\"method\":\"" OPEN_DISPLAY "\",\"oneway\":true,\"parameters\":" NAMES_A "}\n";
	Session session;
	Buffer out = BUFFER_INIT;

	for (int oneway = 0; oneway < 2; oneway++) {
		char text[sizeof(request)];

		snprintf(text, sizeof(text), "%s", request);
		if (!oneway)
			memcpy(strstr(text, "true"), "null", 4);
		session_init(&session, &fixture.fake_host->service, fixture.client);
		cr_assert(buffer_append(&session.input, text, strlen(text)));
		session_arrived(&session, &(InputMetadata){ 0 });
		session_pump(&session, &out);
		cr_assert_eq(count_displays(), oneway ? 0u : 1u);
		session_deinit(&session); /* the reply was not sent */
		cr_assert_eq(count_displays(), 0u);
		buffer_deinit(&out);
	}
	cr_assert_eq(count_opened(fake_agent_read(&agent)), 0u);
	cr_assert_eq(fake_host_open_fds(fixture.fake_host), 0u);
}

/* The next daemon waits for the agent, which does not come. */
Test(displays, channels_that_wait_in_vain_end_some_at_a_time)
{
	FakeHost *fake_host = fixture.fake_host;
	const size_t count = LIMIT_DISPLAYS_ENDED + 1;
	Broker *broker;

	for (size_t i = 0; i < count; i++) {
		cr_assert_str_eq(open_and_close(NULL), SUCCESS);
		fake_agent_read(&agent);
		fake_agent_close_fds(&agent);
	}
	fake_host->service.broker->is_stopping = true;
	session_deinit(&agent.session);
	fake_host_restart(fake_host);
	session_init(&agent.session, &fake_host->service, fixture.machine);
	broker = fake_host->service.broker;
	cr_assert_eq(count_displays(), count);
	fake_host->now = display_channels_deadline(broker);
	display_channels_end_overdue(broker);
	cr_assert_eq(count_displays(), 1u);
	cr_assert_leq(display_channels_deadline(broker), fake_host->now);
	display_channels_end_overdue(broker);
	cr_assert_eq(count_displays(), 0u);
	cr_assert_eq(display_channels_deadline(broker), UINT64_MAX);
}

/* --- ends in slices --------------------------------------------------------------------------- */

/* Lets the daemon notice an exit, without a turn that ends anything. */
static void notice_exit(FakeProcess *process)
{
	fake_host_kill(fixture.fake_host, process);
	process->exit_reported = true;
	broker_process_exited(fixture.fake_host->service.broker, process->key);
}

/* Opens a channel and gives the agent its end. The viewer's end belongs to the calling code. */
static int open_channel(void)
{
	int fd = FD_NONE;

	cr_assert_str_eq(open_display(fixture.fake_host, fixture.client, NULL, NULL, &fd), SUCCESS);
	cr_assert_not_null(strstr(fake_agent_read(&agent), "opened"));
	return fd;
}

/* Expects that the channel has ended, then makes all ends that have begun. */
static void expect_shut(int fd)
{
	Broker *broker = fixture.fake_host->service.broker;

	cr_expect(fake_host_is_shut(fixture.fake_host, fd));
	broker_check(broker);
	while (broker_end_some(broker, ENDING_MICROSECONDS))
		broker_check(broker);
	fake_host_close(fixture.fake_host, fd);
	fake_agent_read(&agent);
}

Test(displays, a_channel_ends_as_soon_as_its_viewer_exits)
{
	int fd = open_channel();

	notice_exit(fixture.viewer);
	expect_shut(fd);
}

Test(displays, a_channel_ends_as_soon_as_its_server_exits)
{
	int fd = open_channel();

	notice_exit(fixture.vmm);
	expect_shut(fd);
}

/* The server is the agent, another process. */
Test(displays, a_channel_ends_as_soon_as_the_vmm_of_its_vm_exits)
{
	FakeHost *fake_host = fixture.fake_host;

	session_deinit(&agent.session);
	session_init(&agent.session, &fake_host->service, fixture.machine);
	cr_assert_str_eq(call(fake_host, fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":500}}"),
			 SUCCESS);
	fake_agent_end(&agent);
	fake_agent_serve(&agent, fake_host, second_machine, NAMES_A);
	int fd = open_channel();

	notice_exit(fixture.vmm);
	expect_shut(fd);
}

Test(displays, a_channel_that_waits_for_its_server_ends_at_once_with_its_vm)
{
	FakeHost *fake_host = fixture.fake_host;
	int fd = open_channel();

	fake_host->service.broker->is_stopping = true;
	session_deinit(&agent.session);
	fake_host_restart(fake_host);
	session_init(&agent.session, &fake_host->service, fixture.machine);
	cr_assert_not(fake_host_is_shut(fake_host, fd));
	vm_end(fake_host->service.broker, vm_after(fake_host->service.broker, 0),
	       END_VM_UNREGISTERED);
	expect_shut(fd);
}

/* --- hand-over ------------------------------------------------------------------------------- */

Test(displays, the_incoming_vmm_serves_beside_the_vmm_and_takes_over)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeAgent incoming;
	int fd;

	begin_hand_over();
	cr_assert_null(
		strstr(fake_agent_serve(&incoming, fake_host, second_machine, NAMES_A), "error"));
	cr_assert_str_eq(open_display(fake_host, fixture.client, NULL, NULL, &fd), SUCCESS);
	cr_assert_str_eq(fake_agent_read(&incoming), "", "new channels go to the VMM");
	cr_assert_not_null(strstr(fake_agent_read(&agent), "opened"));
	fake_host_exit(fake_host, fixture.vmm);
	cr_assert(fake_host_is_shut(fake_host, fd), "the former VMM's channels end with it");
	fake_host_close(fake_host, fd);
	cr_assert_str_eq(open_and_close(NULL), SUCCESS, "the registration stays");
	cr_assert_not_null(strstr(fake_agent_read(&incoming), "opened"));
	cr_assert_not_null(strstr(fake_agent_read(&agent), "{\"status\":\"STATUS_SUCCESS\","
							   "\"reason\":\"agentGone\"}}"));
	fake_agent_end(&incoming);
}

Test(displays, an_incoming_vmm_that_gives_up_serves_no_longer)
{
	FakeAgent incoming;

	begin_hand_over();
	fake_agent_serve(&incoming, fixture.fake_host, second_machine, NAMES_A);
	fake_host_exit(fixture.fake_host, second);
	fake_agent_read(&incoming);
	cr_assert_null(incoming.session.stream);
	fake_agent_end(&incoming);
	cr_assert_str_eq(open_and_close(NULL), SUCCESS);
	fake_agent_read(&agent);
}

#define HAND_OVER_TO(pid) \
	"{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":" pid ",\"agent\":{\"user\":\"bob\"}}"

/* Makes one user the agent of the VMM and of the incoming one, and serves for both. */
static void serve_for_both(FakeAgent *first, FakeAgent *other)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeProcess *process = fake_host_process(fake_host, 600, 1001);
	Caller *of_user = fake_host_connect(fake_host, process);

	session_deinit(&agent.session);
	session_init(&agent.session, &fake_host->service, fixture.machine);
	call(fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"user\":\"bob\"}}");
	call(fake_host, fixture.admin, REGISTER_MACHINE, HAND_OVER_TO("500"));
	cr_assert_null(strstr(fake_agent_serve(first, fake_host, of_user, NAMES_A), "error"));
	cr_assert_null(strstr(fake_agent_serve(other, fake_host, of_user, NAMES_A), "error"));
}

/* The user stays the agent of the VMM, so only the end of the incoming VMM ends the server. */
Test(displays, the_server_of_an_incoming_vmm_ends_with_it)
{
	FakeAgent first, other;

	serve_for_both(&first, &other);
	fake_host_exit(fixture.fake_host, second);
	cr_assert_not_null(strstr(fake_agent_read(&other), "\"agentGone\""));
	cr_assert_null(other.session.stream);
	cr_assert_not_null(first.session.stream);
	fake_agent_end(&first);
	cr_assert_str_eq(open_and_close(NULL), "STATUS_INVALID_DEVICE_STATE");
	fake_agent_end(&other);
}

Test(displays, the_server_of_a_replaced_incoming_vmm_ends)
{
	FakeAgent first, other;

	serve_for_both(&first, &other);
	fake_host_process(fixture.fake_host, 501, 64055);
	cr_assert_str_eq(
		call(fixture.fake_host, fixture.admin, REGISTER_MACHINE, HAND_OVER_TO("501")),
		SUCCESS);
	cr_assert_not_null(strstr(fake_agent_read(&other), "\"agentGone\""));
	cr_assert_not_null(first.session.stream);
	fake_agent_end(&first);
	fake_agent_end(&other);
}

Test(displays, one_user_can_be_the_agent_of_both_vmms)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeAgent first, other;

	serve_for_both(&first, &other);
	fake_host_exit(fake_host, fixture.vmm);
	cr_assert_str_eq(open_and_close(NULL), SUCCESS);
	cr_assert_not_null(strstr(fake_agent_read(&other), "opened"));
	fake_agent_end(&first);
	fake_agent_end(&other);
}
