/* SPDX-License-Identifier: MIT */
/* Proves that root and operators may administer, but are not registered without a match. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/fake-host.h"

static HostFixture fixture;

static void set_up(void)
{
	fixture = host_fixture_new();
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

TestSuite(root_is_not_exempt, .init = set_up, .fini = tear_down);

Test(root_is_not_exempt, root_is_not_the_display_client)
{
	process_set_context(fixture.root, GRAPHICS_CONTEXT_DRM);
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, REGISTER, NAMES_A),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(fake_host_last_audit_record(fixture.fake_host)->reason, "uid");
}

Test(root_is_not_exempt, an_operator_with_the_same_uid_has_an_extra_group)
{
	process_set_groups(fixture.viewer, 1000, 1, (gid_t[]){ FAKE_HOST_OPERATOR_GROUP });
	Caller *caller = fake_host_connect(fixture.fake_host, fixture.viewer);
	cr_assert(caller->is_operator);
	cr_assert_str_eq(call(fixture.fake_host, caller, REGISTER, NAMES_A),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(fake_host_last_audit_record(fixture.fake_host)->reason, "groups");
}

Test(root_is_not_exempt, root_is_registered_if_root_is_the_display_client)
{
	process_set_context(fixture.root, GRAPHICS_CONTEXT_DRM);
	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{\"pid\":100}]}");
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, REGISTER, NAMES_A),
			 "STATUS_SUCCESS");
	call(fixture.fake_host, fixture.admin, UNREGISTER, NAMES_A);
	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{\"user\":\"root\"}]}");
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, REGISTER, NAMES_A),
			 "STATUS_ACCESS_DENIED",
			 "root has capabilities that a display client named by user does not have");
	cr_assert_str_eq(fake_host_last_audit_record(fixture.fake_host)->reason, "capabilities");
}

Test(root_is_not_exempt, quarantine_and_context_apply_to_root)
{
	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{\"pid\":100}]}");
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, REGISTER, NAMES_A),
			 "STATUS_INVALID_DISPOSITION");
	call(fixture.fake_host, fixture.admin, SET_QUARANTINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}");
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, REGISTER, NAMES_A),
			 "STATUS_ACCESS_DENIED");
}

/* In another user namespace, neither uid 0 nor a member of the group is an operator. */
Test(root_is_not_exempt, root_of_another_namespace_is_no_operator)
{
	FakeProcess *inner = fake_host_process(fixture.fake_host, 500, 0);

	inner->credentials.user_namespace.inode++;
	process_set_groups(inner, 0, 1, (gid_t[]){ FAKE_HOST_OPERATOR_GROUP });
	Caller *caller = fake_host_connect(fixture.fake_host, inner);
	cr_assert_not(caller->is_operator);
	cr_assert_str_eq(call(fixture.fake_host, caller, LIST_QUARANTINES, NULL),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(
		call(fixture.fake_host, caller, UNREGISTER_MACHINE, NAMES_A),
		"STATUS_ACCESS_DENIED",
		"and does not count as the user who registered the VM, despite the same uid");
}

Test(root_is_not_exempt, operators_by_uid_group_and_namespace)
{
	static const struct {
		uid_t uid;
		gid_t group;
		bool initial, has_group, expected;
	} rows[] = {
		{ 0, 0, true, true, true },
		{ 0, 0, false, true, false },
		{ 1000, FAKE_HOST_OPERATOR_GROUP, true, true, true },
		{ 1000, FAKE_HOST_OPERATOR_GROUP, false, true, false },
		{ 1000, FAKE_HOST_OPERATOR_GROUP, true, false, false },
		{ 1000, 27, true, true, false },
		{ FAKE_HOST_OPERATOR_GROUP, 27, true, true, false }, /* the number as a uid */
		{ 65534, 27, true, true, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		FakeProcess *process =
			fake_host_process(fixture.fake_host, 500 + (pid_t)i, rows[i].uid);

		fixture.fake_host->service.settings.operators.exists = rows[i].has_group;
		process_set_groups(process, 5, 1, &rows[i].group);
		if (!rows[i].initial)
			process->credentials.user_namespace.inode++;
		cr_assert_eq(fake_host_connect(fixture.fake_host, process)->is_operator,
			     rows[i].expected, "row %zu", i);
	}
}
