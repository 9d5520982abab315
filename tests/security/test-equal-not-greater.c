/* SPDX-License-Identifier: MIT */
/*
 * Proves that a caller must have exactly the display client's privileges: any field with more or
 * fewer is refused, whether the display client is named by user or by process.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(equal_not_greater);

typedef struct Deviation {
	const char *what;
	void (*make)(FakeProcess *process);
	const char *of_process, *of_user; /* expected reason; "" if accepted */
} Deviation;

static void nothing(FakeProcess *process)
{
	(void)process;
}

static void one_group_more(FakeProcess *process)
{
	process_set_groups(process, 1000, 2, (gid_t[]){ 27, 44 });
}

static void one_group_less(FakeProcess *process)
{
	process_set_groups(process, 1000, 0, NULL);
}

static void operators_group(FakeProcess *process)
{
	process_set_groups(process, 1000, 2, (gid_t[]){ 27, FAKE_HOST_OPERATOR_GROUP });
}

static void capability_permitted(FakeProcess *process)
{
	process->credentials.permitted = UINT64_C(1) << 21;
}

static void capability_effective(FakeProcess *process)
{
	process->credentials.permitted = process->credentials.effective = UINT64_C(1) << 21;
}

static void wake_alarm(FakeProcess *process)
{
	process->credentials.permitted = process->credentials.effective = UINT64_C(1) << 35;
}

static void saved_root(FakeProcess *process)
{
	process->credentials.uids[ID_SAVED] = 0;
}

static void real_root(FakeProcess *process)
{
	process->credentials.uids[ID_REAL] = 0;
}

static void file_system_root(FakeProcess *process)
{
	process->credentials.uids[ID_FILE_SYSTEM] = 0;
}

static void saved_group(FakeProcess *process)
{
	process->credentials.gids[ID_SAVED] = 0;
}

static void inner_namespace(FakeProcess *process)
{
	process->credentials.user_namespace.inode++;
}

static void other_label(FakeProcess *process)
{
	free(process->credentials.label);
	process->credentials.label = strdup("confined");
}

static void stacked_label(FakeProcess *process)
{
	free(process->credentials.stacked_labels);
	process->credentials.stacked_labels = strdup("landlocked");
}

static const Deviation deviations[] = {
	{ "nothing", nothing, "", "" },
	{ "a group more", one_group_more, "groups", "groups" },
	{ "a group less", one_group_less, "groups", "groups" },
	{ "the operators' group", operators_group, "groups", "groups" },
	{ "a permitted capability", capability_permitted, "capabilities", "capabilities" },
	{ "an effective capability", capability_effective, "capabilities", "capabilities" },
	{ "CAP_WAKE_ALARM", wake_alarm, "capabilities", "" },
	{ "saved uid 0", saved_root, "uid", "uid" },
	{ "real uid 0", real_root, "uid", "uid" },
	{ "file-system uid 0", file_system_root, "uid", "uid" },
	{ "saved gid 0", saved_group, "gid", "gid" },
	{ "a user namespace of its own", inner_namespace, "userNamespace", "userNamespace" },
	{ "another label", other_label, "label", "" },
	{ "another stacked label", stacked_label, "label", "" },
};

/* With leaves_groups, the host has not read the groups of the connection yet. */
static void check(const Deviation *deviation, bool client_is_user, bool leaves_groups)
{
	HostFixture fixture = host_fixture_new();
	const char *reason = client_is_user ? deviation->of_user : deviation->of_process;
	FakeUser *alice = &fixture.fake_host->users[1];
	FakeProcess *process = fake_host_process(fixture.fake_host, 500, 1000);
	gid_t *ids = malloc(2 * sizeof(*ids));

	ids[0] = 27;
	groups_deinit(&alice->credentials.groups);
	alice->credentials.groups = groups_take(ids, 1, 1000);
	process_set_groups(fixture.viewer, 1000, 1, (gid_t[]){ 27 });
	process_set_groups(process, 1000, 1, (gid_t[]){ 27 });
	process_set_context(process, GRAPHICS_CONTEXT_DRM);
	if (!client_is_user)
		call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
		     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{\"pid\":300}]}");
	deviation->make(process);
	process->has_many_groups = leaves_groups;
	const char *status = call(fixture.fake_host, fake_host_connect(fixture.fake_host, process),
				  REGISTER, NAMES_A);
	cr_assert_str_eq(status, reason[0] ? "STATUS_ACCESS_DENIED" : "STATUS_SUCCESS",
			 "%s, client is a user: %d, groups are unread: %d", deviation->what,
			 client_is_user, leaves_groups);
	cr_assert_str_eq(fake_host_last_audit_record(fixture.fake_host)->reason, reason,
			 "%s, client is a user: %d, groups are unread: %d", deviation->what,
			 client_is_user, leaves_groups);
	cr_assert_eq(fixture.fake_host->group_reads,
		     leaves_groups && strcmp(reason, "userNamespace") != 0, "%s", deviation->what);
	host_fixture_free(&fixture);
}

Test(equal_not_greater, each_deviation_is_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(deviations); i++) {
		check(&deviations[i], true, false);
		check(&deviations[i], false, false);
		check(&deviations[i], true, true);
		check(&deviations[i], false, true);
	}
}

/* A connection with unread groups has none in memory but its primary one, as this client has. */
Test(equal_not_greater, groups_that_were_not_read_equal_none)
{
	HostFixture fixture = host_fixture_new();
	FakeProcess *process = fake_host_process(fixture.fake_host, 500, 1000);

	process_set_context(process, GRAPHICS_CONTEXT_DRM);
	process->has_many_groups = true;
	Caller *caller = fake_host_connect(fixture.fake_host, process);
	cr_assert_str_eq(call(fixture.fake_host, caller, DESCRIBE, NAMES_A),
			 "STATUS_ACCESS_DENIED");
	call(fixture.fake_host, caller, REGISTER, NAMES_A);
	cr_assert_eq(fixture.fake_host->group_reads, 1u);
	host_fixture_free(&fixture);
}

/* One display client must match completely; partial matches with several do not add up. */
Test(equal_not_greater, one_client_must_match_completely)
{
	HostFixture fixture = host_fixture_new();
	FakeProcess *a = fake_host_process(fixture.fake_host, 500, 1000);
	FakeProcess *b = fake_host_process(fixture.fake_host, 501, 1000);
	FakeProcess *mixed = fake_host_process(fixture.fake_host, 502, 1000);

	process_set_groups(a, 1000, 1, (gid_t[]){ 27 });
	b->credentials.permitted = 0x8;
	process_set_groups(mixed, 1000, 1, (gid_t[]){ 27 });
	mixed->credentials.permitted = 0x8;
	process_set_context(mixed, GRAPHICS_CONTEXT_DRM);
	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A
	     "\",\"displayClients\":[{\"pid\":500},{\"pid\":501}]}");
	cr_assert_str_eq(call(fixture.fake_host, fake_host_connect(fixture.fake_host, mixed),
			      REGISTER, NAMES_A),
			 "STATUS_ACCESS_DENIED");
	host_fixture_free(&fixture);
}

/* The reason names the difference from the closest display client, not from the last one. */
Test(equal_not_greater, the_closest_clients_difference_is_named)
{
	static const char *const orders[] = {
		"{\"user\":\"bob\"},{\"user\":\"alice\"}",
		"{\"user\":\"alice\"},{\"user\":\"bob\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		HostFixture fixture = host_fixture_new();

		callf(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
		      "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[%s]}", orders[i]);
		process_set_groups(fixture.viewer, 1000, 1, (gid_t[]){ 27 });
		call(fixture.fake_host, fake_host_connect(fixture.fake_host, fixture.viewer),
		     REGISTER, NAMES_A);
		cr_assert_str_eq(fake_host_last_audit_record(fixture.fake_host)->reason, "groups",
				 "%s", orders[i]);
		host_fixture_free(&fixture);
	}
}
