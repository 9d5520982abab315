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
static Caller *reuse(Cast *cast, bool noticed, char context[64])
{
	call(cast->world, cast->client, CREATE_CONTEXT, NULL);
	strcpy(context, reply_string(cast->world, "context"));
	cr_assert_str_eq(call(cast->world, cast->client, REGISTER, NAMES_A), "STATUS_SUCCESS");
	world_kill(cast->world, cast->viewer);
	if (noticed)
		world_tell_exits(cast->world);
	return world_connect(cast->world, world_process(cast->world, cast->viewer->pid, 1000));
}

Test(pid_reuse_inherits_nothing, of_a_registered_process)
{
	for (int noticed = 0; noticed < 2; noticed++) {
		char context[64];
		Cast cast = cast_new();
		Caller *heir = reuse(&cast, noticed, context);

		call(cast.world, heir, LIST_REGISTRATIONS, NULL);
		cr_assert_eq(reply_count(cast.world, "registrations"), 0u, "noticed %d", noticed);
		cr_assert_str_eq(call(cast.world, heir, UNREGISTER, NAMES_A), "STATUS_NOT_FOUND");
		cr_assert_str_eq(call(cast.world, heir, REGISTER, NAMES_A),
				 "STATUS_INVALID_DISPOSITION", "not the context either");
		cr_assert_str_eq(
			callf(cast.world, heir, DESTROY_CONTEXT, "{\"context\":\"%s\"}", context),
			noticed ? "STATUS_INVALID_HANDLE" : "STATUS_ACCESS_DENIED");
		cast_free(&cast);
	}
}

/* Both are registered for a moment; the end of one registration must not end the other. */
Test(pid_reuse_inherits_nothing, an_exit_does_not_end_the_heirs_registration)
{
	char context[64];
	Cast cast = cast_new();
	Caller *heir = reuse(&cast, false, context);

	call(cast.world, heir, CREATE_CONTEXT, NULL);
	cr_assert_str_eq(call(cast.world, heir, REGISTER, NAMES_A), "STATUS_SUCCESS");
	call(cast.world, cast.admin, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(cast.world, "registrations"), 2u);
	world_tell_exits(cast.world);
	call(cast.world, cast.admin, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(cast.world, "registrations"), 1u);
	cr_assert_str_eq(call(cast.world, heir, UNREGISTER, NAMES_A), "STATUS_SUCCESS");
	cast_free(&cast);
}

Test(pid_reuse_inherits_nothing, revoking_by_pid_affects_the_live_process)
{
	char context[64];
	Cast cast = cast_new();
	Caller *heir = reuse(&cast, false, context);

	call(cast.world, heir, CREATE_CONTEXT, NULL);
	call(cast.world, heir, REGISTER, NAMES_A);
	cr_assert_str_eq(call(cast.world, cast.admin, REVOKE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":300}"),
			 "STATUS_SUCCESS");
	call(cast.world, heir, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(cast.world, "registrations"), 0u);
	cast_free(&cast);
}

Test(pid_reuse_inherits_nothing, of_a_vmm)
{
	for (int noticed = 0; noticed < 2; noticed++) {
		Cast cast = cast_new();

		world_kill(cast.world, cast.vmm);
		if (noticed)
			world_tell_exits(cast.world);
		FakeProcess *process = world_process(cast.world, 200, 1001);
		Caller *heir = world_connect(cast.world, process);
		cr_assert_str_eq(call(cast.world, heir, DESCRIBE, NAMES_A),
				 noticed ? "STATUS_NOT_FOUND" : "STATUS_ACCESS_DENIED");
		/* The GUID and the pid are the same, but the process differs: not a repetition. */
		cr_assert_str_eq(call(cast.world, cast.admin, REGISTER_MACHINE,
				      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200,"
				      "\"displayClients\":[{\"user\":\"bob\"}]}"),
				 "STATUS_SUCCESS");
		cr_assert_eq(reply_count(cast.world, "virtualMachine.virtualGpus"), 0u,
			     "it is a new VM");
		world_tell_exits(cast.world);
		cr_assert_str_eq(call(cast.world, cast.admin, DESCRIBE, NAMES_A), "STATUS_SUCCESS",
				 "the exit of the old VMM does not end the new VM");
		cast_free(&cast);
	}
}

Test(pid_reuse_inherits_nothing, of_an_agent)
{
	Cast cast = cast_new();

	call(cast.world, cast.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":400}}");
	world_exit(cast.world, cast.mallory);
	world_process(cast.world, 400, 1001);
	call(cast.world, cast.admin, DESCRIBE, NAMES_A);
	cr_assert_null(reply_value(cast.world, "virtualMachine.agent"));
	cast_free(&cast);
}

/* A display client's credentials are read once; a later process with its pid is irrelevant. */
Test(pid_reuse_inherits_nothing, of_a_display_client)
{
	Cast cast = cast_new();

	call(cast.world, cast.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{\"pid\":400}]}");
	world_exit(cast.world, cast.mallory);
	FakeProcess *heir = world_process(cast.world, 400, 1000);
	process_set_context(heir, GRAPHICS_CONTEXT_DRM);
	cr_assert_str_eq(call(cast.world, world_connect(cast.world, heir), REGISTER, NAMES_A),
			 "STATUS_ACCESS_DENIED");
	cast_free(&cast);
}
