/* SPDX-License-Identifier: MIT */
/*
 * Proves that a restart preserves the state, except for entities that a change meanwhile has ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/restart-stage.h"

static Stage stage;

static void set_up(void)
{
	stage = stage_new();
}

static void tear_down(void)
{
	stage_free(&stage);
}

/* The test of restart_repeated sets up the stage several times. */
TestSuite(restart, .init = set_up, .fini = tear_down);

Test(restart, restart_preserves_everything)
{
	stage_restart_unchanged(&stage);
	const StoreReport *report = &stage.fake_host->report;
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
	stage_restart_unchanged(&stage);
}

Test(restart, restored_entities_work)
{
	FakeHost *fake_host = stage.fake_host;
	Caller *client = stage.fixture.client;
	size_t count;

	fake_host_restart(fake_host);
	size_t reads = fake_host->credential_reads;
	cr_assert_str_eq(call(fake_host, client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_eq(fake_host->credential_reads, reads, "the restored registration answers");
	cr_assert_str_eq(open_and_close_fds(fake_host, client, stage.fence, &count), SUCCESS);
	cr_assert_eq(count, 3u);
	cr_assert_str_eq(with_handle(fake_host, client, CLOSE, stage.taken_back), SUCCESS);
	cr_assert_str_eq(with_handle(fake_host, client, CLOSE, stage.taken_back),
			 "STATUS_INVALID_HANDLE");
	cr_assert_str_eq(translate(fake_host, client, stage.gpu_process, "0x20000010000"),
			 "mapped");
	cr_assert_str_eq(translate(fake_host, client, stage.gpu_process, "0x20000020000"),
			 "userReserved");
	cr_assert_str_eq(translate(fake_host, client, stage.gpu_process, STAGE_DRIVER), "mapped");
	cr_assert_str_eq(free_addresses(fake_host, client, stage.gpu_process, STAGE_OWN, 0x28000),
			 SUCCESS);
	cr_assert_str_eq(
		callf(fake_host, client, DESTROY_CONTEXT, "{\"context\":\"%s\"}", stage.context),
		SUCCESS);
	cr_assert_str_eq(callf(fake_host, stage.fixture.admin, REMOVE, "{\"virtualGpu\":\"%s\"}",
			       stage.virtual_gpu),
			 SUCCESS);
	stage_restart_unchanged(&stage);
	fake_host_exit(fake_host, stage.helper);
	call(fake_host, stage.fixture.admin, DESCRIBE, NAMES_B);
	cr_assert_null(reply_value(fake_host, "virtualMachine.agent"),
		       "the agent is watched again");
	stage_restart_unchanged(&stage);
}

/* A process that dies while no daemon runs has the same effect as one that dies before. */
Test(restart_repeated, death_during_the_restart)
{
	for (int who = 0; who < 5; who++) {
		char *snapshots[2];

		for (int in_between = 0; in_between < 2; in_between++) {
			set_up();
			FakeProcess *const dying[] = { stage.fixture.vmm, stage.fixture.viewer,
						       stage.fixture.mallory, stage.helper,
						       stage.other_vmm };

			if (in_between)
				fake_host_kill(stage.fake_host, dying[who]);
			else
				fake_host_exit(stage.fake_host, dying[who]);
			fake_host_restart(stage.fake_host);
			snapshots[in_between] =
				fake_host_snapshot(stage.fake_host, stage.fixture.admin);
			cr_assert(in_between == (stage.fake_host->report.drop_count > 0) ||
				  who == 3);
			stage_restart_unchanged(&stage);
			tear_down();
		}
		cr_assert_str_eq(snapshots[0], snapshots[1], "%d", who);
		free(snapshots[0]);
		free(snapshots[1]);
	}
}

Test(restart, holders_keep_objects_of_a_dead_sharer)
{
	FakeHost *fake_host = stage.fake_host;

	fake_host_kill(fake_host, stage.fixture.vmm);
	fake_host_restart(fake_host);
	cr_assert_eq(stage_dropped(&stage, STORE_VIRTUAL_MACHINE, "its process is gone"), 1u);
	cr_assert_eq(stage_dropped(&stage, STORE_VIRTUAL_GPU, "its VM is gone"), 1u);
	cr_assert_eq(stage_dropped(&stage, STORE_REGISTRATION, "its VM is gone"), 1u);
	cr_assert_eq(stage_dropped(&stage, STORE_SHARING, "its process is gone"), 2u);
	cr_assert_eq(stage_dropped(&stage, STORE_OBJECT, "it is no longer shared or held"), 1u);
	cr_assert_eq(fake_host_open_fds(fake_host), 0u);
	cr_assert_str_eq(with_handle(fake_host, stage.fixture.client, CLOSE, stage.image), SUCCESS);
	cr_assert_str_eq(with_handle(fake_host, stage.fixture.client, CLOSE, stage.fence),
			 "STATUS_INVALID_HANDLE");
}

Test(restart, registration_with_changed_privileges_ends)
{
	FakeHost *fake_host = stage.fake_host;

	fake_host_stop(fake_host);
	process_set_groups(stage.fixture.viewer, 1000, 1, (gid_t[]){ 27 });
	fake_host_start(fake_host);
	cr_assert_eq(fake_host->report.dropped[STORE_REGISTRATION], 2u);
	cr_assert_eq(
		stage_dropped(
			&stage, STORE_REGISTRATION,
			"its process no longer has the privileges of a display client (groups)"),
		2u);
	const FakeEvent *event = fake_host_last_event(fake_host, EVENT_UNREGISTERED);
	cr_assert_eq(event->reason, END_PRIVILEGES_CHANGED);
	call(fake_host, stage.fixture.admin, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(fake_host, "registrations"), 1u);
	cr_assert_eq(reply_number(fake_host, "registrations[0].pid"), 400u);
	stage_restart_unchanged(&stage);
}

/* The groups that the user database lists now count, not those from before the restart. */
Test(restart, users_are_looked_up_again)
{
	FakeHost *fake_host = stage.fake_host;

	fake_host_stop(fake_host);
	process_set_groups(stage.fixture.viewer, 1000, 1, (gid_t[]){ 27 });
	for (size_t i = 0; i < fake_host->user_count; i++)
		if (fake_host->users[i].uid == 1000) {
			groups_deinit(&fake_host->users[i].credentials.groups);
			gid_t *ids = malloc(2 * sizeof(*ids));
			ids[0] = 27;
			fake_host->users[i].credentials.groups = groups_take(ids, 1, 1000);
		}
	fake_host_start(fake_host);
	cr_assert_eq(
		stage_dropped(
			&stage, STORE_REGISTRATION,
			"its process no longer has the privileges of a display client (groups)"),
		2u, "the connection has its old groups");
}

Test(restart, unreadable_process_is_unregistered)
{
	fake_host_stop(stage.fake_host);
	stage.fixture.viewer->credentials_lookup = LOOKUP_UNREADABLE;
	fake_host_start(stage.fake_host);
	cr_assert_eq(stage_dropped(&stage, STORE_REGISTRATION,
				   "its process no longer has the privileges of a display client "
				   "(unreadable)"),
		     2u);
}

/* The daemon saved the quarantine, and then crashed. */
Test(restart, quarantine_saved_before_a_crash_applies)
{
	FakeHost *fake_host = stage.fake_host;
	FakeQuarantine *quarantine = &fake_host->quarantines[fake_host->quarantine_count++];

	fake_host_stop(fake_host);
	*quarantine = (FakeQuarantine){ .has_reason = true, .reason = "in between" };
	guid_parse(GUID_A, &quarantine->guid);
	fake_host_start(fake_host);
	call(fake_host, stage.fixture.admin, DESCRIBE, NAMES_A);
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.quarantineReason"), "in between");
	cr_assert_eq(reply_number(fake_host, "virtualMachine.registrations"), 0u);
	cr_assert_eq(reply_number(fake_host, "virtualMachine.sharedObjects"), 0u);
	cr_assert_eq(fake_host_open_fds(fake_host), 0u);
	cr_assert_str_eq(with_handle(fake_host, stage.fixture.client, CLOSE, stage.image), SUCCESS);
}

Test(restart, lower_limits_end_nothing)
{
	FakeHost *fake_host = stage.fake_host;
	Limits *limits = &fake_host->service.settings.limits;

	fake_host_stop(fake_host);
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++)
		limits->per_uid[kind] = limits->host_wide[kind] = limits->per_entity[kind] = 0;
	fake_host_start(fake_host);
	cr_assert_eq(fake_host->report.drop_count, 0u, "%s", fake_host->report.drops[0].reason);
	stage_restart_unchanged(&stage);
	cr_assert_str_eq(call(fake_host, stage.fixture.client, CREATE_CONTEXT, NULL),
			 "STATUS_QUOTA_EXCEEDED");
}

/* A process keeps its driver reservations even if the configuration has changed. */
Test(restart, changed_reservations_apply_to_new_processes)
{
	stage.fake_host->service.settings.software_adapter.of_processes.count = 0;
	fake_host_reload(stage.fake_host);
	stage_restart_unchanged(&stage);
}

Test(restart, changed_fd_ends_the_sharing)
{
	FakeHost *fake_host = stage.fake_host;

	fake_host_stop(fake_host);
	for (size_t i = 0; i < FAKE_HOST_FD_MAX; i++)
		if (fake_host->fds[i].open && fake_host->fds[i].facts.kind == FD_MEMFD)
			fake_host->fds[i].facts.inode++;
	fake_host_start(fake_host);
	cr_assert_eq(
		stage_dropped(&stage, STORE_SHARING, "one of its file descriptors has changed"),
		1u);
	cr_assert_eq(fake_host_open_fds(fake_host), 3u, "the other object keeps its fds");
	cr_assert_str_eq(with_handle(fake_host, stage.fixture.client, CLOSE, stage.image), SUCCESS);
	stage_restart_unchanged(&stage);
}

Test(restart, missing_fd_ends_the_sharing)
{
	FakeHost *fake_host = stage.fake_host;

	fake_host_stop(fake_host);
	for (size_t i = 0; i < FAKE_HOST_FD_MAX; i++)
		if (fake_host->fds[i].facts.kind == FD_SYNC_FILE)
			fake_host->fds[i].open = false;
	fake_host_start(fake_host);
	cr_assert_eq(
		stage_dropped(&stage, STORE_SHARING, "one of its file descriptors was not stored"),
		1u);
	cr_assert_eq(fake_host_open_fds(fake_host), 1u, "the image keeps its fd");
	stage_restart_unchanged(&stage);
}

/* Memory that has grown is still shared after a restart. Opening it persists the new size. */
Test(restart, grown_memory)
{
	FakeHost *fake_host = stage.fake_host;
	int memory = sealed_memory(fake_host);
	char handle[64];

	fake_host_fd_of(fake_host, memory)->facts.size_is_sealed = false;
	share(fake_host, stage.fixture.machine, IMAGE, &memory, 1, handle);
	for (size_t i = 0; i < FAKE_HOST_FD_MAX; i++)
		if (fake_host->fds[i].open && !fake_host->fds[i].facts.size_is_sealed)
			fake_host->fds[i].facts.size = 5u << 20;
	stage_restart_unchanged(&stage);
	cr_assert_str_eq(open_and_close_fds(fake_host, stage.fixture.client, handle, NULL),
			 SUCCESS);
	stage_restart_unchanged(&stage);
}

/* The kernel allows 65536 groups. */
Test(restart, credentials_with_all_groups_survive)
{
	static gid_t groups[65536];
	FakeHost *fake_host = stage.fake_host;

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		groups[i] = (gid_t)(100000 + 3 * i);
	FakeProcess *process = fake_host_process(fake_host, 700, 1002);
	process_set_groups(process, 1002, ARRAY_SIZE(groups), groups);
	process_set_context(process, GRAPHICS_CONTEXT_KFD);
	Caller *caller = fake_host_connect(fake_host, process);
	cr_assert_str_eq(call(fake_host, stage.fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B
			      "\",\"displayClients\":[{\"pid\":700},{\"pid\":300},{\"pid\":400}]}"),
			 SUCCESS);
	cr_assert_str_eq(call(fake_host, caller, REGISTER, NAMES_B), SUCCESS);
	stage_restart_unchanged(&stage);
	stage_restart_unchanged(&stage);
}

/* Returns the state of the guest of the first VM, as a reply shows it. */
static const char *guest_state(void)
{
	call(stage.fake_host, stage.fixture.admin, DESCRIBE, NAMES_A);
	return json_string(
		json_member(reply_value(stage.fake_host, "virtualMachine"), "guestState"));
}

Test(restart, the_states_of_guests_are_kept)
{
	FakeHost *fake_host = stage.fake_host;
	Caller *admin = stage.fixture.admin;

	cr_assert_str_eq(call(fake_host, admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"guestState\":\"migrated\"}"),
			 SUCCESS);
	cr_assert_str_eq(call(fake_host, admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"vmmPid\":300,\"guestState\":\"incoming\"}"),
			 SUCCESS);
	stage_restart_unchanged(&stage);
	cr_assert_str_eq(guest_state(), "migrated");
	/* The VMM exits during the restart, so the VM is handed over in its record. */
	fake_host_kill(fake_host, stage.fixture.vmm);
	fake_host_restart(fake_host);
	cr_assert_str_eq(guest_state(), "incoming");
}

/* Tells a state of the first VM's guest on a connection of its own, which is returned. */
static Caller *tell(const char *state)
{
	Caller *teller = fake_host_connect(stage.fake_host, stage.fixture.root);

	cr_assert_str_eq(callf(stage.fake_host, teller, UPDATE_MACHINE,
			       "{\"virtualMachineGuid\":\"" GUID_A "\",\"guestState\":\"%s\"}",
			       state),
			 SUCCESS);
	return teller;
}

Test(restart, a_state_that_has_ended_with_its_connection_does_not_return)
{
	fake_host_disconnect(stage.fake_host, tell("incoming"));
	stage_restart_unchanged(&stage);
	cr_assert_null(guest_state());
}

Test(restart, a_kept_state_ends_with_the_connection_that_tells_it_again)
{
	Caller *former = tell("incoming");

	stage_restart_unchanged(&stage);
	fake_host_disconnect(stage.fake_host, former);
	cr_assert_str_eq(guest_state(), "incoming", "nobody has told it since the restart");
	fake_host_disconnect(stage.fake_host, tell("incoming"));
	cr_assert_null(guest_state());
}
