/* SPDX-License-Identifier: MIT */
/* Proves what a restart leaves as it was, and what it does not, and why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "restart-stage.h"

TestSuite(restart);

Test(restart, nobody_can_tell_that_there_was_one)
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

/* Everything that can be done with what came back, still can. */
Test(restart, what_comes_back_works)
{
	Stage stage = stage_new();
	World *world = stage.world;
	Caller *client = stage.cast.client;
	size_t count;

	world_restart(world);
	size_t reads = world->credential_reads;
	cr_assert_str_eq(call(world, client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_eq(world->credential_reads, reads, "answered from the record");
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
	cr_assert_null(reply_value(world, "virtualMachine.agent"), "it is watched again");
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

/* What has hung on it ends as if it had died in the daemon's sight. */
Test(restart, who_dies_in_between_is_as_who_dies_before)
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

Test(restart, the_objects_of_who_is_gone_are_known_to_their_holders)
{
	Stage stage = stage_new();
	World *world = stage.world;

	world_kill(world, stage.cast.vmm);
	world_restart(world);
	cr_assert_eq(stage_dropped(&stage, STORE_VIRTUAL_MACHINE, "its process is gone"), 1u);
	cr_assert_eq(stage_dropped(&stage, STORE_VIRTUAL_GPU, "its VM is gone"), 1u);
	cr_assert_eq(stage_dropped(&stage, STORE_REGISTRATION, "its VM is gone"), 1u);
	cr_assert_eq(stage_dropped(&stage, STORE_SHARING, "its process is gone"), 2u);
	cr_assert_eq(stage_dropped(&stage, STORE_OBJECT, "it is neither shared nor held any more"),
		     1u);
	cr_assert_eq(world_open_descriptors(world), 0u);
	cr_assert_str_eq(with_handle(world, stage.cast.client, CLOSE, stage.image), SUCCESS);
	cr_assert_str_eq(with_handle(world, stage.cast.client, CLOSE, stage.fence),
			 "STATUS_INVALID_HANDLE");
	stage_free(&stage);
}

Test(restart, a_registration_whose_privileges_have_changed_ends_first)
{
	Stage stage = stage_new();
	World *world = stage.world;

	world_stop(world);
	process_set_groups(stage.cast.viewer, 1000, 1, (gid_t[]){ 27 });
	world_start(world);
	cr_assert_eq(world->report.dropped[STORE_REGISTRATION], 2u);
	cr_assert_eq(stage_dropped(&stage, STORE_REGISTRATION,
				   "its privileges are no display client's any more (groups)"),
		     2u);
	const FakeEvent *event = world_last_event(world, EVENT_UNREGISTERED);
	cr_assert_eq(event->reason, END_PRIVILEGES_CHANGED);
	call(world, stage.cast.admin, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(world, "registrations"), 1u);
	cr_assert_eq(reply_number(world, "registrations[0].pid"), 400u);
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

/* Of a user it is what the user has now that counts. */
Test(restart, users_are_looked_up_anew)
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
	cr_assert_eq(stage_dropped(&stage, STORE_REGISTRATION,
				   "its privileges are no display client's any more (groups)"),
		     2u, "the connection's groups are those of then");
	stage_free(&stage);
}

Test(restart, who_cannot_be_read_is_not_registered)
{
	Stage stage = stage_new();

	world_stop(stage.world);
	stage.cast.viewer->credentials_evidence = EVIDENCE_UNREADABLE;
	world_start(stage.world);
	cr_assert_eq(stage_dropped(&stage, STORE_REGISTRATION,
				   "its privileges are no display client's any more (unreadable)"),
		     2u);
	stage_free(&stage);
}

/* Written to the state directory, and then the daemon crashed. */
Test(restart, a_quarantine_of_in_between_holds)
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

Test(restart, lower_limits_take_nothing_away)
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

/* A process keeps what its driver has reserved, whatever the configuration says by now. */
Test(restart, other_reservations_concern_new_processes)
{
	Stage stage = stage_new();

	stage.world->service.settings.software_adapter.of_processes.count = 0;
	world_reload(stage.world);
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

Test(restart, a_descriptor_that_is_another_takes_its_object_along)
{
	Stage stage = stage_new();
	World *world = stage.world;

	world_stop(world);
	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++)
		if (world->descriptors[i].open &&
		    world->descriptors[i].facts.kind == DESCRIPTOR_MEMFD)
			world->descriptors[i].facts.inode++;
	world_start(world);
	cr_assert_eq(stage_dropped(&stage, STORE_SHARING, "a descriptor of it is not what it was"),
		     1u);
	cr_assert_eq(world_open_descriptors(world), 3u, "those of the other object");
	cr_assert_str_eq(with_handle(world, stage.cast.client, CLOSE, stage.image), SUCCESS);
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

Test(restart, a_descriptor_that_is_not_there_takes_its_object_along)
{
	Stage stage = stage_new();
	World *world = stage.world;

	world_stop(world);
	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++)
		if (world->descriptors[i].facts.kind == DESCRIPTOR_SYNC_FILE)
			world->descriptors[i].open = false;
	world_start(world);
	cr_assert_eq(stage_dropped(&stage, STORE_SHARING, "a descriptor of it was not kept"), 1u);
	cr_assert_eq(world_open_descriptors(world), 1u, "the image's");
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

/* What was looked at since it was shared counts by what was found then. */
Test(restart, grown_memory_stays_as_large_as_it_was_found)
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

/* 65536 groups are what the kernel allows. */
Test(restart, credentials_of_any_size_survive)
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
