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

static uint64_t entries(const FakeHost *fake_host, const Payer *payer)
{
	return accounts_used(&fake_host->service.broker->accounts, payer, LIMIT_STORE_ENTRIES);
}

static void allow(FakeHost *fake_host, uint64_t per_uid, uint64_t host_wide)
{
	Limits *limits = &fake_host->service.settings.limits;

	limits->per_uid[LIMIT_STORE_ENTRIES] = per_uid;
	limits->host_wide[LIMIT_STORE_ENTRIES] = host_wide;
	fake_host_reload(fake_host);
}

/* Creates a context for a process that has none. */
static const char *enter(FakeHost *fake_host, FakeProcess *process)
{
	return call(fake_host, fake_host_connect(fake_host, process), CREATE_CONTEXT, "{}");
}

Test(store_limits, processes_are_charged)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;

	cr_assert_eq(entries(fake_host, OPERATOR(0)), 1u,
		     "the operator pays for the VMM of the VM that it registered");
	allow(fake_host, 2, 100);
	FakeProcess *first = fake_host_process(fake_host, 801, OTHER);
	cr_assert_str_eq(enter(fake_host, first), SUCCESS);
	cr_assert_str_eq(enter(fake_host, fake_host_process(fake_host, 802, OTHER)), SUCCESS);
	cr_assert_str_eq(enter(fake_host, fake_host_process(fake_host, 803, OTHER)),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(fake_host, "limit"), "storeEntriesPerUid");
	cr_assert_str_eq(enter(fake_host, fake_host_process(fake_host, 804, USER)), SUCCESS,
			 "other users are not affected");
	fake_host_kill(fake_host, first);
	fake_host_report_exits(fake_host);
	cr_assert_eq(entries(fake_host, ORDINARY(OTHER)), 1u);
	cr_assert_str_eq(enter(fake_host, fake_host_process(fake_host, 805, OTHER)), SUCCESS,
			 "a process that exits frees its entry");
	host_fixture_free(&fixture);
}

Test(store_limits, each_fd_is_charged)
{
	static const char two_planes[] =
		"\"type\":\"resource\",\"access\":\"read\",\"width\":64,\"height\":32,"
		"\"format\":\"NV12\",\"planes\":[{\"fileDescriptor\":0,\"offset\":0,\"stride\":64},"
		"{\"fileDescriptor\":1,\"offset\":0,\"stride\":64}]";
	HostFixture fixture = host_fixture_new_sharing();
	FakeHost *fake_host = fixture.fake_host;
	const Payer payer = payer_of(fixture.machine), *sharer = &payer;
	const uint64_t before = entries(fake_host, sharer);
	int planes[2] = { sealed_memory(fake_host), sealed_memory(fake_host) };
	char handle[64];

	cr_assert_str_eq(share(fake_host, fixture.machine, two_planes, planes, 2, handle), SUCCESS);
	cr_assert_eq(entries(fake_host, sharer), before + 2);
	allow(fake_host, before + 3, 100);
	planes[0] = sealed_memory(fake_host);
	planes[1] = sealed_memory(fake_host);
	cr_assert_str_eq(share(fake_host, fixture.machine, two_planes, planes, 2, NULL),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(fake_host, "limit"), "storeEntriesPerUid");
	cr_assert_eq(fake_host_open_fds(fake_host), 2u, "the opened fds are closed");
	cr_assert_str_eq(with_handle(fake_host, fixture.machine, UNSHARE, handle), SUCCESS);
	cr_assert_eq(entries(fake_host, sharer), before);
	host_fixture_free(&fixture);
}

Test(store_limits, operators_have_a_reserve)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;

	allow(fake_host, 100, 10);
	for (pid_t pid = 801; pid < 809; pid++)
		cr_assert_str_eq(enter(fake_host, fake_host_process(fake_host, pid, OTHER)),
				 SUCCESS);
	cr_assert_str_eq(enter(fake_host, fake_host_process(fake_host, 809, USER)), NOT_PERSISTED);
	cr_assert_not_null(strstr(reply_string(fake_host, "message"), "descriptor store"));
	cr_assert_str_eq(call(fake_host, fixture.admin, CREATE_CONTEXT, "{}"), SUCCESS);
	host_fixture_free(&fixture);
}

#define UIDS_MAX 70000

Test(store_limits, charges_survive_a_restart)
{
	static uint64_t before[UIDS_MAX][2];
	uint64_t sum = 0;
	Stage stage = stage_new();

	for (uid_t uid = 0; uid < UIDS_MAX; uid++) {
		before[uid][0] = entries(stage.fake_host, ORDINARY(uid));
		before[uid][1] = entries(stage.fake_host, OPERATOR(uid));
		sum += before[uid][0] + before[uid][1];
	}
	cr_assert_gt(before[0][1], 0u, "an operator pays for a VMM");
	cr_assert_eq(sum, stage.fake_host->service.broker->accounts.used[LIMIT_STORE_ENTRIES],
		     "no other account pays");
	/* The limits are below the current use, but nothing is lost. */
	allow(stage.fake_host, 1, 1);
	stage_restart_unchanged(&stage);
	for (uid_t uid = 0; uid < UIDS_MAX; uid++) {
		cr_assert_eq(entries(stage.fake_host, ORDINARY(uid)), before[uid][0], "uid %u",
			     uid);
		cr_assert_eq(entries(stage.fake_host, OPERATOR(uid)), before[uid][1], "uid %u",
			     uid);
	}
	stage_free(&stage);
}
