/* SPDX-License-Identifier: MIT */
/* Proves that a start fails without any loss if a resource is exhausted while it restores records,
 * and that a successful start reads each user and each process once. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/restart-stage.h"

TestSuite(restart_exhausted);

static FakeUser *user_of(World *world, uid_t uid)
{
	for (size_t i = 0; i < world->user_count; i++)
		if (world->users[i].uid == uid)
			return &world->users[i];
	cr_assert_fail("there is no user %u", uid);
	return NULL;
}

static void no_watch(Stage *stage, bool begins)
{
	stage->world->refuse_watch = begins;
}

static void no_vmm(Stage *stage, bool begins)
{
	stage->cast.vmm->is_hidden = begins;
}

/* If the agent had exited, the VM would be restored without it. */
static void no_agent(Stage *stage, bool begins)
{
	stage->helper->is_hidden = begins;
}

static void no_descriptor(Stage *stage, bool begins)
{
	stage->world->exhaust_find_descriptor = begins;
}

static void no_credentials(Stage *stage, bool begins)
{
	stage->cast.mallory->credentials_evidence = begins ? EVIDENCE_EXHAUSTED : EVIDENCE_FOUND;
}

static void no_users(Stage *stage, bool begins)
{
	user_of(stage->world, 1000)->evidence = begins ? EVIDENCE_EXHAUSTED : EVIDENCE_FOUND;
}

Test(restart_exhausted, start_is_atomic)
{
	static void (*const exhaust[])(Stage * stage, bool begins) = {
		no_watch, no_vmm, no_agent, no_descriptor, no_credentials, no_users,
	};

	for (size_t i = 0; i < ARRAY_SIZE(exhaust); i++) {
		Stage stage = stage_new();
		World *world = stage.world;
		size_t kept = world->kept_count, open = world_open_descriptors(world);
		char *before = world_picture(world, stage.cast.admin);

		world_stop(world);
		size_t events = world->event_count;
		exhaust[i](&stage, true);
		cr_assert_not(world_try_start(world), "%zu", i);
		cr_assert_eq(world->report.drop_count, 0u, "%zu", i);
		cr_assert_eq(world->kept_count, kept, "%zu", i);
		cr_assert_eq(world_open_descriptors(world), open, "%zu", i);
		cr_assert_eq(world->event_count, events + 1, "%zu: the new software adapter", i);
		exhaust[i](&stage, false);
		world_start(world);
		char *after = world_picture(world, stage.cast.admin);
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
	World *world = stage.world;
	size_t kept = world->kept_count;

	world_stop(world);
	world_kill(world, stage.helper);
	world_kill(world, stage.cast.viewer);
	no_users(&stage, true);
	no_descriptor(&stage, true);
	cr_assert_not(world_try_start(world));
	cr_assert_eq(world->kept_count, kept);
	no_users(&stage, false);
	no_descriptor(&stage, false);
	world_start(world);
	cr_assert_eq(stage_dropped(&stage, STORE_REGISTRATION, "its process is gone"), 2u);
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

Test(restart_exhausted, common_reasons_are_reported_together)
{
	Stage stage = stage_new();
	World *world = stage.world;
	const StoreReport *report = &world->report;

	world_stop(world);
	world_kill(world, stage.cast.viewer);
	world_start(world);
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
	process_set_groups(stage->cast.viewer, 1000, 1, (gid_t[]){ 27 });
	return 2;
}

Test(restart_exhausted, other_reasons_are_reported_one_by_one)
{
	Stage stage = stage_new();

	world_stop(stage.world);
	size_t count = change_groups(&stage);
	world_start(stage.world);
	cr_assert_eq(stage.world->report.told_count, count);
	cr_assert_eq(stage.world->report.drop_count, count);
	stage_free(&stage);
}

Test(restart_exhausted, each_user_and_each_process_is_read_once)
{
	Stage stage = stage_new();
	World *world = stage.world;

	/* The viewer is registered for both VMs, which both name alice. */
	cr_assert_str_eq(call(world, stage.cast.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"displayClients\":[{\"user\":\"alice\"},{\"pid\":300}]}"),
			 SUCCESS);
	world_stop(world);
	world->credential_reads = world->user_reads = 0;
	world_start(world);
	cr_assert_eq(world->report.drop_count, 0u);
	cr_assert_eq(world->report.restored[STORE_REGISTRATION], 3u);
	cr_assert_eq(world->credential_reads, 2u);
	cr_assert_eq(world->user_reads, 1u);
	stage_free(&stage);
}

/* New serials follow the highest one ever assigned, even if its entity has ended. */
Test(restart_exhausted, serials_are_not_reused)
{
	Stage stage = stage_new();
	World *world = stage.world;
	uint64_t last;

	cr_assert_str_eq(call(world, stage.cast.client, CREATE_CONTEXT, NULL), SUCCESS);
	last = world->service.broker->last_serial;
	cr_assert_str_eq(callf(world, stage.cast.client, DESTROY_CONTEXT, "{\"context\":\"%s\"}",
			       reply_string(world, "context")),
			 SUCCESS);
	world_restart(world);
	cr_assert_geq(world->service.broker->last_serial, last);
	cr_assert_str_eq(call(world, stage.cast.client, CREATE_CONTEXT, NULL), SUCCESS);
	cr_assert_eq(world->service.broker->last_serial, last + 1);
	stage_free(&stage);
}
