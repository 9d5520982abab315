/* SPDX-License-Identifier: MIT */
/*
 * Proves that only operators and the user who registered a VM can name another process that takes
 * over from its VMM. Callers that may see the VM, register for it or share for it cannot.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/fake-share.h"

TestSuite(hand_over_needs_rights);

#define COLLISION "STATUS_OBJECT_NAME_COLLISION"
#define INVALID   "STATUS_INVALID_PARAMETER"

static HostFixture fixture;

static uint64_t number(const char *member)
{
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, DESCRIBE, NAMES_A),
			 "STATUS_SUCCESS");
	return reply_number(fixture.fake_host, member);
}

static void expect_refused(Caller *caller, const char *who)
{
	cr_assert_str_eq(callf(fixture.fake_host, caller, REGISTER_MACHINE,
			       "{\"virtualMachineGuid\":\"" GUID_A "\","
			       "\"displayClients\":[{\"pid\":%d}]}",
			       (int)caller->pid),
			 COLLISION, "%s", who);
	cr_assert_eq(number("virtualMachine.incomingVmmPid"), UINT64_MAX, "%s", who);
	cr_assert_eq(number("virtualMachine.vmmPid"), 200u, "%s", who);
}

Test(hand_over_needs_rights, roles_of_the_vm_are_not_enough)
{
	fixture = host_fixture_new_sharing();
	FakeHost *fake_host = fixture.fake_host;
	Caller *brother = fake_host_connect(fake_host, fake_host_process(fake_host, 500, 64055));
	Caller *agent = fake_host_connect(fake_host, fake_host_process(fake_host, 501, 1001));
	FakeProcess *contained = fake_host_process(fake_host, 502, 0);

	contained->credentials.user_namespace.inode++;
	Caller *container_root = fake_host_connect(fake_host, contained);
	container_root->in_initial_user_namespace = container_root->is_operator = false;
	fake_host->service.settings.allow_user_machines = true;
	cr_assert_str_eq(call(fake_host, fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":501}}"),
			 "STATUS_SUCCESS");
	expect_refused(fixture.client, "a registered process of the display client");
	expect_refused(fixture.stranger, "a stranger");
	expect_refused(brother, "another process of the VMM's user");
	expect_refused(agent, "the agent");
	expect_refused(container_root, "root of a container, with the uid of the registrar");
	host_fixture_free(&fixture);
}

/* Otherwise an administrator of one VM could let a foreign process share for it. */
Test(hand_over_needs_rights, a_user_can_name_only_own_processes)
{
	static const char *const members[] = {
		"\"vmmPid\":400",
		"\"agent\":{\"pid\":400}",
		"\"agent\":{\"user\":\"bob\"}",
		"\"displayClients\":[{\"user\":\"bob\"}]",
	};

	fixture = host_fixture_new_quiet();
	FakeHost *fake_host = fixture.fake_host;
	Caller *next = fake_host_connect(fake_host, fake_host_process(fake_host, 500, 1000));

	fake_host->service.settings.allow_user_machines = true;
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER_MACHINE, NAMES_A),
			 "STATUS_SUCCESS");
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		cr_assert_str_eq(callf(fake_host, next, REGISTER_MACHINE,
				       "{\"virtualMachineGuid\":\"" GUID_A "\",%s}", members[i]),
				 INVALID, "%s", members[i]);
	cr_assert_eq(number("virtualMachine.incomingVmmPid"), UINT64_MAX);
	host_fixture_free(&fixture);
}

/* The number of the incoming VMM's pid means nothing. */
Test(hand_over_needs_rights, a_process_with_the_pid_of_a_dead_incoming_vmm_is_not_it)
{
	fixture = host_fixture_new_sharing();
	FakeHost *fake_host = fixture.fake_host;
	FakeProcess *incoming = fake_host_process(fake_host, 500, 64055);
	int fd;

	cr_assert_str_eq(call(fake_host, fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":500}"),
			 "STATUS_SUCCESS");
	fake_host_kill(fake_host, incoming);
	Caller *heir = fake_host_connect(fake_host, fake_host_process(fake_host, 500, 64055));
	fd = sealed_memory(fake_host);
	cr_assert_str_eq(share(fake_host, heir, IMAGE, &fd, 1, NULL), "STATUS_ACCESS_DENIED");
	fake_host_exit(fake_host, fixture.vmm);
	cr_assert_str_eq(call(fake_host, fixture.admin, DESCRIBE, NAMES_A), "STATUS_NOT_FOUND");
	host_fixture_free(&fixture);
}
