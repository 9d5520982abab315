/* SPDX-License-Identifier: MIT */
/*
 * Proves that one user cannot fill the fd store. Each watched process and each fd of an object is
 * charged to the account that caused it, against a limit per user and a global limit. A tenth of
 * the global limit is reserved for operators.
 */
#include "tests/support/restart-stage.h"

TestSuite(store_limits);

#define USER  1000
#define OTHER 1001

static uint64_t entries(const World *world, uid_t uid)
{
	return accounts_used(&world->service.broker->accounts, uid, LIMIT_STORE_ENTRIES);
}

static void allow(World *world, uint64_t per_uid, uint64_t in_all)
{
	Limits *limits = &world->service.settings.limits;

	limits->per_uid[LIMIT_STORE_ENTRIES] = per_uid;
	limits->in_all[LIMIT_STORE_ENTRIES] = in_all;
	world_reload(world);
}

/* Creates a context for a process that has none. */
static const char *enter(World *world, FakeProcess *process)
{
	return call(world, world_connect(world, process), CREATE_CONTEXT, "{}");
}

Test(store_limits, processes_are_charged)
{
	Cast cast = cast_new();
	World *world = cast.world;

	cr_assert_eq(entries(world, 0), 1u,
		     "the operator pays for the VMM of the VM that it registered");
	allow(world, 2, 100);
	FakeProcess *first = world_process(world, 801, OTHER);
	cr_assert_str_eq(enter(world, first), SUCCESS);
	cr_assert_str_eq(enter(world, world_process(world, 802, OTHER)), SUCCESS);
	cr_assert_str_eq(enter(world, world_process(world, 803, OTHER)), "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(world, "limit"), "storeEntriesPerUid");
	cr_assert_str_eq(enter(world, world_process(world, 804, USER)), SUCCESS,
			 "other users are not affected");
	world_kill(world, first);
	world_tell_exits(world);
	cr_assert_eq(entries(world, OTHER), 1u);
	cr_assert_str_eq(enter(world, world_process(world, 805, OTHER)), SUCCESS,
			 "a process that exits frees its entry");
	cast_free(&cast);
}

Test(store_limits, each_fd_is_charged)
{
	static const char two_planes[] =
		"\"type\":\"resource\",\"access\":\"read\",\"width\":64,\"height\":32,"
		"\"format\":\"NV12\",\"planes\":[{\"fileDescriptor\":0,\"offset\":0,\"stride\":64},"
		"{\"fileDescriptor\":1,\"offset\":0,\"stride\":64}]";
	Cast cast = cast_new_sharing();
	World *world = cast.world;
	const uid_t sharer = cast.machine->account;
	const uint64_t before = entries(world, sharer);
	Descriptor planes[2] = { sealed_memory(world), sealed_memory(world) };
	char handle[64];

	cr_assert_str_eq(share(world, cast.machine, two_planes, planes, 2, handle), SUCCESS);
	cr_assert_eq(entries(world, sharer), before + 2);
	allow(world, before + 3, 100);
	planes[0] = sealed_memory(world);
	planes[1] = sealed_memory(world);
	cr_assert_str_eq(share(world, cast.machine, two_planes, planes, 2, NULL),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(world, "limit"), "storeEntriesPerUid");
	cr_assert_eq(world_open_descriptors(world), 2u, "the opened fds are closed");
	cr_assert_str_eq(with_handle(world, cast.machine, UNSHARE, handle), SUCCESS);
	cr_assert_eq(entries(world, sharer), before);
	cast_free(&cast);
}

Test(store_limits, operators_have_a_reserve)
{
	Cast cast = cast_new();
	World *world = cast.world;

	allow(world, 100, 10);
	for (pid_t pid = 801; pid < 809; pid++)
		cr_assert_str_eq(enter(world, world_process(world, pid, OTHER)), SUCCESS);
	cr_assert_str_eq(enter(world, world_process(world, 809, USER)), NOT_KEPT);
	cr_assert_not_null(strstr(reply_string(world, "message"), "descriptor store"));
	cr_assert_str_eq(call(world, cast.admin, CREATE_CONTEXT, "{}"), SUCCESS);
	cast_free(&cast);
}

#define UIDS_MAX 70000

Test(store_limits, charges_survive_a_restart)
{
	static uint64_t before[UIDS_MAX];
	uint64_t sum = 0;
	Stage stage = stage_new();

	for (uid_t uid = 0; uid < UIDS_MAX; uid++)
		sum += before[uid] = entries(stage.world, uid);
	cr_assert_eq(sum, stage.world->service.broker->accounts.used[LIMIT_STORE_ENTRIES],
		     "no other account pays");
	/* The limits are below the current use, but nothing is lost. */
	allow(stage.world, 1, 1);
	stage_restart_unseen(&stage);
	for (uid_t uid = 0; uid < UIDS_MAX; uid++)
		cr_assert_eq(entries(stage.world, uid), before[uid], "uid %u", uid);
	stage_free(&stage);
}
