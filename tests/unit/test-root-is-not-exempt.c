/* SPDX-License-Identifier: MIT */
/* Proves that being root, or an operator, registers nobody: it administers, and no more. */
#include <criterion/criterion.h>
#include <string.h>

#include "fake-host.h"

TestSuite(root_is_not_exempt);

Test(root_is_not_exempt, root_is_not_the_display_client)
{
	Cast cast = cast_new();

	process_set_context(cast.root, GRAPHICS_CONTEXT_DRM);
	cr_assert_str_eq(call(cast.world, cast.admin, REGISTER, NAMES_A), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(world_last_record(cast.world)->reason, "uid");
	cast_free(&cast);
}

Test(root_is_not_exempt, an_operator_of_the_same_uid_has_a_group_too_many)
{
	Cast cast = cast_new();

	process_set_groups(cast.viewer, 1000, 1, (gid_t[]){ WORLD_OPERATOR_GROUP });
	Caller *caller = world_connect(cast.world, cast.viewer);
	cr_assert(caller->is_operator);
	cr_assert_str_eq(call(cast.world, caller, REGISTER, NAMES_A), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(world_last_record(cast.world)->reason, "groups");
	cast_free(&cast);
}

Test(root_is_not_exempt, root_is_registered_where_root_is_the_display_client)
{
	Cast cast = cast_new();

	process_set_context(cast.root, GRAPHICS_CONTEXT_DRM);
	call(cast.world, cast.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{\"pid\":100}]}");
	cr_assert_str_eq(call(cast.world, cast.admin, REGISTER, NAMES_A), "STATUS_SUCCESS");
	call(cast.world, cast.admin, UNREGISTER, NAMES_A);
	call(cast.world, cast.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{\"user\":\"root\"}]}");
	cr_assert_str_eq(call(cast.world, cast.admin, REGISTER, NAMES_A), "STATUS_ACCESS_DENIED",
			 "as a user: root's capabilities are too many");
	cr_assert_str_eq(world_last_record(cast.world)->reason, "capabilities");
	cast_free(&cast);
}

Test(root_is_not_exempt, quarantine_and_context_hold_for_root)
{
	Cast cast = cast_new();

	call(cast.world, cast.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{\"pid\":100}]}");
	cr_assert_str_eq(call(cast.world, cast.admin, REGISTER, NAMES_A),
			 "STATUS_INVALID_DISPOSITION");
	call(cast.world, cast.admin, SET_QUARANTINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}");
	cr_assert_str_eq(call(cast.world, cast.admin, REGISTER, NAMES_A), "STATUS_ACCESS_DENIED");
	cast_free(&cast);
}

/* uid 0 of another user namespace is no operator, nor is a member of the group there. */
Test(root_is_not_exempt, root_of_another_namespace_is_nobody)
{
	Cast cast = cast_new();
	FakeProcess *inner = world_process(cast.world, 500, 0);

	inner->credentials.user_namespace.inode++;
	process_set_groups(inner, 0, 1, (gid_t[]){ WORLD_OPERATOR_GROUP });
	Caller *caller = world_connect(cast.world, inner);
	cr_assert_not(caller->is_operator);
	cr_assert_str_eq(call(cast.world, caller, LIST_QUARANTINES, NULL), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(call(cast.world, caller, UNREGISTER_MACHINE, NAMES_A),
			 "STATUS_ACCESS_DENIED", "nor who registered it, whose uid it shares");
	cast_free(&cast);
}

Test(root_is_not_exempt, who_is_an_operator)
{
	static const struct {
		uid_t uid;
		gid_t group;
		bool initial, has_group, expected;
	} rows[] = {
		{ 0, 0, true, true, true },
		{ 0, 0, false, true, false },
		{ 1000, WORLD_OPERATOR_GROUP, true, true, true },
		{ 1000, WORLD_OPERATOR_GROUP, false, true, false },
		{ 1000, WORLD_OPERATOR_GROUP, true, false, false },
		{ 1000, 27, true, true, false },
		{ WORLD_OPERATOR_GROUP, 27, true, true, false }, /* the uid of that number */
		{ 65534, 27, true, true, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Cast cast = cast_new_quiet();
		FakeProcess *process = world_process(cast.world, 500, rows[i].uid);

		cast.world->service.settings.has_operator_group = rows[i].has_group;
		process_set_groups(process, 5, 1, &rows[i].group);
		if (!rows[i].initial)
			process->credentials.user_namespace.inode++;
		cr_assert_eq(world_connect(cast.world, process)->is_operator, rows[i].expected,
			     "row %zu", i);
		cast_free(&cast);
	}
}
