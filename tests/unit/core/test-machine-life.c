/* SPDX-License-Identifier: MIT */
/* Registration, collision, displacement, update and end of virtual machines. */
#include <criterion/criterion.h>
#include <stdlib.h>
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

/* Replaces the fixture, which has a VM, by one without. */
static void set_up_without_vm(void)
{
	tear_down();
	fixture = host_fixture_new_quiet();
}

TestSuite(machine_life, .init = set_up, .fini = tear_down);

#define SUCCESS "STATUS_SUCCESS"
#define WITH_VMM(pid)                                                \
	"{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":" pid "," \
	"\"displayClients\":[{\"user\":\"alice\"}]}"
#define CALL(...)    call(fixture.fake_host, __VA_ARGS__)
#define EVENTS(kind) fake_host_events(fixture.fake_host, (kind))

Test(machine_life, a_repeated_registration_changes_nothing)
{
	size_t events = fixture.fake_host->event_count, records = fixture.fake_host->record_count;

	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"vmmPid\":200,\"name\":\"new\","
			      "\"displayClients\":[{\"user\":\"bob\"}]}"),
			 SUCCESS);
	cr_assert_str_eq(reply_string(fixture.fake_host, "virtualMachine.name"), "");
	cr_assert_str_eq(reply_string(fixture.fake_host, "virtualMachine.displayClients[0].user"),
			 "alice");
	cr_assert_eq(reply_number(fixture.fake_host, "virtualMachine.displayClients[0].uid"),
		     1000u);
	cr_assert_eq(reply_count(fixture.fake_host, "virtualMachine.virtualGpus"), 1u);
	cr_assert_eq(fixture.fake_host->event_count, events);
	cr_assert_eq(fixture.fake_host->record_count, records);
}

/* A client may send back what it has read, but only the name says who the user is. */
Test(machine_life, the_uid_of_a_display_client_in_a_request_is_ignored)
{
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":"
			      "[{\"user\":\"alice\",\"uid\":7}]}"),
			 SUCCESS);
	cr_assert_eq(reply_number(fixture.fake_host, "virtualMachine.displayClients[0].uid"),
		     1000u);
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":"
			      "[{\"uid\":1000}]}"),
			 "STATUS_INVALID_PARAMETER");
}

Test(machine_life, a_registration_by_a_stranger_collides)
{
	fixture.fake_host->service.settings.allow_user_machines = true;
	cr_assert_str_eq(CALL(fixture.client, REGISTER_MACHINE, NAMES_A),
			 "STATUS_OBJECT_NAME_COLLISION");
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_ADDED), 1u);
}

Test(machine_life, a_vm_whose_vmm_is_found_dead_is_replaced)
{
	CALL(fixture.client, REGISTER, NAMES_A);
	fake_host_kill(fixture.fake_host, fixture.vmm); /* without notifying the daemon */
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, WITH_VMM("100")), SUCCESS);
	cr_assert_eq(reply_number(fixture.fake_host, "virtualMachine.vmmPid"), 100u);
	cr_assert_eq(reply_number(fixture.fake_host, "virtualMachine.registrations"), 0u);
	cr_assert_eq(fake_host_last_event(fixture.fake_host, EVENT_UNREGISTERED)->reason,
		     END_VMM_EXITED);
	cr_assert_not(fixture.vmm->watched);
	fake_host_report_exits(fixture.fake_host);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_REMOVED), 1u);
}

Test(machine_life, the_exit_of_the_vmm_ends_the_vm_and_all_that_belongs_to_it)
{
	CALL(fixture.admin, ASSIGN, NAMES_A);
	CALL(fixture.client, REGISTER, NAMES_A);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	cr_assert_eq(EVENTS(EVENT_UNREGISTERED), 1u);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_GPU_REMOVED), 2u);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_REMOVED), 1u);
	cr_assert_eq(fake_host_last_event(fixture.fake_host, EVENT_VIRTUAL_MACHINE_REMOVED)->reason,
		     END_VMM_EXITED);
	cr_assert_not(fixture.viewer->watched,
		      "the display client is watched although it is not registered");
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), "STATUS_NOT_FOUND");
	cr_assert_str_eq(CALL(fixture.admin, LIST_REGISTRATIONS, NULL), SUCCESS);
	cr_assert_eq(reply_count(fixture.fake_host, "registrations"), 0u);
}

Test(machine_life, a_vmm_can_run_several_vms)
{
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":200,"
			      "\"displayClients\":[{\"user\":\"alice\"}]}"),
			 SUCCESS);
	CALL(fixture.admin, ASSIGN, NAMES_B);
	CALL(fixture.client, REGISTER, NAMES_A);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_B), SUCCESS);
	cr_assert_str_eq(CALL(fixture.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert(fixture.vmm->watched, "the VMM is not watched although it runs another VM");
	CALL(fixture.client, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(fixture.fake_host, "registrations"), 1u);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	CALL(fixture.client, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(fixture.fake_host, "registrations"), 0u);
}

Test(machine_life, the_exit_of_a_process_with_several_roles_ends_all_of_them,
     .init = set_up_without_vm)
{
	/* The viewer is VMM, display client and agent, is registered twice and has a context. */
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":300,"
			      "\"displayClients\":[{\"pid\":300}],\"agent\":{\"pid\":300}}"),
			 SUCCESS);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":200,"
			      "\"displayClients\":[{\"pid\":300}],\"agent\":{\"pid\":300}}"),
			 SUCCESS);
	CALL(fixture.admin, ASSIGN, NAMES_A);
	CALL(fixture.admin, ASSIGN, NAMES_B);
	CALL(fixture.client, CREATE_CONTEXT, NULL);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_B), SUCCESS);
	broker_check(fixture.fake_host->service.broker);
	fake_host_exit(fixture.fake_host, fixture.viewer);
	broker_check(fixture.fake_host->service.broker);
	cr_assert_not(fixture.viewer->watched);
	cr_assert_str_eq(CALL(fixture.admin, DESCRIBE, NAMES_A), "STATUS_NOT_FOUND");
	cr_assert_str_eq(CALL(fixture.admin, DESCRIBE, NAMES_B), SUCCESS);
	cr_assert_null(reply_value(fixture.fake_host, "virtualMachine.agent"));
	cr_assert_eq(reply_number(fixture.fake_host, "virtualMachine.registrations"), 0u);
	cr_assert_eq(EVENTS(EVENT_GPU_PROCESS_REMOVED), 1u);
}

Test(machine_life, an_operators_vm_displaces_a_users, .init = set_up_without_vm)
{
	fixture.fake_host->service.settings.allow_user_machines = true;
	cr_assert_str_eq(CALL(fixture.client, REGISTER_MACHINE, NAMES_A), SUCCESS);
	CALL(fixture.client, ASSIGN, NAMES_A);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, WITH_VMM("200")), SUCCESS);
	cr_assert_eq(reply_number(fixture.fake_host, "virtualMachine.registeredByUid"), 0u);
	cr_assert_eq(reply_count(fixture.fake_host, "virtualMachine.virtualGpus"), 0u);
	cr_assert_eq(fake_host_last_event(fixture.fake_host, EVENT_UNREGISTERED)->reason,
		     END_VM_DISPLACED);
	cr_assert_eq(fake_host_last_event(fixture.fake_host, EVENT_VIRTUAL_MACHINE_REMOVED)->reason,
		     END_VM_DISPLACED);
	cr_assert_str_eq(CALL(fixture.client, REGISTER_MACHINE, NAMES_A),
			 "STATUS_OBJECT_NAME_COLLISION", "a user's VM displaces an operator's");
	cr_assert_str_eq(CALL(fixture.client, UNREGISTER_MACHINE, NAMES_A), "STATUS_ACCESS_DENIED");
}

Test(machine_life, a_failed_displacement_keeps_the_old_vm, .init = set_up_without_vm)
{
	fixture.fake_host->service.settings.allow_user_machines = true;
	CALL(fixture.client, REGISTER_MACHINE, NAMES_A);
	fixture.fake_host->refuse_watch = true;
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, WITH_VMM("200")),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_str_eq(CALL(fixture.client, DESCRIBE, NAMES_A), SUCCESS);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_REMOVED), 0u);
}

Test(machine_life, an_update_ends_registrations_that_no_longer_match)
{
	CALL(fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\","
	     "\"displayClients\":[{\"user\":\"alice\"},{\"pid\":400}]}");
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(CALL(fixture.stranger, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"n\"}"),
			 SUCCESS);
	cr_assert_eq(reply_number(fixture.fake_host, "virtualMachine.registrations"), 2u,
		     "an update without display clients ended a registration");
	cr_assert_eq(reply_count(fixture.fake_host, "virtualMachine.displayClients"), 2u);
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\","
			      "\"displayClients\":[{\"user\":\"bob\"}]}"),
			 SUCCESS);
	cr_assert_eq(reply_number(fixture.fake_host, "virtualMachine.registrations"), 1u);
	cr_assert_str_eq(reply_string(fixture.fake_host, "virtualMachine.name"), "n");
	const FakeEvent *event = fake_host_last_event(fixture.fake_host, EVENT_UNREGISTERED);
	cr_assert_eq(event->pid, 300);
	cr_assert_eq(event->reason, END_PRIVILEGES_CHANGED);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), "STATUS_ACCESS_DENIED");
}

Test(machine_life, an_update_that_fails_changes_nothing)
{
	static const char *const rows[] = {
		"\"name\":\"x\",\"agent\":{\"pid\":99999}", "\"name\":\"x\",\"agent\":{}",
		"\"name\":\"x\",\"displayClients\":[{\"user\":\"bob\"},{\"user\":\"nobody\"}]",
		"\"name\":\"x\",\"displayClients\":[]", /* the VMM is no login user */
	};

	CALL(fixture.client, REGISTER, NAMES_A);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_str_eq(callf(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
				       "{\"virtualMachineGuid\":\"" GUID_A "\",%s}", rows[i]),
				 "STATUS_INVALID_PARAMETER", "%s", rows[i]);
		CALL(fixture.admin, DESCRIBE, NAMES_A);
		cr_assert_str_eq(reply_string(fixture.fake_host, "virtualMachine.name"), "");
		cr_assert_eq(reply_number(fixture.fake_host, "virtualMachine.registrations"), 1u);
	}
	fixture.fake_host->refuse_watch = true;
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"x\","
			      "\"agent\":{\"pid\":400},\"displayClients\":[{\"user\":\"bob\"}]}"),
			 "STATUS_INSUFFICIENT_RESOURCES");
	CALL(fixture.admin, DESCRIBE, NAMES_A);
	cr_assert_str_eq(reply_string(fixture.fake_host, "virtualMachine.name"), "");
	cr_assert_eq(reply_number(fixture.fake_host, "virtualMachine.registrations"), 1u);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_CHANGED), 0u);
}

Test(machine_life, the_removal_of_the_last_virtual_gpu_ends_the_registrations)
{
	char first[64], second[64];

	CALL(fixture.admin, DESCRIBE, NAMES_A);
	strcpy(first, reply_string(fixture.fake_host, "virtualMachine.virtualGpus[0].virtualGpu"));
	CALL(fixture.admin, ASSIGN, "{\"virtualMachineGuid\":\"" GUID_A "\",\"profile\":\"p\"}");
	strcpy(second, reply_string(fixture.fake_host, "virtualGpu"));
	CALL(fixture.client, REGISTER, NAMES_A);
	cr_assert_str_eq(
		callf(fixture.fake_host, fixture.admin, REMOVE, "{\"virtualGpu\":\"%s\"}", first),
		SUCCESS);
	cr_assert_eq(EVENTS(EVENT_UNREGISTERED), 0u,
		     "a registration ended although the VM has a vGPU");
	cr_assert_str_eq(
		callf(fixture.fake_host, fixture.admin, REMOVE, "{\"virtualGpu\":\"%s\"}", first),
		"STATUS_INVALID_HANDLE");
	cr_assert_str_eq(
		callf(fixture.fake_host, fixture.admin, REMOVE, "{\"virtualGpu\":\"%s\"}", second),
		SUCCESS);
	cr_assert_eq(fake_host_last_event(fixture.fake_host, EVENT_UNREGISTERED)->reason,
		     END_LAST_VIRTUAL_GPU_REMOVED);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A),
			 "STATUS_GRAPHICS_VAIL_STATE_CHANGED");
}

Test(machine_life, a_vmm_that_is_not_a_login_user_must_name_a_display_client)
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
		set_up_without_vm();
		cr_assert_str_eq(callf(fixture.fake_host, fixture.admin, REGISTER_MACHINE,
				       "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":%s%s}",
				       rows[i].pid, rows[i].clients),
				 rows[i].status, "row %zu", i);
		if (strcmp(rows[i].status, SUCCESS) != 0)
			cr_assert_str_eq(reply_string(fixture.fake_host, "parameter"),
					 "displayClients");
	}
}

/* If no display client is named, its privileges are those of the VMM at registration. */
Test(machine_life, the_vmms_credentials_are_read_at_registration, .init = set_up_without_vm)
{
	CALL(fixture.admin, REGISTER_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":300}");
	CALL(fixture.admin, ASSIGN, NAMES_A);
	process_set_groups(fixture.viewer, 1000, 1, (gid_t[]){ 27 });
	Caller *now = fake_host_connect(fixture.fake_host, fixture.viewer);
	cr_assert_str_eq(CALL(now, REGISTER, NAMES_A), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[]}"),
			 SUCCESS);
	cr_assert_str_eq(CALL(now, REGISTER, NAMES_A), SUCCESS);
}

/* The VMM's credentials, in contrast, are read at registration. */
Test(machine_life, a_users_groups_are_looked_up_for_each_registration)
{
	FakeUser *alice = &fixture.fake_host->users[1];
	gid_t *ids = malloc(2 * sizeof(*ids));

	ids[0] = 27;
	groups_deinit(&alice->credentials.groups);
	alice->credentials.groups = groups_take(ids, 1, 1000);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(fake_host_last_audit_record(fixture.fake_host)->reason, "groups");
	process_set_groups(fixture.viewer, 1000, 1, (gid_t[]){ 27 });
	cr_assert_str_eq(
		CALL(fake_host_connect(fixture.fake_host, fixture.viewer), REGISTER, NAMES_A),
		SUCCESS);
	alice->lookup = LOOKUP_UNREADABLE;
	FakeProcess *second = fake_host_process(fixture.fake_host, 301, 1000);
	cr_assert_str_eq(CALL(fake_host_connect(fixture.fake_host, second), REGISTER, NAMES_A),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(fake_host_last_audit_record(fixture.fake_host)->reason, "unreadable");
}

/* The first registration must name one, because the VMM is not a login user. */
Test(machine_life, a_repeated_registration_need_not_name_a_display_client)
{
	static const char again[] = "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200}";

	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, again), SUCCESS);
	cr_assert_str_eq(reply_string(fixture.fake_host, "virtualMachine.displayClients[0].user"),
			 "alice");
	CALL(fixture.admin, UNREGISTER_MACHINE, NAMES_A);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, again), "STATUS_INVALID_PARAMETER");
}

Test(machine_life, an_update_finds_that_the_vmm_is_dead)
{
	fake_host_kill(fixture.fake_host, fixture.vmm); /* without notifying the daemon */
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[]}"),
			 "STATUS_NOT_FOUND");
}

/* One such VM must not break an operator's list. */
Test(machine_life, a_vm_with_the_most_virtual_gpus_fits_into_one_reply)
{
	char profile[LIMIT_NAME_LENGTH * 6 + 1] = "";

	for (size_t i = 0; i < LIMIT_NAME_LENGTH; i++)
		strcat(profile, "\\u0001");
	for (size_t i = 1; i < LIMIT_VIRTUAL_GPUS_OF_MACHINE; i++)
		cr_assert_str_eq(callf(fixture.fake_host, fixture.admin, ASSIGN,
				       "{\"virtualMachineGuid\":\"" GUID_A "\",\"profile\":\"%s\"}",
				       profile),
				 "STATUS_SUCCESS", "%zu", i);
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, ASSIGN, NAMES_A),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(fixture.fake_host, "limit"), "virtualGpusPerMachine");
	cr_assert_eq(reply_number(fixture.fake_host, "maximum"), LIMIT_VIRTUAL_GPUS_OF_MACHINE);
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, LIST_MACHINES, NULL),
			 "STATUS_SUCCESS");
	cr_assert_eq(reply_count(fixture.fake_host, "virtualMachines[0].virtualGpus"),
		     LIMIT_VIRTUAL_GPUS_OF_MACHINE);
}
