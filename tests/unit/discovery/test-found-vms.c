/* SPDX-License-Identifier: MIT */
/*
 * Tests VMs that vaild has found: nobody may register for them, requests do not change them, an
 * operator's registration takes them over, and a restart keeps them.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/discovery/machine-adopt.h"
#include "tests/support/drop-in-fixture.h"
#include "tests/support/fake-share.h"

#define SUCCESS   "STATUS_SUCCESS"
#define DENIED    "STATUS_ACCESS_DENIED"
#define COLLISION "STATUS_OBJECT_NAME_COLLISION"
#define REFUSED   "STATUS_NOT_SUPPORTED"

#define CALL(...)       call(fixture.fake_host, __VA_ARGS__)
#define TEXT(member)    reply_string(fixture.fake_host, "virtualMachine." member)
#define NUMBER(member)  reply_number(fixture.fake_host, "virtualMachine." member)
#define A_WITH(members) "{\"virtualMachineGuid\":\"" GUID_A "\"," members "}"

static HostFixture fixture;
static DropIns drop_ins;
static MachineTable table;

static void set_up(void)
{
	fixture = host_fixture_new_quiet();
	drop_ins = DROP_INS_INIT;
	machine_table_init(&table);
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
	drop_ins_deinit(&drop_ins);
	machine_table_deinit(&table);
}

TestSuite(found_vms, .init = set_up, .fini = tear_down);

static Broker *broker(void)
{
	return fixture.fake_host->service.broker;
}

/* Makes the machine with GUID_A and this leader the only one of the table. */
static const KnownMachine *machine_of(pid_t leader)
{
	MachineFacts facts = { .class = "vm", .id_size = 16, .leader = (uint32_t)leader };
	Guid guid;

	guid_parse(GUID_A, &guid);
	facts.id = guid.bytes;
	machine_table_begin(&table);
	machine_table_list(&table, "qemu-3-guest", "vm", "/machine/guest");
	machine_table_end(&table);
	machine_table_outdated(&table);
	machine_table_ask(&table);
	machine_table_answer(&table, "qemu-3-guest", &facts);
	return machine_table_first(&table);
}

static void end_all(void)
{
	while (broker_end_some(broker(), UINT64_MAX))
		;
	broker_check(broker());
}

/* Finds GUID_A with the VMM of the fixture. */
static void find(void)
{
	const KnownMachine *machine = machine_of(200);

	cr_assert_eq(machine_next_step(broker(), &machine->found), MACHINE_STEP_ADD);
	cr_assert_eq(machine_adopt(&fixture.fake_host->service.store, machine, fixture.vmm->key),
		     STATUS_SUCCESS);
	cr_assert_eq(machine_next_step(broker(), &machine->found), MACHINE_STEP_NONE);
	broker_check(broker());
}

static const char *source(void)
{
	return strcmp(CALL(fixture.admin, DESCRIBE, NAMES_A), SUCCESS) == 0 ? TEXT("source") : "";
}

Test(found_vms, nobody_may_register_not_even_with_the_vmms_credentials)
{
	size_t reads = fixture.fake_host->credential_reads;

	find();
	cr_assert_eq(fixture.fake_host->credential_reads, reads, "nothing of the leader is read");
	cr_assert_str_eq(source(), "machined");
	cr_assert_str_eq(TEXT("name"), "guest");
	cr_assert_str_eq(TEXT("displayClientsSource"), "nobody");
	cr_assert_eq(NUMBER("vmmPid"), 200u);
	cr_assert_eq(NUMBER("registeredByUid"), UINT64_MAX);
	cr_assert_str_eq(CALL(fixture.admin, ASSIGN, NAMES_A), SUCCESS);
	cr_assert_str_eq(CALL(fixture.machine, REGISTER, NAMES_A), DENIED);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), DENIED);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER, NAMES_A), DENIED);
}

Test(found_vms, only_a_drop_in_gives_access)
{
	static const char *const alice[] = {
		"{\"name\":\"guest\",\"displayClients\":[{\"user\":\"alice\"}],"
		"\"agent\":{\"user\":\"bob\"}}"
	};

	set_drop_ins(fixture.fake_host, &drop_ins, alice, 1);
	find();
	CALL(fixture.admin, ASSIGN, NAMES_A);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(CALL(fixture.stranger, REGISTER, NAMES_A), DENIED);
	cr_assert_str_eq(source(), "machined");
	cr_assert_str_eq(TEXT("agent.user"), "bob");
	set_drop_ins(fixture.fake_host, &drop_ins, NULL, 0);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), DENIED);
	cr_assert_str_eq(source(), "machined");
	cr_assert_str_eq(TEXT("displayClientsSource"), "nobody");
	cr_assert_str_eq(CALL(fixture.machine, REGISTER, NAMES_A), DENIED);
}

Test(found_vms, requests_do_not_change_them)
{
	find();
	cr_assert_str_eq(CALL(fixture.admin, UNREGISTER_MACHINE, NAMES_A), REFUSED);
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE,
			      A_WITH("\"displayClients\":[{\"user\":\"alice\"}]")),
			 REFUSED);
	cr_assert_str_eq(CALL(fixture.client, UNREGISTER_MACHINE, NAMES_A), DENIED);
	cr_assert_str_eq(source(), "machined");
	cr_assert_str_eq(TEXT("displayClientsSource"), "nobody");
}

/* An ordinary user's registration of the GUID is a collision, as with any other VM. */
Test(found_vms, users_do_not_take_them_over)
{
	find();
	fixture.fake_host->service.settings.allow_user_machines = true;
	cr_assert_str_eq(CALL(fixture.client, REGISTER_MACHINE, NAMES_A), COLLISION);
	cr_assert_str_eq(source(), "machined");
}

Test(found_vms, an_operator_takes_them_over_and_they_keep_their_registrations)
{
	static const char *const alice[] = { "{\"virtualMachineGuid\":\"" GUID_A
					     "\",\"displayClients\":[{\"user\":\"alice\"}]}" };

	set_drop_ins(fixture.fake_host, &drop_ins, alice, 1);
	find();
	CALL(fixture.admin, ASSIGN, NAMES_A);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":200,\"displayClients\":[{\"user\":\"alice\"}]")),
			 SUCCESS);
	broker_check(broker());
	cr_assert_str_eq(source(), "api");
	cr_assert_str_eq(TEXT("displayClientsSource"), "api");
	cr_assert_str_eq(TEXT("name"), "guest");
	cr_assert_eq(NUMBER("registrations"), 1u);
	cr_assert_eq(NUMBER("registeredByUid"), 0u);
	/* Now the registration wins over what machined says. */
	cr_assert_eq(machine_next_step(broker(), &machine_of(300)->found), MACHINE_STEP_NONE);
	machine_table_begin(&table);
	machine_table_end(&table);
	cr_assert_eq(machines_end_lost(broker(), &table), 0u);
	cr_assert_str_eq(CALL(fixture.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
}

Test(found_vms, an_operator_names_another_vmm_than_machined)
{
	FakeProcess *qemu = fake_host_process(fixture.fake_host, 500, 64055);
	Caller *qemus = fake_host_connect(fixture.fake_host, qemu);

	find();
	CALL(fixture.admin, ASSIGN, NAMES_A);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":500,\"displayClients\":[{\"user\":\"alice\"}]")),
			 SUCCESS);
	cr_assert_str_eq(source(), "api");
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	cr_assert_eq(reply_count(fixture.fake_host, "virtualMachine.virtualGpus"), 1u);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), SUCCESS);
	/* The leader has no part in the VM any more. */
	fake_host_exit(fixture.fake_host, fixture.vmm);
	cr_assert_str_eq(source(), "api");
	fake_host_restart(fixture.fake_host);
	cr_assert_str_eq(source(), "api");
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	cr_assert_eq(NUMBER("registrations"), 1u);
	fake_host_exit(fixture.fake_host, qemu);
	end_all();
	cr_assert_str_eq(source(), "");
	(void)qemus;
}

#define FOR_GUEST(members) "{\"name\":\"guest\"," members "}"
#define SET(...)                                                                         \
	set_drop_ins(fixture.fake_host, &drop_ins, (const char *const[]){ __VA_ARGS__ }, \
		     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static const char *take_over(const char *members)
{
	return callf(fixture.fake_host, fixture.admin, REGISTER_MACHINE,
		     "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200%s}", members);
}

/* Without a name in the call, the VM keeps its name, and so what the drop-ins for it give. */
Test(found_vms, a_take_over_without_a_name_keeps_the_drop_ins_for_the_name)
{
	SET(FOR_GUEST("\"displayClients\":[{\"user\":\"alice\"}],\"agent\":{\"user\":\"bob\"}"));
	find();
	CALL(fixture.admin, ASSIGN, NAMES_A);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(take_over(""), SUCCESS);
	cr_assert_str_eq(source(), "api");
	cr_assert_str_eq(TEXT("name"), "guest");
	cr_assert_str_eq(TEXT("displayClientsSource"), "dropIn");
	cr_assert_str_eq(TEXT("displayClients[0].user"), "alice");
	cr_assert_str_eq(TEXT("agent.user"), "bob");
	cr_assert_eq(NUMBER("registrations"), 1u);
	broker_check(broker());
}

/* A new VM of the other name would have no agent, either. */
Test(found_vms, a_take_over_with_another_name_leaves_the_agent_of_the_drop_in)
{
	SET(FOR_GUEST("\"agent\":{\"user\":\"bob\"}"));
	find();
	cr_assert_str_eq(source(), "machined");
	cr_assert_str_eq(TEXT("agent.user"), "bob");
	cr_assert_str_eq(take_over(",\"name\":\"other\",\"displayClients\":[{\"user\":\"alice\"}]"),
			 SUCCESS);
	cr_assert_str_eq(source(), "api");
	cr_assert_str_eq(TEXT("name"), "other");
	cr_assert_str_eq(TEXT("agent.user"), "");
	fake_host_restart(fixture.fake_host);
	cr_assert_str_eq(source(), "api");
	cr_assert_str_eq(TEXT("agent.user"), "");
}

/* Only the drop-in for root's VMs requires sealed memory, and the operator is not root. */
Test(found_vms, a_take_over_chooses_drop_ins_for_the_operator)
{
	FakeProcess *process = fake_host_process(fixture.fake_host, 600, 1001);
	Caller *operator_caller = fake_host_connect(fixture.fake_host, process);
	Guid guid;

	operator_caller->is_operator = true;
	SET(FOR_GUEST("\"registeredBy\":\"0\",\"requireSealedMemory\":true"));
	find();
	guid_parse(GUID_A, &guid);
	cr_assert(vm_find(broker(), &guid)->requires_sealed_memory);
	cr_assert_str_eq(call(fixture.fake_host, operator_caller, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":200,\"displayClients\":[{\"user\":\"alice\"}]")),
			 SUCCESS);
	cr_assert_not(vm_find(broker(), &guid)->requires_sealed_memory);
}

/* The record is not written, so nothing changes, and the operator can repeat the request. */
Test(found_vms, a_failed_take_over_changes_nothing)
{
	find();
	char *before = fake_host_snapshot(fixture.fake_host, fixture.admin);
	fixture.fake_host->refuse_persist = true;
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":300,\"displayClients\":[{\"user\":\"alice\"}]")),
			 "STATUS_INSUFFICIENT_RESOURCES");
	fixture.fake_host->refuse_persist = false;
	char *after = fake_host_snapshot(fixture.fake_host, fixture.admin);
	cr_assert_str_eq(before, after);
	free(before);
	free(after);
	broker_check(broker());
}

Test(found_vms, a_restart_keeps_them_with_their_registrations)
{
	static const char *const alice[] = { "{\"virtualMachineGuid\":\"" GUID_A
					     "\",\"displayClients\":[{\"user\":\"alice\"}]}" };

	set_drop_ins(fixture.fake_host, &drop_ins, alice, 1);
	find();
	CALL(fixture.admin, ASSIGN, NAMES_A);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), SUCCESS);
	fake_host_restart(fixture.fake_host);
	cr_assert_str_eq(source(), "machined");
	cr_assert_eq(NUMBER("registrations"), 1u);
	cr_assert_str_eq(CALL(fixture.admin, UNREGISTER_MACHINE, NAMES_A), REFUSED);
	cr_assert_eq(machine_next_step(broker(), &machine_of(200)->found), MACHINE_STEP_NONE);
	cr_assert_eq(machines_end_lost(broker(), &table), 0u, "the first list finds it again");
}

Test(found_vms, they_end_when_machined_does_not_list_them)
{
	find();
	machine_table_begin(&table);
	machine_table_end(&table);
	cr_assert_eq(machines_end_lost(broker(), &table), 1u);
	cr_assert_eq(machine_next_step(broker(), &machine_of(200)->found), MACHINE_STEP_WAIT);
	end_all();
	cr_assert_str_eq(source(), "");
	cr_assert_eq(machine_next_step(broker(), &table.machines.rbh_root->found),
		     MACHINE_STEP_ADD);
}

/* After a restart, machined may refuse to tell the properties of a machine. */
Test(found_vms, they_stay_as_long_as_machined_has_not_told_about_all)
{
	find();
	machine_table_deinit(&table);
	machine_table_init(&table);
	machine_table_begin(&table);
	machine_table_list(&table, "qemu-3-guest", "vm", "/machine/guest");
	machine_table_end(&table);
	machine_table_ask(&table);
	machine_table_answer(&table, "qemu-3-guest", NULL);
	cr_assert(machine_table_is_complete(&table));
	cr_assert_eq(machines_end_lost(broker(), &table), 0u);
	cr_assert_str_eq(source(), "machined");
}

Test(found_vms, they_stay_if_the_list_is_longer_than_the_table)
{
	char name[16];

	find();
	machine_table_begin(&table);
	for (int i = 0; i <= MACHINES_MAX; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		machine_table_list(&table, name, "vm", "/machine/x");
	}
	machine_table_end(&table);
	while (machine_table_ask(&table))
		;
	for (int i = 0; i <= MACHINES_MAX; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		machine_table_answer(&table, name, &(MachineFacts){ .class = "vm" });
	}
	cr_assert_eq(table.left_out, 1u);
	cr_assert_eq(machines_end_lost(broker(), &table), 0u);
	cr_assert_str_eq(source(), "machined");
}

Test(found_vms, they_end_when_their_leader_is_another_process)
{
	find();
	cr_assert_eq(machine_next_step(broker(), &machine_of(300)->found), MACHINE_STEP_REPLACE);
	cr_assert_eq(machines_end_lost(broker(), &table), 1u);
	end_all();
	find();
	fake_host_exit(fixture.fake_host, fixture.vmm);
	end_all();
	cr_assert_str_eq(source(), "", "the exit of the leader ends them, too");
}

/* Users choose the GUIDs of their VMs freely, so theirs make room unless the leader is theirs. */
Test(found_vms, the_vm_of_a_user_makes_room_unless_it_has_the_leader)
{
	fixture.fake_host->service.settings.allow_user_machines = true;
	cr_assert_str_eq(CALL(fixture.client, REGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert_eq(machine_next_step(broker(), &machine_of(200)->found), MACHINE_STEP_DISPLACE);
	cr_assert_eq(machine_next_step(broker(), &machine_of(300)->found), MACHINE_STEP_NONE);
}

/* The user could register the GUID again between the end of one VM and the other. */
Test(found_vms, the_vm_of_a_user_leaves_no_moment_without_a_vm)
{
	const KnownMachine *machine = machine_of(200);

	fixture.fake_host->service.settings.allow_user_machines = true;
	cr_assert_str_eq(CALL(fixture.client, REGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert_eq(machine_adopt(&fixture.fake_host->service.store, machine, fixture.vmm->key),
		     STATUS_SUCCESS);
	cr_assert_str_eq(CALL(fixture.client, REGISTER_MACHINE, NAMES_A), COLLISION);
	cr_assert_eq(machine_next_step(broker(), &machine->found), MACHINE_STEP_NONE);
	cr_assert_str_eq(source(), "machined");
	cr_assert_eq(NUMBER("vmmPid"), 200u);
	cr_assert_eq(fake_host_events(fixture.fake_host, EVENT_VIRTUAL_MACHINE_REMOVED), 1u);
	fake_host_restart(fixture.fake_host);
	cr_assert_str_eq(source(), "machined");
}

/* The user's VM ends only when the found one is persisted. */
Test(found_vms, the_vm_of_a_user_stays_if_the_found_one_cannot_be_added)
{
	const KnownMachine *machine = machine_of(200);

	fixture.fake_host->service.settings.allow_user_machines = true;
	cr_assert_str_eq(CALL(fixture.client, REGISTER_MACHINE, NAMES_A), SUCCESS);
	fixture.fake_host->refuse_persist = true;
	cr_assert_neq(machine_adopt(&fixture.fake_host->service.store, machine, fixture.vmm->key),
		      STATUS_SUCCESS);
	fixture.fake_host->refuse_persist = false;
	cr_assert_str_eq(source(), "api");
	broker_check(broker());
}

/* Found VMs count as root's. Those beyond the limit are refused, and none of them is half there. */
Test(found_vms, the_limit_of_vms_holds)
{
	const KnownMachine *machine = machine_of(200);
	Store *store = &fixture.fake_host->service.store;

	broker()->accounts.limits.per_uid[LIMIT_VIRTUAL_MACHINES] = 0;
	cr_assert_eq(machine_adopt(store, machine, fixture.vmm->key), STATUS_QUOTA_EXCEEDED);
	cr_assert_str_eq(source(), "");
	broker()->accounts.limits.per_uid[LIMIT_VIRTUAL_MACHINES] = 1;
	find();
	/* Taking it over adds no VM. */
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":200,\"displayClients\":[{\"user\":\"alice\"}]")),
			 SUCCESS);
	broker_check(broker());
}
