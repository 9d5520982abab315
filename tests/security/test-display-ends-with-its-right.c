/* SPDX-License-Identifier: MIT */
/*
 * A display channel ends at both ends at once, although viewer and agent hold their descriptors, as
 * soon as its viewer has lost the right to it, or its agent the right to serve it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake-display.h"
#include "tests/support/fake-share.h"

#define SUCCESS "STATUS_SUCCESS"

static HostFixture fixture;
static FakeAgent agent;
static char handle[64];
static int viewer_fd;

#define CLIENTS(text) "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[" text "]}"

static void set_up(void)
{
	fixture = host_fixture_new_sharing();
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
			      CLIENTS("{\"user\":\"alice\",\"rights\":[\"input\"]}")),
			 SUCCESS);
	fake_agent_serve(&agent, fixture.fake_host, fixture.machine, NAMES_A);
	cr_assert_str_eq(open_display(fixture.fake_host, fixture.client, NULL, handle, &viewer_fd),
			 SUCCESS);
	cr_assert_not_null(strstr(fake_agent_read(&agent), handle));
	cr_assert_eq(agent.fds.count, 1u);
}

static void tear_down(void)
{
	fake_agent_end(&agent);
	fake_host_close(fixture.fake_host, viewer_fd);
	host_fixture_free(&fixture);
}

TestSuite(display_ends_with_its_right, .init = set_up, .fini = tear_down);

static void expect_open(void)
{
	cr_assert_not(fake_host_is_shut(fixture.fake_host, viewer_fd));
	call(fixture.fake_host, fixture.client, LIST_DISPLAYS, NULL);
	cr_assert_str_eq(reply_string(fixture.fake_host, "displays[0].display"), handle);
}

static void expect_ended(const char *reason)
{
	FakeHost *fake_host = fixture.fake_host;
	const char *replies = fake_agent_read(&agent);
	char expected[128];

	snprintf(expected, sizeof(expected), "\"closed\":\"%s\",\"reason\":\"%s\"}", handle,
		 reason);
	cr_assert_not_null(strstr(replies, expected), "%s", replies);
	cr_assert(fake_host_is_shut(fake_host, viewer_fd));
	cr_assert(fake_host_is_shut(fake_host, agent.fds.items[0]));
	cr_assert_eq(fake_host_events(fake_host, EVENT_DISPLAY_CLOSED), 1u);
	cr_assert_eq(fake_host_open_fds(fake_host), 2u, "the daemon keeps no fd");
	cr_assert_null(fake_host_record(fake_host, "\"kind\":\"display\""));
	cr_assert_str_eq(
		callf(fake_host, fixture.admin, CLOSE_DISPLAY, "{\"display\":\"%s\"}", handle),
		"STATUS_INVALID_HANDLE");
	broker_check(fake_host->service.broker);
}

Test(display_ends_with_its_right, revocation)
{
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, REVOKE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":300}"),
			 SUCCESS);
	expect_ended("revoked");
}

Test(display_ends_with_its_right, unregistration)
{
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, UNREGISTER, NAMES_A), SUCCESS);
	expect_ended("requested");
}

Test(display_ends_with_its_right, exit_of_the_viewer)
{
	fake_host_exit(fixture.fake_host, fixture.viewer);
	fake_host_write_ended(fixture.fake_host, fixture.fake_host->ended_count);
	expect_ended("processExited");
}

Test(display_ends_with_its_right, quarantine)
{
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, SET_QUARANTINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}"),
			 SUCCESS);
	expect_ended("quarantined");
}

Test(display_ends_with_its_right, withdrawal_of_a_right)
{
	int other;

	cr_assert_str_eq(open_display(fixture.fake_host, fixture.client, "[]", NULL, &other),
			 SUCCESS);
	fake_agent_read(&agent);
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
			      CLIENTS("{\"user\":\"alice\"}")),
			 SUCCESS);
	cr_assert_not(fake_host_is_shut(fixture.fake_host, other), "it never had that right");
	fake_host_close(fixture.fake_host, other);
	fake_host_close(fixture.fake_host, agent.fds.items[--agent.fds.count]);
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, LIST_DISPLAYS, NULL), SUCCESS);
	cr_assert_eq(reply_count(fixture.fake_host, "displays"), 1u);
	callf(fixture.fake_host, fixture.admin, CLOSE_DISPLAY, "{\"display\":\"%s\"}",
	      reply_string(fixture.fake_host, "displays[0].display"));
	cr_assert_eq(fake_host_events(fixture.fake_host, EVENT_DISPLAY_CLOSED), 2u);
	cr_assert(fake_host_is_shut(fixture.fake_host, viewer_fd));
	cr_assert_not_null(strstr(fake_agent_read(&agent), "\"rightsWithdrawn\""));
}

Test(display_ends_with_its_right, an_update_that_keeps_the_rights_ends_nothing)
{
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
			      CLIENTS("{\"user\":\"bob\"},{\"user\":\"alice\","
				      "\"rights\":[\"input\",\"clipboard\"]}")),
			 SUCCESS);
	expect_open();
}

Test(display_ends_with_its_right, loss_of_the_display_client)
{
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
			      CLIENTS("{\"user\":\"bob\",\"rights\":[\"input\"]}")),
			 SUCCESS);
	expect_ended("privilegesChanged");
}

Test(display_ends_with_its_right, open_with_other_privileges)
{
	int fd;

	process_set_groups(fixture.viewer, 1000, 1, (gid_t[]){ 27 });
	cr_assert_str_eq(open_display(fixture.fake_host, fixture.client, NULL, NULL, &fd),
			 "STATUS_ACCESS_DENIED");
	expect_ended("privilegesChanged");
}

Test(display_ends_with_its_right, close_by_the_viewer)
{
	cr_assert_str_eq(callf(fixture.fake_host, fixture.client, CLOSE_DISPLAY,
			       "{\"display\":\"%s\"}", handle),
			 SUCCESS);
	expect_ended("requested");
}

Test(display_ends_with_its_right, end_of_the_vm_ends_the_stream_too)
{
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A),
			 SUCCESS);
	fake_host_write_ended(fixture.fake_host, fixture.fake_host->ended_count);
	expect_ended("virtualMachineUnregistered");
	cr_assert_null(agent.session.stream);
}

Test(display_ends_with_its_right, end_of_the_agents_stream)
{
	session_deinit(&agent.session);
	session_init(&agent.session, &fixture.fake_host->service, fixture.machine);
	cr_assert(fake_host_is_shut(fixture.fake_host, viewer_fd));
	broker_end_some(fixture.fake_host->service.broker, ENDING_MICROSECONDS);
	cr_assert_eq(fake_host_last_event(fixture.fake_host, EVENT_DISPLAY_CLOSED)->reason,
		     END_AGENT_GONE);
	int fd;
	cr_assert_str_eq(open_display(fixture.fake_host, fixture.client, NULL, NULL, &fd),
			 "STATUS_INVALID_DEVICE_STATE");
	cr_assert_not_null(strstr(reply_string(fixture.fake_host, "message"), "vail-qemu"));
}

Test(display_ends_with_its_right, loss_of_the_role_of_agent)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeAgent named;
	int fd;

	session_deinit(&agent.session);
	session_init(&agent.session, &fake_host->service, fixture.machine);
	call(fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":400}}");
	fake_agent_serve(&named, fake_host, fixture.stranger, NAMES_A);
	cr_assert_str_eq(open_display(fake_host, fixture.client, NULL, NULL, &fd), SUCCESS);
	fake_agent_read(&named);
	call(fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":200}}");
	cr_assert(fake_host_is_shut(fake_host, fd));
	cr_assert_not_null(strstr(fake_agent_read(&named),
				  "{\"parameters\":{\"status\":\"STATUS_SUCCESS\","
				  "\"reason\":\"agentGone\"}}"));
	fake_host_close(fake_host, fd);
	fake_agent_end(&named);
}

/* --- restarts -------------------------------------------------------------------------------- */

/* Stops the daemon as a restart does, and starts it again. */
static void restart(void)
{
	broker_stop(fixture.fake_host->service.broker);
	session_deinit(&agent.session);
	fake_host_restart(fixture.fake_host);
	fixture.fake_host->event_count = 0; /* also of the end of everything at the stop */
	session_init(&agent.session, &fixture.fake_host->service, fixture.machine);
	expect_open();
}

/* Serves again with these displays, and returns the replies. */
static const char *serve_again(const char *displays)
{
	ReceivedFds fds = agent.fds;
	char parameters[256];

	session_deinit(&agent.session);
	buffer_deinit(&agent.replies);
	snprintf(parameters, sizeof(parameters),
		 "{\"virtualMachineGuid\":\"" GUID_A "\",\"displays\":[%s]}", displays);
	const char *replies =
		fake_agent_serve(&agent, fixture.fake_host, fixture.machine, parameters);
	cr_assert_eq(agent.fds.count, 0u, "no channel is sent again");
	agent.fds = fds;
	return replies;
}

Test(display_ends_with_its_right, a_restart_keeps_the_channel_and_the_power_to_end_it)
{
	char displays[80];

	restart();
	call(fixture.fake_host, fixture.admin, LIST_DISPLAYS, NULL);
	cr_assert_str_eq(reply_string(fixture.fake_host, "displays[0].display"), handle);
	cr_assert_str_eq(reply_string(fixture.fake_host, "displays[0].rights[1]"), "input");
	snprintf(displays, sizeof(displays), "\"%s\"", handle);
	cr_assert_null(strstr(serve_again(displays), "closed"));
	fixture.fake_host->now += UINT64_C(31000000);
	display_channels_end_overdue(fixture.fake_host->service.broker);
	expect_open();
	call(fixture.fake_host, fixture.admin, REVOKE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":300}");
	expect_ended("revoked");
}

Test(display_ends_with_its_right, a_revocation_right_after_a_restart)
{
	restart();
	call(fixture.fake_host, fixture.admin, REVOKE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":300}");
	cr_assert(fake_host_is_shut(fixture.fake_host, viewer_fd));
}

Test(display_ends_with_its_right, a_channel_that_the_agent_no_longer_has)
{
	restart();
	const char *replies = serve_again("\"00000000000000000000000000000000\"");
	cr_assert_not_null(strstr(replies, "\"closed\":\"00000000000000000000000000000000\""));
	cr_assert(fake_host_is_shut(fixture.fake_host, viewer_fd));
}

Test(display_ends_with_its_right, an_agent_that_does_not_come_back_in_time)
{
	Broker *broker;

	restart();
	broker = fixture.fake_host->service.broker;
	fixture.fake_host->now += UINT64_C(29999999);
	display_channels_end_overdue(broker);
	expect_open();
	fixture.fake_host->now += 1;
	cr_assert_eq(display_channels_deadline(broker), fixture.fake_host->now);
	display_channels_end_overdue(broker);
	cr_assert(fake_host_is_shut(fixture.fake_host, viewer_fd));
	cr_assert_eq(display_channels_deadline(broker), UINT64_MAX);
}

Test(display_ends_with_its_right, a_viewer_that_exited_during_the_restart)
{
	broker_stop(fixture.fake_host->service.broker);
	session_deinit(&agent.session);
	fake_host_stop(fixture.fake_host);
	fake_host_kill(fixture.fake_host, fixture.viewer);
	fake_host_start(fixture.fake_host);
	session_init(&agent.session, &fixture.fake_host->service, fixture.machine);
	cr_assert(fake_host_is_shut(fixture.fake_host, viewer_fd));
	cr_assert_null(fake_host_record(fixture.fake_host, "\"kind\":\"display\""));
}

Test(display_ends_with_its_right, a_right_withdrawn_before_a_crash)
{
	FakeHost *fake_host = fixture.fake_host;

	/* The record of the VM is written, but the channel and its record stay as they are. */
	fake_host->is_stopping = true;
	call(fake_host, fixture.admin, UPDATE_MACHINE, CLIENTS("{\"user\":\"alice\"}"));
	cr_assert_not(fake_host_is_shut(fake_host, viewer_fd));
	session_deinit(&agent.session);
	fake_host_restart(fake_host);
	session_init(&agent.session, &fake_host->service, fixture.machine);
	cr_assert(fake_host_is_shut(fake_host, viewer_fd));
}

/* Changes the channel's record while the daemon does not run. */
static void damage(const char *is, const char *becomes)
{
	FakeHost *fake_host = fixture.fake_host;
	char *changed = NULL;

	broker_stop(fake_host->service.broker);
	session_deinit(&agent.session);
	fake_host_stop(fake_host);
	for (size_t i = 0; i < fake_host->persisted_count; i++) {
		FakePersistedRecord *record = &fake_host->persisted[i];
		const char *at = strstr(record->text, is);

		if (!at || !strstr(record->text, "\"kind\":\"display\""))
			continue;
		cr_assert(asprintf(&changed, "%.*s%s%s", (int)(at - record->text), record->text,
				   becomes, at + strlen(is)) > 0);
		free(record->text);
		record->text = changed;
	}
	cr_assert_not_null(changed, "no record of a channel has %s", is);
	fake_host_start(fake_host);
	session_init(&agent.session, &fake_host->service, fixture.machine);
	cr_assert(fake_host_is_shut(fake_host, viewer_fd));
	cr_assert_eq(fake_host->report.dropped[STORE_DISPLAY], 1u);
	cr_assert_eq(fake_host->report.restored[STORE_REGISTRATION], 1u, "the others stay");
}

Test(display_ends_with_its_right, a_damaged_record_of_its_rights)
{
	damage("\"rights\":3", "\"rights\":32");
}

Test(display_ends_with_its_right, a_record_of_another_socket)
{
	damage("\"inode\":\"0x", "\"inode\":\"0x7");
}

Test(display_ends_with_its_right, a_record_of_a_descriptor_that_is_not_stored)
{
	damage("\"descriptor\":", "\"descriptor\":9");
}

Test(display_ends_with_its_right, a_record_of_another_registration)
{
	damage("\"registration\":", "\"registration\":9");
}
