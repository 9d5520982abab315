/* SPDX-License-Identifier: MIT */
/* Only registered processes open a display, each with no more rights than its display client. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-display.h"
#include "tests/support/fake-share.h"

#define SUCCESS "STATUS_SUCCESS"
#define DENIED  "STATUS_ACCESS_DENIED"

static HostFixture fixture;
static FakeAgent agent;

static void set_up(void)
{
	fixture = host_fixture_new_sharing();
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{"
			      "\"user\":\"alice\",\"rights\":[\"input\"]}]}"),
			 SUCCESS);
	fake_agent_serve(&agent, fixture.fake_host, fixture.machine, NAMES_A);
}

static void tear_down(void)
{
	fake_agent_end(&agent);
	host_fixture_free(&fixture);
}

TestSuite(display_needs_a_right, .init = set_up, .fini = tear_down);

static void expect_denied(Caller *caller, const char *rights, const char *reason)
{
	FakeHost *fake_host = fixture.fake_host;
	size_t fds = fake_host_open_fds(fake_host), records = fake_host->record_count;
	int fd;

	cr_assert_str_eq(open_display(fake_host, caller, rights, NULL, &fd), DENIED);
	cr_assert_eq(fake_host_open_fds(fake_host), fds);
	cr_assert_eq(fake_host->record_count, records + 1);
	cr_assert_str_eq(fake_host_last_audit_record(fake_host)->reason, reason);
	cr_assert_eq(fake_host_events(fake_host, EVENT_DISPLAY_OPENED), 0u);
	cr_assert_str_eq(fake_agent_read(&agent), "");
}

Test(display_needs_a_right, without_rights_all_of_the_display_client_are_granted)
{
	FakeHost *fake_host = fixture.fake_host;
	char handle[64];
	int fd;

	cr_assert_str_eq(open_display(fake_host, fixture.client, NULL, handle, &fd), SUCCESS);
	cr_assert_eq(reply_count(fake_host, "display.rights"), 2u);
	cr_assert_str_eq(reply_string(fake_host, "display.rights[0]"), "view");
	cr_assert_str_eq(reply_string(fake_host, "display.rights[1]"), "input");
	const FakeAuditRecord *record = fake_host_last_audit_record(fake_host);
	cr_assert_str_eq(record->method, OPEN_DISPLAY);
	cr_assert_eq(record->rights, DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_VIEW) |
					     DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_INPUT));
	fake_host_close(fake_host, fd);
}

Test(display_needs_a_right, a_viewer_may_ask_for_less)
{
	FakeHost *fake_host = fixture.fake_host;
	int fd;

	cr_assert_str_eq(open_display(fake_host, fixture.client, "[]", NULL, &fd), SUCCESS);
	cr_assert_eq(reply_count(fake_host, "display.rights"), 1u);
	cr_assert_str_eq(reply_string(fake_host, "display.rights[0]"), "view");
	fake_host_close(fake_host, fd);
}

Test(display_needs_a_right, a_lacking_right_is_denied_by_name)
{
	expect_denied(fixture.client, "[\"input\",\"clipboard\"]", "lacksRight");
	cr_assert_not_null(
		strstr(reply_string(fixture.fake_host, "message"), "no right to clipboard;"));
	cr_assert_str_eq(reply_string(fixture.fake_host, "parameter"), "rights");
	cr_assert_eq(fake_host_last_audit_record(fixture.fake_host)->rights,
		     DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_VIEW) |
			     DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_INPUT) |
			     DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_CLIPBOARD));
}

Test(display_needs_a_right, without_any_rights_a_display_client_may_only_view)
{
	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{\"user\":\"alice\"}]}");
	for (DisplayRight right = DISPLAY_RIGHT_INPUT; right < DISPLAY_RIGHT_MAX; right++) {
		static const char *const names[] = { "view", "input", "clipboard", "audioOutput",
						     "audioInput" };
		char rights[32];

		snprintf(rights, sizeof(rights), "[\"%s\"]", names[right]);
		expect_denied(fixture.client, rights, "lacksRight");
	}
}

Test(display_needs_a_right, unregistered_processes_are_denied)
{
	expect_denied(fixture.stranger, NULL, "notRegistered");
	expect_denied(fixture.admin, NULL, "notRegistered"); /* root is not exempt */
	expect_denied(fixture.machine, NULL, "notRegistered");
}

Test(display_needs_a_right, changed_privileges_are_denied_and_end_the_registration)
{
	process_set_groups(fixture.viewer, 1000, 1, (gid_t[]){ 27 });
	expect_denied(fixture.client, NULL, "groups");
	expect_denied(fixture.client, NULL, "notRegistered");
}

Test(display_needs_a_right, quarantine_denies)
{
	call(fixture.fake_host, fixture.admin, SET_QUARANTINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}");
	expect_denied(fixture.client, NULL, "quarantined");
}

Test(display_needs_a_right, unknown_rights_are_named_by_their_path)
{
	int fd;

	cr_assert_str_eq(
		open_display(fixture.fake_host, fixture.client, "[\"view\",\"root\"]", NULL, &fd),
		"STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(reply_string(fixture.fake_host, "parameter"), "rights[1]");
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{"
			      "\"user\":\"alice\",\"rights\":[\"x\"]}]}"),
			 "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(reply_string(fixture.fake_host, "parameter"),
			 "displayClients[0].rights[0]");
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{"
			      "\"user\":\"alice\",\"rights\":[]}}"),
			 "STATUS_INVALID_PARAMETER");
}

Test(display_needs_a_right, only_the_vmm_and_its_agent_serve)
{
	static const char parameters[] = NAMES_A;
	FakeAgent other;

	cr_assert_not_null(
		strstr(fake_agent_serve(&other, fixture.fake_host, fixture.stranger, parameters),
		       "\"STATUS_ACCESS_DENIED\""));
	fake_agent_end(&other);
	cr_assert_not_null(
		strstr(fake_agent_serve(&other, fixture.fake_host, fixture.admin, parameters),
		       "\"STATUS_ACCESS_DENIED\""));
	fake_agent_end(&other);
	cr_assert_not_null(
		strstr(fake_agent_serve(&other, fixture.fake_host, fixture.machine, parameters),
		       "\"STATUS_INVALID_DEVICE_STATE\""));
	fake_agent_end(&other);
}

Test(display_needs_a_right, strangers_neither_close_nor_see_a_channel)
{
	FakeHost *fake_host = fixture.fake_host;
	char handle[64];
	int fd;

	cr_assert_str_eq(open_display(fake_host, fixture.client, NULL, handle, &fd), SUCCESS);
	cr_assert_str_eq(
		callf(fake_host, fixture.stranger, CLOSE_DISPLAY, "{\"display\":\"%s\"}", handle),
		DENIED);
	call(fake_host, fixture.stranger, LIST_DISPLAYS, NULL);
	cr_assert_eq(reply_count(fake_host, "displays"), 0u);
	Caller *const seers[] = { fixture.client, fixture.machine, fixture.admin };
	for (size_t i = 0; i < ARRAY_SIZE(seers); i++) {
		call(fake_host, seers[i], LIST_DISPLAYS, NULL);
		cr_assert_eq(reply_count(fake_host, "displays"), 1u);
		call(fake_host, seers[i], LIST_DISPLAYS, NAMES_A);
		cr_assert_str_eq(reply_string(fake_host, "displays[0].display"), handle);
	}
	cr_assert_not(fake_host_is_shut(fake_host, fd));
	fake_host_close(fake_host, fd);
}
