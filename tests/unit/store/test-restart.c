/* SPDX-License-Identifier: MIT */
/* Proves that a restart preserves the state, except for entities that a change meanwhile has ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/restart-stage.h"

TestSuite(restart);

Test(restart, restart_preserves_everything)
{
	Stage stage = stage_new();

	stage_restart_unseen(&stage);
	const StoreReport *report = &stage.world->report;
	cr_assert_eq(report->restored[STORE_ADAPTER], 1u);
	cr_assert_eq(report->restored[STORE_VIRTUAL_MACHINE], 2u);
	cr_assert_eq(report->restored[STORE_VIRTUAL_GPU], 2u);
	cr_assert_eq(report->restored[STORE_GPU_PROCESS], 1u);
	cr_assert_eq(report->restored[STORE_RESERVATION], 2u);
	cr_assert_eq(report->restored[STORE_MAPPING], 5u);
	cr_assert_eq(report->restored[STORE_CONTEXT], 2u);
	cr_assert_eq(report->restored[STORE_REGISTRATION], 3u);
	cr_assert_eq(report->restored[STORE_OBJECT], 3u);
	cr_assert_eq(report->restored[STORE_SHARING], 2u);
	cr_assert_eq(report->restored[STORE_HOLDER], 2u);
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

Test(restart, restored_entities_work)
{
	Stage stage = stage_new();
	World *world = stage.world;
	Caller *client = stage.cast.client;
	size_t count;

	world_restart(world);
	size_t reads = world->credential_reads;
	cr_assert_str_eq(call(world, client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_eq(world->credential_reads, reads, "the restored registration answers");
	cr_assert_str_eq(open_and_drop(world, client, stage.fence, &count), SUCCESS);
	cr_assert_eq(count, 3u);
	cr_assert_str_eq(with_handle(world, client, CLOSE, stage.taken_back), SUCCESS);
	cr_assert_str_eq(with_handle(world, client, CLOSE, stage.taken_back),
			 "STATUS_INVALID_HANDLE");
	cr_assert_str_eq(translate(world, client, stage.gpu_process, "0x20000010000"), "mapped");
	cr_assert_str_eq(translate(world, client, stage.gpu_process, "0x20000020000"),
			 "userReserved");
	cr_assert_str_eq(translate(world, client, stage.gpu_process, STAGE_DRIVER), "mapped");
	cr_assert_str_eq(free_addresses(world, client, stage.gpu_process, STAGE_OWN, 0x28000),
			 SUCCESS);
	cr_assert_str_eq(
		callf(world, client, DESTROY_CONTEXT, "{\"context\":\"%s\"}", stage.context),
		SUCCESS);
	cr_assert_str_eq(callf(world, stage.cast.admin, REMOVE, "{\"virtualGpu\":\"%s\"}",
			       stage.virtual_gpu),
			 SUCCESS);
	stage_restart_unseen(&stage);
	world_exit(world, stage.helper);
	call(world, stage.cast.admin, DESCRIBE, NAMES_B);
	cr_assert_null(reply_value(world, "virtualMachine.agent"), "the agent is watched again");
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

/* A process that dies while no daemon runs has the same effect as one that dies before. */
Test(restart, death_during_the_restart)
{
	for (int who = 0; who < 5; who++) {
		char *pictures[2];

		for (int in_between = 0; in_between < 2; in_between++) {
			Stage stage = stage_new();
			FakeProcess *const dying[] = { stage.cast.vmm, stage.cast.viewer,
						       stage.cast.mallory, stage.helper,
						       stage.other_vmm };

			if (in_between)
				world_kill(stage.world, dying[who]);
			else
				world_exit(stage.world, dying[who]);
			world_restart(stage.world);
			pictures[in_between] = world_picture(stage.world, stage.cast.admin);
			cr_assert(in_between == (stage.world->report.drop_count > 0) || who == 3);
			stage_restart_unseen(&stage);
			stage_free(&stage);
		}
		cr_assert_str_eq(pictures[0], pictures[1], "%d", who);
		free(pictures[0]);
		free(pictures[1]);
	}
}

Test(restart, holders_keep_objects_of_a_dead_sharer)
{
	Stage stage = stage_new();
	World *world = stage.world;

	world_kill(world, stage.cast.vmm);
	world_restart(world);
	cr_assert_eq(stage_dropped(&stage, STORE_VIRTUAL_MACHINE, "its process is gone"), 1u);
	cr_assert_eq(stage_dropped(&stage, STORE_VIRTUAL_GPU, "its VM is gone"), 1u);
	cr_assert_eq(stage_dropped(&stage, STORE_REGISTRATION, "its VM is gone"), 1u);
	cr_assert_eq(stage_dropped(&stage, STORE_SHARING, "its process is gone"), 2u);
	cr_assert_eq(stage_dropped(&stage, STORE_OBJECT, "it is no longer shared or held"), 1u);
	cr_assert_eq(world_open_descriptors(world), 0u);
	cr_assert_str_eq(with_handle(world, stage.cast.client, CLOSE, stage.image), SUCCESS);
	cr_assert_str_eq(with_handle(world, stage.cast.client, CLOSE, stage.fence),
			 "STATUS_INVALID_HANDLE");
	stage_free(&stage);
}

Test(restart, registration_with_changed_privileges_ends)
{
	Stage stage = stage_new();
	World *world = stage.world;

	world_stop(world);
	process_set_groups(stage.cast.viewer, 1000, 1, (gid_t[]){ 27 });
	world_start(world);
	cr_assert_eq(world->report.dropped[STORE_REGISTRATION], 2u);
	cr_assert_eq(
		stage_dropped(
			&stage, STORE_REGISTRATION,
			"its process no longer has the privileges of a display client (groups)"),
		2u);
	const FakeEvent *event = world_last_event(world, EVENT_UNREGISTERED);
	cr_assert_eq(event->reason, END_PRIVILEGES_CHANGED);
	call(world, stage.cast.admin, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(world, "registrations"), 1u);
	cr_assert_eq(reply_number(world, "registrations[0].pid"), 400u);
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

/* The groups that the user database lists now count, not those from before the restart. */
Test(restart, users_are_looked_up_again)
{
	Stage stage = stage_new();
	World *world = stage.world;

	world_stop(world);
	process_set_groups(stage.cast.viewer, 1000, 1, (gid_t[]){ 27 });
	for (size_t i = 0; i < world->user_count; i++)
		if (world->users[i].uid == 1000) {
			groups_deinit(&world->users[i].credentials.groups);
			gid_t *ids = malloc(2 * sizeof(*ids));
			ids[0] = 27;
			world->users[i].credentials.groups = groups_take(ids, 1, 1000);
		}
	world_start(world);
	cr_assert_eq(
		stage_dropped(
			&stage, STORE_REGISTRATION,
			"its process no longer has the privileges of a display client (groups)"),
		2u, "the connection has its old groups");
	stage_free(&stage);
}

Test(restart, unreadable_process_is_unregistered)
{
	Stage stage = stage_new();

	world_stop(stage.world);
	stage.cast.viewer->credentials_evidence = EVIDENCE_UNREADABLE;
	world_start(stage.world);
	cr_assert_eq(stage_dropped(&stage, STORE_REGISTRATION,
				   "its process no longer has the privileges of a display client "
				   "(unreadable)"),
		     2u);
	stage_free(&stage);
}

/* The daemon saved the quarantine, and then crashed. */
Test(restart, quarantine_saved_before_a_crash_applies)
{
	Stage stage = stage_new();
	World *world = stage.world;
	FakeQuarantine *quarantine = &world->quarantines[world->quarantine_count++];

	world_stop(world);
	*quarantine = (FakeQuarantine){ .has_reason = true, .reason = "in between" };
	guid_parse(GUID_A, &quarantine->guid);
	world_start(world);
	call(world, stage.cast.admin, DESCRIBE, NAMES_A);
	cr_assert_str_eq(reply_string(world, "virtualMachine.quarantineReason"), "in between");
	cr_assert_eq(reply_number(world, "virtualMachine.registrations"), 0u);
	cr_assert_eq(reply_number(world, "virtualMachine.sharedObjects"), 0u);
	cr_assert_eq(world_open_descriptors(world), 0u);
	cr_assert_str_eq(with_handle(world, stage.cast.client, CLOSE, stage.image), SUCCESS);
	stage_free(&stage);
}

Test(restart, lower_limits_end_nothing)
{
	Stage stage = stage_new();
	World *world = stage.world;
	Limits *limits = &world->service.settings.limits;

	world_stop(world);
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++)
		limits->per_uid[kind] = limits->in_all[kind] = limits->per_owner[kind] = 0;
	world_start(world);
	cr_assert_eq(world->report.drop_count, 0u, "%s", world->report.drops[0].reason);
	stage_restart_unseen(&stage);
	cr_assert_str_eq(call(world, stage.cast.client, CREATE_CONTEXT, NULL),
			 "STATUS_QUOTA_EXCEEDED");
	stage_free(&stage);
}

/* A process keeps its driver reservations even if the configuration has changed. */
Test(restart, changed_reservations_apply_to_new_processes)
{
	Stage stage = stage_new();

	stage.world->service.settings.software_adapter.of_processes.count = 0;
	world_reload(stage.world);
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

Test(restart, changed_fd_ends_the_sharing)
{
	Stage stage = stage_new();
	World *world = stage.world;

	world_stop(world);
	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++)
		if (world->descriptors[i].open &&
		    world->descriptors[i].facts.kind == DESCRIPTOR_MEMFD)
			world->descriptors[i].facts.inode++;
	world_start(world);
	cr_assert_eq(
		stage_dropped(&stage, STORE_SHARING, "one of its file descriptors has changed"),
		1u);
	cr_assert_eq(world_open_descriptors(world), 3u, "the other object keeps its fds");
	cr_assert_str_eq(with_handle(world, stage.cast.client, CLOSE, stage.image), SUCCESS);
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

Test(restart, missing_fd_ends_the_sharing)
{
	Stage stage = stage_new();
	World *world = stage.world;

	world_stop(world);
	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++)
		if (world->descriptors[i].facts.kind == DESCRIPTOR_SYNC_FILE)
			world->descriptors[i].open = false;
	world_start(world);
	cr_assert_eq(
		stage_dropped(&stage, STORE_SHARING, "one of its file descriptors was not stored"),
		1u);
	cr_assert_eq(world_open_descriptors(world), 1u, "the image keeps its fd");
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

/* Memory that has grown is still shared after a restart. Opening it persists the new size. */
Test(restart, grown_memory)
{
	Stage stage = stage_new();
	World *world = stage.world;
	Descriptor memory = sealed_memory(world);
	char handle[64];

	world_descriptor_of(world, memory)->facts.size_is_sealed = false;
	share(world, stage.cast.machine, IMAGE, &memory, 1, handle);
	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++)
		if (world->descriptors[i].open && !world->descriptors[i].facts.size_is_sealed)
			world->descriptors[i].facts.size = 5u << 20;
	stage_restart_unseen(&stage);
	cr_assert_str_eq(open_and_drop(world, stage.cast.client, handle, NULL), SUCCESS);
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

/* The kernel allows 65536 groups. */
Test(restart, credentials_with_all_groups_survive)
{
	static gid_t groups[65536];
	Stage stage = stage_new();
	World *world = stage.world;

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		groups[i] = (gid_t)(100000 + 3 * i);
	FakeProcess *process = world_process(world, 700, 1002);
	process_set_groups(process, 1002, ARRAY_SIZE(groups), groups);
	process_set_context(process, GRAPHICS_CONTEXT_KFD);
	Caller *caller = world_connect(world, process);
	cr_assert_str_eq(call(world, stage.cast.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B
			      "\",\"displayClients\":[{\"pid\":700},{\"pid\":300},{\"pid\":400}]}"),
			 SUCCESS);
	cr_assert_str_eq(call(world, caller, REGISTER, NAMES_B), SUCCESS);
	stage_restart_unseen(&stage);
	stage_restart_unseen(&stage);
	stage_free(&stage);
}
