/* SPDX-License-Identifier: MIT */
/* Proves how virtual machines come, meet others of their GUID, change and go. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "fake-host.h"

TestSuite(machine_life);

#define SUCCESS "STATUS_SUCCESS"
#define BY(pid)                                                      \
	"{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":" pid "," \
	"\"displayClients\":[{\"user\":\"alice\"}]}"
#define SAY(...)     call(cast.world, __VA_ARGS__)
#define EVENTS(kind) world_events(cast.world, (kind))

Test(machine_life, the_same_again_changes_nothing)
{
	Cast cast = cast_new();
	size_t events = cast.world->event_count, records = cast.world->record_count;

	cr_assert_str_eq(SAY(cast.admin, REGISTER_MACHINE,
			     "{\"virtualMachineGuid\":\"" GUID_A
			     "\",\"vmmPid\":200,\"name\":\"new\","
			     "\"displayClients\":[{\"user\":\"bob\"}]}"),
			 SUCCESS);
	cr_assert_str_eq(reply_string(cast.world, "virtualMachine.name"), "");
	cr_assert_str_eq(reply_string(cast.world, "virtualMachine.displayClients[0].user"),
			 "alice");
	cr_assert_eq(reply_count(cast.world, "virtualMachine.virtualGpus"), 1u);
	cr_assert_eq(cast.world->event_count, events);
	cr_assert_eq(cast.world->record_count, records);
	cast_free(&cast);
}

Test(machine_life, another_vmm_collides)
{
	Cast cast = cast_new();

	cr_assert_str_eq(SAY(cast.admin, REGISTER_MACHINE, BY("100")),
			 "STATUS_OBJECT_NAME_COLLISION");
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_ADDED), 1u);
	cast_free(&cast);
}

Test(machine_life, a_vmm_found_dead_makes_room_at_once)
{
	Cast cast = cast_new();

	SAY(cast.client, REGISTER, NAMES_A);
	world_kill(cast.world, cast.vmm); /* and the daemon was not told */
	cr_assert_str_eq(SAY(cast.admin, REGISTER_MACHINE, BY("100")), SUCCESS);
	cr_assert_eq(reply_number(cast.world, "virtualMachine.vmmPid"), 100u);
	cr_assert_eq(reply_number(cast.world, "virtualMachine.registrations"), 0u);
	cr_assert_eq(world_last_event(cast.world, EVENT_UNREGISTERED)->reason, END_VMM_EXITED);
	cr_assert_not(cast.vmm->watched);
	world_tell_exits(cast.world);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_REMOVED), 1u);
	cast_free(&cast);
}

Test(machine_life, exit_of_the_vmm_ends_all)
{
	Cast cast = cast_new();

	SAY(cast.admin, ASSIGN, NAMES_A);
	SAY(cast.client, REGISTER, NAMES_A);
	world_exit(cast.world, cast.vmm);
	cr_assert_eq(EVENTS(EVENT_UNREGISTERED), 1u);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_GPU_REMOVED), 2u);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_REMOVED), 1u);
	cr_assert_eq(world_last_event(cast.world, EVENT_VIRTUAL_MACHINE_REMOVED)->reason,
		     END_VMM_EXITED);
	cr_assert_not(cast.viewer->watched, "nothing hangs on it any more");
	cr_assert_str_eq(SAY(cast.client, REGISTER, NAMES_A), "STATUS_NOT_FOUND");
	cr_assert_str_eq(SAY(cast.admin, LIST_REGISTRATIONS, NULL), SUCCESS);
	cr_assert_eq(reply_count(cast.world, "registrations"), 0u);
	cast_free(&cast);
}

Test(machine_life, one_vmm_of_several)
{
	Cast cast = cast_new();

	cr_assert_str_eq(SAY(cast.admin, REGISTER_MACHINE,
			     "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":200,"
			     "\"displayClients\":[{\"user\":\"alice\"}]}"),
			 SUCCESS);
	SAY(cast.admin, ASSIGN, NAMES_B);
	SAY(cast.client, REGISTER, NAMES_A);
	cr_assert_str_eq(SAY(cast.client, REGISTER, NAMES_B), SUCCESS);
	cr_assert_str_eq(SAY(cast.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert(cast.vmm->watched, "it still runs the other");
	SAY(cast.client, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(cast.world, "registrations"), 1u);
	world_exit(cast.world, cast.vmm);
	SAY(cast.client, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(cast.world, "registrations"), 0u);
	cast_free(&cast);
}

Test(machine_life, a_process_that_is_everything_at_once_goes_in_one_piece)
{
	Cast cast = cast_new_quiet();

	/* VMM, display client, agent of itself and of another, registered, with contexts. */
	cr_assert_str_eq(SAY(cast.admin, REGISTER_MACHINE,
			     "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":300,"
			     "\"displayClients\":[{\"pid\":300}],\"agent\":{\"pid\":300}}"),
			 SUCCESS);
	cr_assert_str_eq(SAY(cast.admin, REGISTER_MACHINE,
			     "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":200,"
			     "\"displayClients\":[{\"pid\":300}],\"agent\":{\"pid\":300}}"),
			 SUCCESS);
	SAY(cast.admin, ASSIGN, NAMES_A);
	SAY(cast.admin, ASSIGN, NAMES_B);
	SAY(cast.client, CREATE_CONTEXT, NULL);
	cr_assert_str_eq(SAY(cast.client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(SAY(cast.client, REGISTER, NAMES_B), SUCCESS);
	broker_check(cast.world->service.broker);
	world_exit(cast.world, cast.viewer);
	broker_check(cast.world->service.broker);
	cr_assert_not(cast.viewer->watched);
	cr_assert_str_eq(SAY(cast.admin, DESCRIBE, NAMES_A), "STATUS_NOT_FOUND");
	cr_assert_str_eq(SAY(cast.admin, DESCRIBE, NAMES_B), SUCCESS);
	cr_assert_null(reply_value(cast.world, "virtualMachine.agent"));
	cr_assert_eq(reply_number(cast.world, "virtualMachine.registrations"), 0u);
	cr_assert_eq(EVENTS(EVENT_GPU_PROCESS_REMOVED), 1u);
	cast_free(&cast);
}

Test(machine_life, an_operators_displaces_a_users)
{
	Cast cast = cast_new_quiet();

	cast.world->service.settings.allow_user_machines = true;
	cr_assert_str_eq(SAY(cast.client, REGISTER_MACHINE, NAMES_A), SUCCESS);
	SAY(cast.client, ASSIGN, NAMES_A);
	cr_assert_str_eq(SAY(cast.client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(SAY(cast.admin, REGISTER_MACHINE, BY("200")), SUCCESS);
	cr_assert_eq(reply_number(cast.world, "virtualMachine.registeredByUid"), 0u);
	cr_assert_eq(reply_count(cast.world, "virtualMachine.virtualGpus"), 0u);
	cr_assert_eq(world_last_event(cast.world, EVENT_UNREGISTERED)->reason, END_VM_DISPLACED);
	cr_assert_eq(world_last_event(cast.world, EVENT_VIRTUAL_MACHINE_REMOVED)->reason,
		     END_VM_DISPLACED);
	cr_assert_str_eq(SAY(cast.client, REGISTER_MACHINE, NAMES_A),
			 "STATUS_OBJECT_NAME_COLLISION", "and not the other way round");
	cr_assert_str_eq(SAY(cast.client, UNREGISTER_MACHINE, NAMES_A), "STATUS_ACCESS_DENIED");
	cast_free(&cast);
}

Test(machine_life, what_cannot_displace_leaves_the_old_one)
{
	Cast cast = cast_new_quiet();

	cast.world->service.settings.allow_user_machines = true;
	SAY(cast.client, REGISTER_MACHINE, NAMES_A);
	cast.world->refuse_watch = true;
	cr_assert_str_eq(SAY(cast.admin, REGISTER_MACHINE, BY("200")),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_str_eq(SAY(cast.client, DESCRIBE, NAMES_A), SUCCESS);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_REMOVED), 0u);
	cast_free(&cast);
}

Test(machine_life, an_update_ends_registrations_that_no_longer_match)
{
	Cast cast = cast_new();

	SAY(cast.admin, UPDATE_MACHINE,
	    "{\"virtualMachineGuid\":\"" GUID_A "\","
	    "\"displayClients\":[{\"user\":\"alice\"},{\"pid\":400}]}");
	cr_assert_str_eq(SAY(cast.client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(SAY(cast.stranger, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(SAY(cast.admin, UPDATE_MACHINE,
			     "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"n\"}"),
			 SUCCESS);
	cr_assert_eq(reply_number(cast.world, "virtualMachine.registrations"), 2u,
		     "absent means unchanged");
	cr_assert_eq(reply_count(cast.world, "virtualMachine.displayClients"), 2u);
	cr_assert_str_eq(SAY(cast.admin, UPDATE_MACHINE,
			     "{\"virtualMachineGuid\":\"" GUID_A "\","
			     "\"displayClients\":[{\"user\":\"bob\"}]}"),
			 SUCCESS);
	cr_assert_eq(reply_number(cast.world, "virtualMachine.registrations"), 1u);
	cr_assert_str_eq(reply_string(cast.world, "virtualMachine.name"), "n");
	const FakeEvent *event = world_last_event(cast.world, EVENT_UNREGISTERED);
	cr_assert_eq(event->pid, 300);
	cr_assert_eq(event->reason, END_PRIVILEGES_CHANGED);
	cr_assert_str_eq(SAY(cast.client, REGISTER, NAMES_A), "STATUS_ACCESS_DENIED");
	cast_free(&cast);
}

Test(machine_life, an_update_that_fails_changes_nothing)
{
	static const char *const rows[] = {
		"\"name\":\"x\",\"agent\":{\"pid\":99999}", "\"name\":\"x\",\"agent\":{}",
		"\"name\":\"x\",\"displayClients\":[{\"user\":\"bob\"},{\"user\":\"nobody\"}]",
		"\"name\":\"x\",\"displayClients\":[]", /* the VMM, which is no login user */
	};
	Cast cast = cast_new();

	SAY(cast.client, REGISTER, NAMES_A);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_str_eq(callf(cast.world, cast.admin, UPDATE_MACHINE,
				       "{\"virtualMachineGuid\":\"" GUID_A "\",%s}", rows[i]),
				 "STATUS_INVALID_PARAMETER", "%s", rows[i]);
		SAY(cast.admin, DESCRIBE, NAMES_A);
		cr_assert_str_eq(reply_string(cast.world, "virtualMachine.name"), "");
		cr_assert_eq(reply_number(cast.world, "virtualMachine.registrations"), 1u);
	}
	cast.world->refuse_watch = true;
	cr_assert_str_eq(SAY(cast.admin, UPDATE_MACHINE,
			     "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"x\","
			     "\"agent\":{\"pid\":400},\"displayClients\":[{\"user\":\"bob\"}]}"),
			 "STATUS_INSUFFICIENT_RESOURCES");
	SAY(cast.admin, DESCRIBE, NAMES_A);
	cr_assert_str_eq(reply_string(cast.world, "virtualMachine.name"), "");
	cr_assert_eq(reply_number(cast.world, "virtualMachine.registrations"), 1u);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_CHANGED), 0u);
	cast_free(&cast);
}

Test(machine_life, the_last_virtual_gpu_takes_the_registrations_along)
{
	char first[64], second[64];
	Cast cast = cast_new();

	SAY(cast.admin, DESCRIBE, NAMES_A);
	strcpy(first, reply_string(cast.world, "virtualMachine.virtualGpus[0].virtualGpu"));
	SAY(cast.admin, ASSIGN, "{\"virtualMachineGuid\":\"" GUID_A "\",\"profile\":\"p\"}");
	strcpy(second, reply_string(cast.world, "virtualGpu"));
	SAY(cast.client, REGISTER, NAMES_A);
	cr_assert_str_eq(callf(cast.world, cast.admin, REMOVE, "{\"virtualGpu\":\"%s\"}", first),
			 SUCCESS);
	cr_assert_eq(EVENTS(EVENT_UNREGISTERED), 0u, "one is left");
	cr_assert_str_eq(callf(cast.world, cast.admin, REMOVE, "{\"virtualGpu\":\"%s\"}", first),
			 "STATUS_INVALID_HANDLE");
	cr_assert_str_eq(callf(cast.world, cast.admin, REMOVE, "{\"virtualGpu\":\"%s\"}", second),
			 SUCCESS);
	cr_assert_eq(world_last_event(cast.world, EVENT_UNREGISTERED)->reason,
		     END_LAST_VIRTUAL_GPU_REMOVED);
	cr_assert_str_eq(SAY(cast.client, REGISTER, NAMES_A), "STATUS_GRAPHICS_VAIL_STATE_CHANGED");
	cast_free(&cast);
}

Test(machine_life, a_vmm_that_nobody_logs_in_as_must_name_a_display_client)
{
	static const struct {
		const char *pid, *clients, *status;
	} rows[] = {
		{ "200", "", "STATUS_INVALID_PARAMETER" },
		{ "200", ",\"displayClients\":[]", "STATUS_INVALID_PARAMETER" },
		{ "200", ",\"displayClients\":null", "STATUS_INVALID_PARAMETER" },
		{ "200", ",\"displayClients\":[{\"user\":\"1001\"}]", SUCCESS },
		{ "300", "", SUCCESS },
		{ "300", ",\"displayClients\":[]", SUCCESS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Cast cast = cast_new_quiet();

		cr_assert_str_eq(callf(cast.world, cast.admin, REGISTER_MACHINE,
				       "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":%s%s}",
				       rows[i].pid, rows[i].clients),
				 rows[i].status, "row %zu", i);
		if (strcmp(rows[i].status, SUCCESS) != 0)
			cr_assert_str_eq(reply_string(cast.world, "parameter"), "displayClients");
		cast_free(&cast);
	}
}

/* What the display client is when nobody was named: the VMM then, not the VMM now. */
Test(machine_life, the_vmms_credentials_are_snapshotted)
{
	Cast cast = cast_new_quiet();

	SAY(cast.admin, REGISTER_MACHINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":300}");
	SAY(cast.admin, ASSIGN, NAMES_A);
	process_set_groups(cast.viewer, 1000, 1, (gid_t[]){ 27 });
	Caller *now = world_connect(cast.world, cast.viewer);
	cr_assert_str_eq(SAY(now, REGISTER, NAMES_A), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(SAY(cast.admin, UPDATE_MACHINE,
			     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[]}"),
			 SUCCESS);
	cr_assert_str_eq(SAY(now, REGISTER, NAMES_A), SUCCESS);
	cast_free(&cast);
}

/* A user's groups, on the other hand, are looked up anew at each question. */
Test(machine_life, a_users_groups_are_looked_up_anew)
{
	Cast cast = cast_new();
	FakeUser *alice = &cast.world->users[1];
	gid_t *ids = malloc(2 * sizeof(*ids));

	ids[0] = 27;
	groups_deinit(&alice->credentials.groups);
	alice->credentials.groups = groups_take(ids, 1, 1000);
	cr_assert_str_eq(SAY(cast.client, REGISTER, NAMES_A), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(world_last_record(cast.world)->reason, "groups");
	process_set_groups(cast.viewer, 1000, 1, (gid_t[]){ 27 });
	cr_assert_str_eq(SAY(world_connect(cast.world, cast.viewer), REGISTER, NAMES_A), SUCCESS);
	alice->evidence = EVIDENCE_UNREADABLE;
	FakeProcess *second = world_process(cast.world, 301, 1000);
	cr_assert_str_eq(SAY(world_connect(cast.world, second), REGISTER, NAMES_A),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(world_last_record(cast.world)->reason, "unreadable");
	cast_free(&cast);
}

/* Asked again, the VMM need not name a display client that it named before. */
Test(machine_life, the_same_again_names_no_display_client)
{
	static const char again[] = "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200}";
	Cast cast = cast_new();

	cr_assert_str_eq(SAY(cast.admin, REGISTER_MACHINE, again), SUCCESS);
	cr_assert_str_eq(reply_string(cast.world, "virtualMachine.displayClients[0].user"),
			 "alice");
	SAY(cast.admin, UNREGISTER_MACHINE, NAMES_A);
	cr_assert_str_eq(SAY(cast.admin, REGISTER_MACHINE, again), "STATUS_INVALID_PARAMETER");
	cast_free(&cast);
}

Test(machine_life, an_update_of_one_that_has_just_ended)
{
	Cast cast = cast_new();

	world_kill(cast.world, cast.vmm); /* and the daemon was not told */
	cr_assert_str_eq(SAY(cast.admin, UPDATE_MACHINE,
			     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[]}"),
			 "STATUS_NOT_FOUND");
	cast_free(&cast);
}

/* However many, and however long their profiles: an operator's list of VMs is not to break on one.
 */
Test(machine_life, a_full_vm_fits_into_one_reply)
{
	Cast cast = cast_new();
	char profile[LIMIT_NAME_LENGTH * 6 + 1] = "";

	for (size_t i = 0; i < LIMIT_NAME_LENGTH; i++)
		strcat(profile, "\\u0001");
	for (size_t i = 1; i < LIMIT_VIRTUAL_GPUS_OF_MACHINE; i++)
		cr_assert_str_eq(callf(cast.world, cast.admin, ASSIGN,
				       "{\"virtualMachineGuid\":\"" GUID_A "\",\"profile\":\"%s\"}",
				       profile),
				 "STATUS_SUCCESS", "%zu", i);
	cr_assert_str_eq(call(cast.world, cast.admin, ASSIGN, NAMES_A), "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(cast.world, "limit"), "virtualGpusPerMachine");
	cr_assert_eq(reply_number(cast.world, "maximum"), LIMIT_VIRTUAL_GPUS_OF_MACHINE);
	cr_assert_str_eq(call(cast.world, cast.admin, LIST_MACHINES, NULL), "STATUS_SUCCESS");
	cr_assert_eq(reply_count(cast.world, "virtualMachines[0].virtualGpus"),
		     LIMIT_VIRTUAL_GPUS_OF_MACHINE);
	cast_free(&cast);
}
