/* SPDX-License-Identifier: MIT */
/*
 * Proves that a start fails without any loss if a resource is exhausted while it restores persisted
 * records, and that a successful start reads each user and each process once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/restart-stage.h"

TestSuite(restart_exhausted);

static FakeUser *user_of(FakeHost *fake_host, uid_t uid)
{
	for (size_t i = 0; i < fake_host->user_count; i++)
		if (fake_host->users[i].uid == uid)
			return &fake_host->users[i];
	cr_assert_fail("there is no user %u", uid);
	return NULL;
}

static void no_watch(Stage *stage, bool begins)
{
	stage->fake_host->refuse_watch = begins;
}

static void no_vmm(Stage *stage, bool begins)
{
	stage->fixture.vmm->is_hidden = begins;
}

/* If the agent had exited, the VM would be restored without it. */
static void no_agent(Stage *stage, bool begins)
{
	stage->helper->is_hidden = begins;
}

static void no_fd(Stage *stage, bool begins)
{
	stage->fake_host->exhaust_fdstore_find = begins;
}

static void no_credentials(Stage *stage, bool begins)
{
	stage->fixture.mallory->credentials_lookup = begins ? LOOKUP_EXHAUSTED : LOOKUP_FOUND;
}

static void no_users(Stage *stage, bool begins)
{
	user_of(stage->fake_host, 1000)->lookup = begins ? LOOKUP_EXHAUSTED : LOOKUP_FOUND;
}

Test(restart_exhausted, start_is_atomic)
{
	static void (*const exhaust[])(Stage * stage, bool begins) = {
		no_watch, no_vmm, no_agent, no_fd, no_credentials, no_users,
	};

	for (size_t i = 0; i < ARRAY_SIZE(exhaust); i++) {
		Stage stage = stage_new();
		FakeHost *fake_host = stage.fake_host;
		size_t persisted = fake_host->persisted_count, open = fake_host_open_fds(fake_host);
		char *before = fake_host_snapshot(fake_host, stage.fixture.admin);

		fake_host_stop(fake_host);
		size_t events = fake_host->event_count;
		exhaust[i](&stage, true);
		cr_assert_not(fake_host_try_start(fake_host), "%zu", i);
		cr_assert_eq(fake_host->report.drop_count, 0u, "%zu", i);
		cr_assert_eq(fake_host->persisted_count, persisted, "%zu", i);
		cr_assert_eq(fake_host_open_fds(fake_host), open, "%zu", i);
		cr_assert_eq(fake_host->event_count, events + 1, "%zu: the new software adapter",
			     i);
		exhaust[i](&stage, false);
		fake_host_start(fake_host);
		char *after = fake_host_snapshot(fake_host, stage.fixture.admin);
		cr_assert_str_eq(before, after, "%zu", i);
		free(before);
		free(after);
		stage_free(&stage);
	}
}

/* A failed start drops no record, even if the process has exited. */
Test(restart_exhausted, successful_start_drops_dead_processes)
{
	Stage stage = stage_new();
	FakeHost *fake_host = stage.fake_host;
	size_t persisted = fake_host->persisted_count;

	fake_host_stop(fake_host);
	fake_host_kill(fake_host, stage.helper);
	fake_host_kill(fake_host, stage.fixture.viewer);
	no_users(&stage, true);
	no_fd(&stage, true);
	cr_assert_not(fake_host_try_start(fake_host));
	cr_assert_eq(fake_host->persisted_count, persisted);
	no_users(&stage, false);
	no_fd(&stage, false);
	fake_host_start(fake_host);
	cr_assert_eq(stage_dropped(&stage, STORE_REGISTRATION, "its process is gone"), 2u);
	stage_restart_unchanged(&stage);
	stage_free(&stage);
}

Test(restart_exhausted, common_reasons_are_reported_together)
{
	Stage stage = stage_new();
	FakeHost *fake_host = stage.fake_host;
	const StoreReport *report = &fake_host->report;

	fake_host_stop(fake_host);
	fake_host_kill(fake_host, stage.fixture.viewer);
	fake_host_start(fake_host);
	cr_assert_eq(stage_dropped(&stage, STORE_REGISTRATION, "its process is gone"), 2u);
	cr_assert_eq(stage_dropped(&stage, STORE_HOLDER, "its process is gone"), 2u);
	cr_assert_eq(stage_dropped(&stage, STORE_MAPPING, "its GPU process is gone"), 5u);
	for (size_t i = 0; i < report->told_count; i++)
		for (size_t k = 0; k < i; k++)
			cr_assert(report->drops[i].kind != report->drops[k].kind, "%zu, %zu", i, k);
	stage_free(&stage);
}

static size_t change_groups(Stage *stage)
{
	process_set_groups(stage->fixture.viewer, 1000, 1, (gid_t[]){ 27 });
	return 2;
}

Test(restart_exhausted, other_reasons_are_reported_one_by_one)
{
	Stage stage = stage_new();

	fake_host_stop(stage.fake_host);
	size_t count = change_groups(&stage);
	fake_host_start(stage.fake_host);
	cr_assert_eq(stage.fake_host->report.told_count, count);
	cr_assert_eq(stage.fake_host->report.drop_count, count);
	stage_free(&stage);
}

Test(restart_exhausted, each_user_and_each_process_is_read_once)
{
	Stage stage = stage_new();
	FakeHost *fake_host = stage.fake_host;

	/* The viewer is registered for both VMs, which both name alice. */
	cr_assert_str_eq(call(fake_host, stage.fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"displayClients\":[{\"user\":\"alice\"},{\"pid\":300}]}"),
			 SUCCESS);
	fake_host_stop(fake_host);
	fake_host->credential_reads = fake_host->user_reads = 0;
	fake_host_start(fake_host);
	cr_assert_eq(fake_host->report.drop_count, 0u);
	cr_assert_eq(fake_host->report.restored[STORE_REGISTRATION], 3u);
	cr_assert_eq(fake_host->credential_reads, 2u);
	cr_assert_eq(fake_host->user_reads, 1u);
	stage_free(&stage);
}

/* New serials follow the highest one ever assigned, even if its entity has ended. */
Test(restart_exhausted, serials_are_not_reused)
{
	Stage stage = stage_new();
	FakeHost *fake_host = stage.fake_host;
	uint64_t last;

	cr_assert_str_eq(call(fake_host, stage.fixture.client, CREATE_CONTEXT, NULL), SUCCESS);
	last = fake_host->service.broker->last_serial;
	cr_assert_str_eq(callf(fake_host, stage.fixture.client, DESTROY_CONTEXT,
			       "{\"context\":\"%s\"}", reply_string(fake_host, "context")),
			 SUCCESS);
	fake_host_restart(fake_host);
	cr_assert_geq(fake_host->service.broker->last_serial, last);
	cr_assert_str_eq(call(fake_host, stage.fixture.client, CREATE_CONTEXT, NULL), SUCCESS);
	cr_assert_eq(fake_host->service.broker->last_serial, last + 1);
	stage_free(&stage);
}
