/* SPDX-License-Identifier: MIT */
/*
 * Proves that a process which reuses the pid of a dead one inherits nothing, not even before the
 * daemon has noticed the death.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(pid_reuse_inherits_nothing);

/*
 * Registers a process with a context, kills it, and reuses its pid. If noticed, the daemon has
 * handled the exit. Returns the caller with the reused pid.
 */
static Caller *reuse(HostFixture *fixture, bool noticed, char context[64])
{
	call(fixture->fake_host, fixture->client, CREATE_CONTEXT, NULL);
	strcpy(context, reply_string(fixture->fake_host, "context"));
	cr_assert_str_eq(call(fixture->fake_host, fixture->client, REGISTER, NAMES_A),
			 "STATUS_SUCCESS");
	fake_host_kill(fixture->fake_host, fixture->viewer);
	if (noticed)
		fake_host_report_exits(fixture->fake_host);
	return fake_host_connect(fixture->fake_host,
				 fake_host_process(fixture->fake_host, fixture->viewer->pid, 1000));
}

Test(pid_reuse_inherits_nothing, registered_process)
{
	for (int noticed = 0; noticed < 2; noticed++) {
		char context[64];
		HostFixture fixture = host_fixture_new();
		Caller *heir = reuse(&fixture, noticed, context);

		call(fixture.fake_host, heir, LIST_REGISTRATIONS, NULL);
		cr_assert_eq(reply_count(fixture.fake_host, "registrations"), 0u, "noticed %d",
			     noticed);
		cr_assert_str_eq(call(fixture.fake_host, heir, UNREGISTER, NAMES_A),
				 "STATUS_NOT_FOUND");
		cr_assert_str_eq(call(fixture.fake_host, heir, REGISTER, NAMES_A),
				 "STATUS_INVALID_DISPOSITION", "not the context either");
		cr_assert_str_eq(callf(fixture.fake_host, heir, DESTROY_CONTEXT,
				       "{\"context\":\"%s\"}", context),
				 noticed ? "STATUS_INVALID_HANDLE" : "STATUS_ACCESS_DENIED");
		host_fixture_free(&fixture);
	}
}

/* Both are registered for a moment; the end of one registration must not end the other. */
Test(pid_reuse_inherits_nothing, an_exit_does_not_end_the_heirs_registration)
{
	char context[64];
	HostFixture fixture = host_fixture_new();
	Caller *heir = reuse(&fixture, false, context);

	call(fixture.fake_host, heir, CREATE_CONTEXT, NULL);
	cr_assert_str_eq(call(fixture.fake_host, heir, REGISTER, NAMES_A), "STATUS_SUCCESS");
	call(fixture.fake_host, fixture.admin, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(fixture.fake_host, "registrations"), 2u);
	fake_host_report_exits(fixture.fake_host);
	call(fixture.fake_host, fixture.admin, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(fixture.fake_host, "registrations"), 1u);
	cr_assert_str_eq(call(fixture.fake_host, heir, UNREGISTER, NAMES_A), "STATUS_SUCCESS");
	host_fixture_free(&fixture);
}

Test(pid_reuse_inherits_nothing, revoking_by_pid_affects_the_live_process)
{
	char context[64];
	HostFixture fixture = host_fixture_new();
	Caller *heir = reuse(&fixture, false, context);

	call(fixture.fake_host, heir, CREATE_CONTEXT, NULL);
	call(fixture.fake_host, heir, REGISTER, NAMES_A);
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, REVOKE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":300}"),
			 "STATUS_SUCCESS");
	call(fixture.fake_host, heir, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(fixture.fake_host, "registrations"), 0u);
	host_fixture_free(&fixture);
}

Test(pid_reuse_inherits_nothing, vmm)
{
	for (int noticed = 0; noticed < 2; noticed++) {
		HostFixture fixture = host_fixture_new();

		fake_host_kill(fixture.fake_host, fixture.vmm);
		if (noticed)
			fake_host_report_exits(fixture.fake_host);
		FakeProcess *process = fake_host_process(fixture.fake_host, 200, 1001);
		Caller *heir = fake_host_connect(fixture.fake_host, process);
		cr_assert_str_eq(call(fixture.fake_host, heir, DESCRIBE, NAMES_A),
				 noticed ? "STATUS_NOT_FOUND" : "STATUS_ACCESS_DENIED");
		/* The GUID and the pid are the same, but the process differs: not a repetition. */
		cr_assert_str_eq(call(fixture.fake_host, fixture.admin, REGISTER_MACHINE,
				      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200,"
				      "\"displayClients\":[{\"user\":\"bob\"}]}"),
				 "STATUS_SUCCESS");
		cr_assert_eq(reply_count(fixture.fake_host, "virtualMachine.virtualGpus"), 0u,
			     "it is a new VM");
		fake_host_report_exits(fixture.fake_host);
		cr_assert_str_eq(call(fixture.fake_host, fixture.admin, DESCRIBE, NAMES_A),
				 "STATUS_SUCCESS",
				 "the exit of the old VMM does not end the new VM");
		host_fixture_free(&fixture);
	}
}

Test(pid_reuse_inherits_nothing, agent)
{
	HostFixture fixture = host_fixture_new();

	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":400}}");
	fake_host_exit(fixture.fake_host, fixture.mallory);
	fake_host_process(fixture.fake_host, 400, 1001);
	call(fixture.fake_host, fixture.admin, DESCRIBE, NAMES_A);
	cr_assert_null(reply_value(fixture.fake_host, "virtualMachine.agent"));
	host_fixture_free(&fixture);
}

/* A display client's credentials are read once; a later process with its pid is irrelevant. */
Test(pid_reuse_inherits_nothing, display_client)
{
	HostFixture fixture = host_fixture_new();

	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{\"pid\":400}]}");
	fake_host_exit(fixture.fake_host, fixture.mallory);
	FakeProcess *heir = fake_host_process(fixture.fake_host, 400, 1000);
	process_set_context(heir, GRAPHICS_CONTEXT_DRM);
	cr_assert_str_eq(call(fixture.fake_host, fake_host_connect(fixture.fake_host, heir),
			      REGISTER, NAMES_A),
			 "STATUS_ACCESS_DENIED");
	host_fixture_free(&fixture);
}
