/* SPDX-License-Identifier: MIT */
/* The event virtualMachineChanged names what has changed. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/encode.h"
#include "daemon/api/names.h"
#include "tests/support/fake-display.h"
#include "tests/support/fake-host.h"

static HostFixture fixture;
static void (*fake_event)(void *self, const Event *event);
static char reported[100]; /* the member "changed" of the last event; "none" without an event */

static void keep_changed(void *self, const Event *event)
{
	Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);
	const char *error;

	fake_event(self, event);
	if (event->kind != EVENT_VIRTUAL_MACHINE_CHANGED)
		return;
	encode_event(&writer, event, PID_NAMESPACE_OWN);
	JsonParser *parser = json_parser_new();
	JsonValue *value = json_parse(parser, buffer_head(&text), buffer_size(&text), &error);
	char *changed = json_format(json_member(value, "changed"), false);
	snprintf(reported, sizeof(reported), "%s", changed);
	free(changed);
	json_free(value);
	json_parser_free(parser);
	buffer_deinit(&text);
}

static void set_up(void)
{
	fixture = host_fixture_new();
	fake_event = fixture.fake_host->host.event;
	fixture.fake_host->host.event = keep_changed;
	strcpy(reported, "none");
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

TestSuite(machine_changes, .init = set_up, .fini = tear_down);

/* Updates the VM. Returns what the event says, or "none" if there was no event. */
static const char *update(const char *parameters)
{
	strcpy(reported, "none");
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, UPDATE_MACHINE, parameters),
			 "STATUS_SUCCESS");
	return reported;
}

#define UPDATE(members) update("{\"virtualMachineGuid\":\"" GUID_A "\"" members "}")

Test(machine_changes, each_part_is_named_if_it_is_different)
{
	cr_assert_str_eq(UPDATE(",\"name\":\"one\""), "[\"name\"]");
	cr_assert_str_eq(UPDATE(",\"name\":\"one\""), "none");
	cr_assert_str_eq(UPDATE(""), "none");
	cr_assert_str_eq(UPDATE(",\"displayClients\":[{\"user\":\"alice\"}]"), "none");
	cr_assert_str_eq(UPDATE(",\"displayClients\":[{\"user\":\"bob\"}]"),
			 "[\"displayClients\"]");
	cr_assert_str_eq(UPDATE(",\"displayClients\":[{\"user\":\"bob\"},{\"user\":\"alice\"}]"),
			 "[\"displayClients\"]");
	cr_assert_str_eq(UPDATE(",\"displayClients\":[{\"pid\":300}]"), "[\"displayClients\"]");
	cr_assert_str_eq(UPDATE(",\"displayClients\":[{\"pid\":300}]"), "none");
	cr_assert_str_eq(UPDATE(",\"agent\":{\"pid\":300}"), "[\"agent\"]");
	cr_assert_str_eq(UPDATE(",\"agent\":{\"pid\":300}"), "none");
	cr_assert_str_eq(UPDATE(",\"agent\":{\"pid\":400}"), "[\"agent\"]");
	cr_assert_str_eq(UPDATE(",\"agent\":{\"user\":\"bob\"}"), "[\"agent\"]");
	cr_assert_str_eq(UPDATE(",\"agent\":{\"user\":\"bob\"}"), "none");
	cr_assert_str_eq(UPDATE(",\"agent\":{\"user\":\"alice\"}"), "[\"agent\"]");
	cr_assert_str_eq(UPDATE(",\"name\":\"two\",\"agent\":{\"pid\":400},"
				"\"displayClients\":[{\"user\":\"alice\"}]"),
			 "[\"name\",\"displayClients\",\"agent\"]");
	cr_assert_str_eq(UPDATE(",\"name\":\"two\",\"agent\":{\"pid\":400},"
				"\"displayClients\":[{\"user\":\"bob\"}]"),
			 "[\"displayClients\"]");
}

Test(machine_changes, a_process_with_other_credentials_is_another_display_client)
{
	UPDATE(",\"displayClients\":[{\"pid\":300}]");
	process_set_groups(fixture.viewer, 1000, 1, (const gid_t[]){ 44 });
	cr_assert_str_eq(UPDATE(",\"displayClients\":[{\"pid\":300}]"), "[\"displayClients\"]");
}

#define INCOMING_300 "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":300"

/* Returns the state of the guest as a reply shows it, or "". */
static const char *shown_state(void)
{
	const char *state;

	call(fixture.fake_host, fixture.admin, DESCRIBE, NAMES_A);
	state = json_string(
		json_member(reply_value(fixture.fake_host, "virtualMachine"), "guestState"));
	return state ? state : "";
}

Test(machine_changes, the_state_of_the_guest_is_named_if_it_is_different)
{
	cr_assert_str_eq(shown_state(), "");
	cr_assert_str_eq(UPDATE(",\"guestState\":\"incoming\""), "[\"guestState\"]");
	cr_assert_str_eq(UPDATE(",\"guestState\":\"incoming\""), "none");
	cr_assert_str_eq(UPDATE(",\"name\":\"one\""), "[\"name\"]");
	cr_assert_str_eq(shown_state(), "incoming");
	cr_assert_str_eq(UPDATE(",\"guestState\":\"running\""), "[\"guestState\"]");
	cr_assert_str_eq(UPDATE(",\"guestState\":\"migrated\""), "[\"guestState\"]");
	cr_assert_str_eq(shown_state(), "migrated");
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"guestState\":\"elsewhere\"}"),
			 "STATUS_INVALID_PARAMETER");
}

Test(machine_changes, only_who_may_update_the_vm_tells_the_state_of_its_guest)
{
	cr_assert_str_eq(call(fixture.fake_host, fixture.stranger, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"guestState\":\"incoming\"}"),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(shown_state(), "");
}

Test(machine_changes, the_incoming_vmm_brings_the_state_of_its_guest)
{
	call(fixture.fake_host, fixture.admin, REGISTER_MACHINE,
	     INCOMING_300 ",\"guestState\":\"incoming\"}");
	cr_assert_str_eq(shown_state(), "", "the guest of the VMM runs");
	strcpy(reported, "none");
	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     INCOMING_300 ",\"guestState\":\"running\"}");
	cr_assert_str_eq(reported, "none");
	cr_assert_str_eq(UPDATE(",\"guestState\":\"migrated\""), "[\"guestState\"]");
	fake_host_exit(fixture.fake_host, fixture.vmm);
	cr_assert_str_eq(reported, "[\"vmmPid\",\"incomingVmmPid\",\"guestState\"]");
	cr_assert_str_eq(shown_state(), "running");
}

#define TELLS(state) "{\"virtualMachineGuid\":\"" GUID_A "\",\"guestState\":\"" state "\"}"

/* Tells a state on a connection of its own, which is returned. */
static Caller *tell(const char *parameters)
{
	Caller *teller = fake_host_connect(fixture.fake_host, fixture.root);

	cr_assert_str_eq(call(fixture.fake_host, teller, UPDATE_MACHINE, parameters),
			 "STATUS_SUCCESS");
	strcpy(reported, "none");
	return teller;
}

Test(machine_changes, the_state_of_the_guest_ends_with_the_connection_that_told_it)
{
	Caller *teller = tell(TELLS("incoming"));
	Caller *other = fake_host_connect(fixture.fake_host, fixture.root);

	cr_assert_str_eq(call(fixture.fake_host, other, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"one\"}"),
			 "STATUS_SUCCESS");
	strcpy(reported, "none");
	fake_host_disconnect(fixture.fake_host, other);
	cr_assert_str_eq(reported, "none");
	cr_assert_str_eq(shown_state(), "incoming");
	fake_host_disconnect(fixture.fake_host, teller);
	cr_assert_str_eq(reported, "[\"guestState\"]");
	cr_assert_str_eq(shown_state(), "");
}

Test(machine_changes, the_state_of_the_guest_belongs_to_the_connection_that_told_it_last)
{
	Caller *first = tell(TELLS("incoming")), *second = tell(TELLS("incoming"));

	fake_host_disconnect(fixture.fake_host, first);
	cr_assert_str_eq(reported, "none");
	cr_assert_str_eq(shown_state(), "incoming");
	fake_host_disconnect(fixture.fake_host, second);
	cr_assert_str_eq(reported, "[\"guestState\"]");
	cr_assert_str_eq(shown_state(), "");
}

Test(machine_changes, a_connection_may_tell_the_states_of_both_vmms)
{
	Caller *teller = fake_host_connect(fixture.fake_host, fixture.root);

	call(fixture.fake_host, teller, REGISTER_MACHINE,
	     INCOMING_300 ",\"guestState\":\"incoming\"}");
	call(fixture.fake_host, teller, UPDATE_MACHINE, TELLS("migrated"));
	cr_assert_str_eq(shown_state(), "migrated");
	fake_host_disconnect(fixture.fake_host, teller);
	cr_assert_str_eq(shown_state(), "");
	fake_host_exit(fixture.fake_host, fixture.vmm);
	cr_assert_str_eq(shown_state(), "", "the state of the incoming VMM has ended, too");
}

Test(machine_changes, a_state_stays_told_when_the_vm_is_handed_over)
{
	call(fixture.fake_host, fixture.admin, REGISTER_MACHINE, INCOMING_300 "}");
	Caller *teller = tell(INCOMING_300 ",\"guestState\":\"running\"}");

	fake_host_exit(fixture.fake_host, fixture.vmm);
	cr_assert_str_eq(shown_state(), "running");
	fake_host_disconnect(fixture.fake_host, teller);
	cr_assert_str_eq(reported, "[\"guestState\"]");
	cr_assert_str_eq(shown_state(), "");
}

Test(machine_changes, the_end_of_the_vm_ends_what_was_told_of_its_guest)
{
	Caller *teller = tell(TELLS("running"));

	call(fixture.fake_host, teller, REGISTER_MACHINE,
	     INCOMING_300 ",\"guestState\":\"incoming\"}");
	call(fixture.fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A);
	strcpy(reported, "none");
	fake_host_disconnect(fixture.fake_host, teller);
	cr_assert_str_eq(reported, "none");
}

Test(machine_changes, the_exit_of_an_agent_is_named)
{
	UPDATE(",\"agent\":{\"pid\":400}");
	strcpy(reported, "none");
	fake_host_exit(fixture.fake_host, fixture.mallory);
	cr_assert_str_eq(reported, "[\"agent\"]");
}

static void serve(FakeAgent *agent, FakeProcess *process)
{
	fake_agent_serve(agent, fixture.fake_host, fake_host_connect(fixture.fake_host, process),
			 NAMES_A);
}

/* Otherwise clients would look for a member that does not exist. */
Test(machine_changes, each_name_is_a_member_of_a_machine)
{
	FakeAgent server, incoming_server;

	UPDATE(",\"name\":\"one\",\"agent\":{\"pid\":400},\"guestState\":\"running\"");
	call(fixture.fake_host, fixture.admin, REGISTER_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":300,\"agent\":{\"pid\":300}}");
	cr_assert_str_eq(reported, "[\"incomingVmmPid\",\"incomingAgent\"]");
	serve(&server, fixture.vmm);
	cr_assert_str_eq(reported, "[\"displayServerPid\"]");
	serve(&incoming_server, fixture.viewer);
	cr_assert_str_eq(reported, "[\"incomingDisplayServerPid\"]");
	call(fixture.fake_host, fixture.admin, DESCRIBE, NAMES_A);
	const JsonValue *vm = reply_value(fixture.fake_host, "virtualMachine");
	for (VmPart part = 0; part < VM_PART_MAX; part++)
		cr_assert_not_null(json_member(vm, vm_part_name(part)), "%s", vm_part_name(part));
	fake_agent_end(&incoming_server);
	fake_agent_end(&server);
}

Test(machine_changes, a_hand_over_is_named)
{
	call(fixture.fake_host, fixture.admin, REGISTER_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":300,\"agent\":{\"pid\":400}}");
	fake_host_exit(fixture.fake_host, fixture.vmm);
	cr_assert_str_eq(reported, "[\"agent\",\"vmmPid\",\"incomingVmmPid\",\"incomingAgent\"]");
}
