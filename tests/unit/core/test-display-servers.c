/* SPDX-License-Identifier: MIT */
/* A VM names the processes that serve its display channels, as long as they do. */
#include <criterion/criterion.h>
#include <string.h>

#include "daemon/api/names.h"
#include "tests/support/fake-display.h"
#include "tests/support/fake-share.h"

static HostFixture fixture;
static FakeAgent agent;
static void (*fake_event)(void *self, const Event *event);
static char reported[200]; /* the changed parts of the VM, event by event */

static void keep_changes(void *self, const Event *event)
{
	fake_event(self, event);
	if (event->kind != EVENT_VIRTUAL_MACHINE_CHANGED)
		return;
	for (VmPart part = 0; part < VM_PART_MAX; part++)
		if (event->changed_parts & VM_PART_BIT(part))
			strcat(strcat(reported, vm_part_name(part)), " ");
	strcat(reported, "; ");
}

static void set_up(void)
{
	fixture = host_fixture_new_sharing();
	fake_event = fixture.fake_host->host.event;
	fixture.fake_host->host.event = keep_changes;
	reported[0] = '\0';
	fake_agent_serve(&agent, fixture.fake_host, fixture.machine, NAMES_A);
}

static void tear_down(void)
{
	fake_agent_end(&agent);
	host_fixture_free(&fixture);
}

TestSuite(display_servers, .init = set_up, .fini = tear_down);

/* Returns a pid of the VM's description, or 0 if it is absent. */
static uint64_t described_pid(const char *member)
{
	FakeHost *fake_host = fixture.fake_host;

	cr_assert_str_eq(call(fake_host, fixture.admin, DESCRIBE, NAMES_A), "STATUS_SUCCESS");
	return reply_value(fake_host, member) ? reply_number(fake_host, member) : 0;
}

static uint64_t server(void)
{
	return described_pid("virtualMachine.displayServerPid");
}

static uint64_t incoming_server(void)
{
	return described_pid("virtualMachine.incomingDisplayServerPid");
}

Test(display_servers, the_server_is_named_until_its_stream_ends)
{
	cr_assert_eq(server(), described_pid("virtualMachine.vmmPid"));
	cr_assert_eq(incoming_server(), 0u);
	session_deinit(&agent.session);
	session_init(&agent.session, &fixture.fake_host->service, fixture.machine);
	cr_assert_eq(server(), 0u);
}

Test(display_servers, the_server_of_an_incoming_vmm_is_named_apart)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeProcess *second = fake_host_process(fake_host, 500, 64055);
	Caller *machine = fake_host_connect(fake_host, second);
	FakeAgent incoming;

	call(fake_host, fixture.admin, REGISTER_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":500}");
	fake_agent_serve(&incoming, fake_host, machine, NAMES_A);
	cr_assert_eq(incoming_server(), 500u);
	cr_assert_neq(server(), 500u);
	fake_host_exit(fake_host, fixture.vmm);
	cr_assert_eq(server(), 500u);
	cr_assert_eq(incoming_server(), 0u);
	fake_agent_end(&incoming);
}

/* A viewer that waits for an agent then need not poll. */
Test(display_servers, watchers_hear_when_a_server_begins_and_ends)
{
	cr_expect_str_eq(reported, "displayServerPid ; ");
	reported[0] = '\0';
	session_deinit(&agent.session);
	session_init(&agent.session, &fixture.fake_host->service, fixture.machine);
	cr_expect_str_eq(reported, "displayServerPid ; ");
}

/* The VM's state comes before the limits. */
Test(display_servers, a_second_server_is_refused_for_the_state_at_the_limit_too)
{
	FakeAgent second;

	fixture.fake_host->service.settings.limits.per_uid[LIMIT_WATCHES] = 1;
	fake_host_reload(fixture.fake_host);
	cr_expect_not_null(
		strstr(fake_agent_serve(&second, fixture.fake_host, fixture.machine, NAMES_A),
		       "STATUS_INVALID_DEVICE_STATE"));
	fake_agent_end(&second);
}

Test(display_servers, a_refused_server_is_no_change)
{
	FakeAgent second;

	reported[0] = '\0';
	fake_agent_serve(&second, fixture.fake_host, fixture.machine, NAMES_A);
	fake_agent_end(&second);
	cr_expect_str_eq(reported, "");
}

Test(display_servers, the_end_of_the_vm_is_no_change)
{
	reported[0] = '\0';
	fake_host_exit(fixture.fake_host, fixture.vmm);
	cr_expect_str_eq(reported, "");
}

Test(display_servers, a_hand_over_names_both)
{
	FakeHost *fake_host = fixture.fake_host;
	Caller *machine = fake_host_connect(fake_host, fake_host_process(fake_host, 500, 64055));
	FakeAgent incoming;

	call(fake_host, fixture.admin, REGISTER_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":500}");
	reported[0] = '\0';
	fake_agent_serve(&incoming, fake_host, machine, NAMES_A);
	cr_expect_str_eq(reported, "incomingDisplayServerPid ; ");
	reported[0] = '\0';
	fake_host_exit(fake_host, fixture.vmm);
	/* The former server ends with the former VMM. */
	cr_expect_str_eq(reported, "displayServerPid ; vmmPid incomingVmmPid displayServerPid "
				   "incomingDisplayServerPid ; ");
	fake_agent_end(&incoming);
}
