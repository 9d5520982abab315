/* SPDX-License-Identifier: MIT */
/* A VM names the processes that serve its display channels, as long as they do. */
#include <criterion/criterion.h>

#include "tests/support/fake-display.h"
#include "tests/support/fake-share.h"

static HostFixture fixture;
static FakeAgent agent;

static void set_up(void)
{
	fixture = host_fixture_new_sharing();
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
