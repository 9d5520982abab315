/* SPDX-License-Identifier: MIT */
/* Proves that a process which got the pid of a dead one gets nothing else of it: not even before
 * the daemon has heard of the death. */
#include <criterion/criterion.h>
#include <string.h>

#include "fake-host.h"

TestSuite(pid_reuse_inherits_nothing);

/* Registered, with a context; then dead, and its pid another's. told: the daemon knows. */
static Caller *reuse(Cast *cast, bool told, char context[64])
{
	call(cast->world, cast->client, CREATE_CONTEXT, NULL);
	strcpy(context, reply_string(cast->world, "context"));
	cr_assert_str_eq(call(cast->world, cast->client, REGISTER, NAMES_A), "STATUS_SUCCESS");
	world_kill(cast->world, cast->viewer);
	if (told)
		world_tell_exits(cast->world);
	return world_connect(cast->world, world_process(cast->world, cast->viewer->pid, 1000));
}

Test(pid_reuse_inherits_nothing, of_a_registered_process)
{
	for (int told = 0; told < 2; told++) {
		char context[64];
		Cast cast = cast_new();
		Caller *heir = reuse(&cast, told, context);

		call(cast.world, heir, LIST_REGISTRATIONS, NULL);
		cr_assert_eq(reply_count(cast.world, "registrations"), 0u, "told %d", told);
		cr_assert_str_eq(call(cast.world, heir, UNREGISTER, NAMES_A), "STATUS_NOT_FOUND");
		cr_assert_str_eq(call(cast.world, heir, REGISTER, NAMES_A),
				 "STATUS_INVALID_DISPOSITION", "not the context either");
		cr_assert_str_eq(
			callf(cast.world, heir, DESTROY_CONTEXT, "{\"context\":\"%s\"}", context),
			told ? "STATUS_INVALID_HANDLE" : "STATUS_ACCESS_DENIED");
		cast_free(&cast);
	}
}

/* Both hold a registration for a moment; that one's end does not take the other's. */
Test(pid_reuse_inherits_nothing, the_dead_ones_end_is_not_the_heirs)
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

Test(pid_reuse_inherits_nothing, revoking_by_pid_meets_the_live_one)
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
	for (int told = 0; told < 2; told++) {
		Cast cast = cast_new();

		world_kill(cast.world, cast.vmm);
		if (told)
			world_tell_exits(cast.world);
		FakeProcess *process = world_process(cast.world, 200, 1001);
		Caller *heir = world_connect(cast.world, process);
		cr_assert_str_eq(call(cast.world, heir, DESCRIBE, NAMES_A),
				 told ? "STATUS_NOT_FOUND" : "STATUS_ACCESS_DENIED");
		/* The same GUID, the same number, another process: no repetition. */
		cr_assert_str_eq(call(cast.world, cast.admin, REGISTER_MACHINE,
				      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200,"
				      "\"displayClients\":[{\"user\":\"bob\"}]}"),
				 "STATUS_SUCCESS");
		cr_assert_eq(reply_count(cast.world, "virtualMachine.virtualGpus"), 0u,
			     "it is a new VM");
		world_tell_exits(cast.world);
		cr_assert_str_eq(call(cast.world, cast.admin, DESCRIBE, NAMES_A), "STATUS_SUCCESS",
				 "which the old one's end does not end");
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

/* A display client's credentials were read once; who has its pid now does not matter. */
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
