/* SPDX-License-Identifier: MIT */
/* The hand-over of a running VM from its VMM to another process. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/dispatch.h"
#include "tests/support/fake-share.h"

#define SUCCESS   "STATUS_SUCCESS"
#define DENIED    "STATUS_ACCESS_DENIED"
#define COLLISION "STATUS_OBJECT_NAME_COLLISION"
#define NOT_FOUND "STATUS_NOT_FOUND"
#define INVALID   "STATUS_INVALID_PARAMETER"

#define A_WITH(members) "{\"virtualMachineGuid\":\"" GUID_A "\"," members "}"
#define CALL(...)       call(fixture.fake_host, __VA_ARGS__)
#define CALLF(...)      callf(fixture.fake_host, __VA_ARGS__)
#define EVENTS(kind)    fake_host_events(fixture.fake_host, (kind))
#define NUMBER(member)  reply_number(fixture.fake_host, "virtualMachine." member)
#define ABSENT          UINT64_MAX

/* GUID_A runs in vmm (200); alice's viewer (300) is registered for it. */
static HostFixture fixture;

/* Two further VMMs (500 and 600) and two agents (501 and 601), all of user 64055. */
static FakeProcess *second, *third, *second_agent, *third_agent;
static Caller *second_machine, *third_machine, *second_agents, *third_agents;

static void add_processes(void)
{
	second = fake_host_process(fixture.fake_host, 500, 64055);
	second_agent = fake_host_process(fixture.fake_host, 501, 64055);
	third = fake_host_process(fixture.fake_host, 600, 64055);
	third_agent = fake_host_process(fixture.fake_host, 601, 64055);
	second_machine = fake_host_connect(fixture.fake_host, second);
	second_agents = fake_host_connect(fixture.fake_host, second_agent);
	third_machine = fake_host_connect(fixture.fake_host, third);
	third_agents = fake_host_connect(fixture.fake_host, third_agent);
}

static void set_up(void)
{
	fixture = host_fixture_new_sharing();
	add_processes();
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
	fixture.fake_host->service.settings.allow_user_machines = true;
	add_processes();
}

TestSuite(hand_over, .init = set_up, .fini = tear_down);

static void begin(void)
{
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":500,\"agent\":{\"pid\":501}")),
			 SUCCESS);
}

static void describe(void)
{
	cr_assert_str_eq(CALL(fixture.admin, DESCRIBE, NAMES_A), SUCCESS);
	broker_check(fixture.fake_host->service.broker);
}

/* Shares an image of GUID_A. Returns the status. */
static const char *share_as(Caller *caller, char ret_handle[64])
{
	int fd = sealed_memory(fixture.fake_host);

	return share(fixture.fake_host, caller, IMAGE, &fd, 1, ret_handle);
}

static bool is_shared(const char *handle)
{
	Handle parsed;

	return handle_parse(handle, &parsed) &&
	       object_find_shared(fixture.fake_host->service.broker, &parsed);
}

static size_t store_entries(void)
{
	return fixture.fake_host->service.broker->accounts.used[LIMIT_STORE_ENTRIES];
}

static HandOver last_step(void)
{
	return fake_host_last_event(fixture.fake_host, EVENT_VIRTUAL_MACHINE_CHANGED)->hand_over;
}

/* ---- Beginning ---- */

Test(hand_over, the_incoming_vmm_is_shown_beside_the_vmm)
{
	begin();
	cr_assert_eq(NUMBER("vmmPid"), 200u);
	cr_assert_eq(NUMBER("incomingVmmPid"), 500u);
	cr_assert_eq(NUMBER("incomingAgent.pid"), 501u);
	cr_assert_null(reply_value(fixture.fake_host, "virtualMachine.agent"));
	cr_assert_eq(NUMBER("registrations"), 1u);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_CHANGED), 1u);
	cr_assert_eq(last_step(), HAND_OVER_BEGAN);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_ADDED), 1u);
}

Test(hand_over, the_settings_of_the_call_are_checked_but_not_used)
{
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":500,\"name\":\"new\","
				     "\"displayClients\":[{\"user\":\"bob\"}]")),
			 SUCCESS);
	cr_assert_str_eq(reply_string(fixture.fake_host, "virtualMachine.name"), "");
	cr_assert_str_eq(reply_string(fixture.fake_host, "virtualMachine.displayClients[0].user"),
			 "alice");
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":600,\"displayClients\":[{\"user\":\"nobody\"}]")),
			 INVALID);
	describe();
	cr_assert_eq(NUMBER("incomingVmmPid"), 500u);
}

Test(hand_over, the_same_incoming_vmm_again_changes_nothing)
{
	begin();
	size_t events = fixture.fake_host->event_count, records = fixture.fake_host->record_count;

	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":500,\"agent\":{\"pid\":601}")),
			 SUCCESS);
	cr_assert_eq(NUMBER("incomingAgent.pid"), 501u);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, A_WITH("\"vmmPid\":200")), SUCCESS);
	cr_assert_eq(NUMBER("incomingVmmPid"), 500u, "the VMM's own registration ended it");
	cr_assert_eq(fixture.fake_host->event_count, events);
	cr_assert_eq(fixture.fake_host->record_count, records);
}

Test(hand_over, a_newer_incoming_vmm_takes_the_place_of_an_earlier_one)
{
	char handle[64];

	begin();
	size_t entries = store_entries();
	cr_assert_str_eq(share_as(second_agents, NULL), SUCCESS);
	cr_assert_str_eq(share_as(second_machine, handle), SUCCESS);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":600,\"agent\":{\"pid\":601}")),
			 SUCCESS);
	cr_assert_eq(NUMBER("incomingVmmPid"), 600u);
	cr_assert_str_eq(share_as(second_machine, NULL), DENIED);
	cr_assert_str_eq(share_as(second_agents, NULL), DENIED);
	cr_assert(is_shared(handle), "an object ends with its process, not with the role");
	fake_host_exit(fixture.fake_host, second);
	fake_host_exit(fixture.fake_host, second_agent);
	cr_assert_not(is_shared(handle));
	describe();
	cr_assert_eq(NUMBER("incomingVmmPid"), 600u, "the end of the former one concerns nobody");
	cr_assert_eq(store_entries(), entries);
}

Test(hand_over, the_incoming_vmm_and_its_agent_may_share_at_once)
{
	cr_assert_not(caller_may_share(&fixture.fake_host->service, second_machine));
	cr_assert_str_eq(share_as(second_machine, NULL), DENIED);
	begin();
	cr_assert(caller_may_share(&fixture.fake_host->service, second_machine));
	cr_assert(caller_may_share(&fixture.fake_host->service, second_agents));
	cr_assert_str_eq(share_as(second_machine, NULL), SUCCESS);
	cr_assert_str_eq(share_as(second_agents, NULL), SUCCESS);
	cr_assert_str_eq(share_as(fixture.machine, NULL), SUCCESS);
	cr_assert_str_eq(CALL(second_machine, DESCRIBE, NAMES_A), SUCCESS);
	cr_assert_str_eq(share_as(third_machine, NULL), DENIED);
}

Test(hand_over, the_agent_may_be_a_user)
{
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":500,\"agent\":{\"user\":\"bob\"}")),
			 SUCCESS);
	cr_assert_str_eq(reply_string(fixture.fake_host, "virtualMachine.incomingAgent.user"),
			 "bob");
	cr_assert(caller_may_share(&fixture.fake_host->service, fixture.stranger));
	cr_assert_str_eq(share_as(fixture.stranger, NULL), SUCCESS);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	cr_assert_str_eq(share_as(fixture.stranger, NULL), SUCCESS);
	describe();
	cr_assert_str_eq(reply_string(fixture.fake_host, "virtualMachine.agent.user"), "bob");
}

/* ---- Who may ---- */

Test(hand_over, anybody_else_collides)
{
	fixture.fake_host->service.settings.allow_user_machines = true;
	cr_assert_str_eq(CALL(fixture.client, REGISTER_MACHINE, NAMES_A), COLLISION);
	const FakeAuditRecord *record = fake_host_last_audit_record(fixture.fake_host);
	cr_assert_eq(record->status, STATUS_OBJECT_NAME_COLLISION);
	cr_assert_str_eq(record->method, REGISTER_MACHINE);
	describe();
	cr_assert_eq(NUMBER("incomingVmmPid"), ABSENT);
}

Test(hand_over, the_user_who_registered_the_vm_may_name_an_own_process, .init = set_up_without_vm)
{
	FakeProcess *next = fake_host_process(fixture.fake_host, 700, 1000);
	Caller *next_machine = fake_host_connect(fixture.fake_host, next);

	cr_assert_str_eq(CALL(fixture.client, REGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert_str_eq(CALL(fixture.client, REGISTER_MACHINE, A_WITH("\"vmmPid\":400")), INVALID);
	cr_assert_str_eq(CALL(fixture.stranger, REGISTER_MACHINE, NAMES_A), COLLISION);
	cr_assert_str_eq(CALL(next_machine, REGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert_eq(NUMBER("incomingVmmPid"), 700u);
	fake_host_exit(fixture.fake_host, fixture.viewer);
	describe();
	cr_assert_eq(NUMBER("vmmPid"), 700u);
	cr_assert_eq(NUMBER("registeredByUid"), 1000u);
}

Test(hand_over, an_operators_registration_displaces_a_users_vm_with_its_incoming_vmm,
     .init = set_up_without_vm)
{
	FakeProcess *next = fake_host_process(fixture.fake_host, 700, 1000);
	Caller *next_machine = fake_host_connect(fixture.fake_host, next);

	cr_assert_str_eq(CALL(fixture.client, REGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert_str_eq(CALL(next_machine, REGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":500,\"displayClients\":[{\"user\":\"alice\"}]")),
			 SUCCESS);
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	cr_assert_eq(NUMBER("incomingVmmPid"), ABSENT);
	cr_assert_eq(fake_host_last_event(fixture.fake_host, EVENT_VIRTUAL_MACHINE_REMOVED)->reason,
		     END_VM_DISPLACED);
	cr_assert_not(next->watched);
	cr_assert_str_eq(share_as(next_machine, NULL), DENIED);
}

Test(hand_over, each_step_has_a_record)
{
	begin();
	const FakeAuditRecord *record = fake_host_last_audit_record(fixture.fake_host);

	cr_assert_eq(record->status, STATUS_SUCCESS);
	cr_assert_str_eq(record->reason, "handOverBegan");
	fake_host_exit(fixture.fake_host, fixture.vmm);
	cr_assert_eq(last_step(), HAND_OVER_COMPLETED);
}

/* ---- The end ---- */

Test(hand_over, the_exit_of_the_vmm_hands_the_vm_over)
{
	char from_first[64], from_second[64];

	cr_assert_str_eq(share_as(fixture.machine, from_first), SUCCESS);
	begin();
	cr_assert_str_eq(share_as(second_agents, from_second), SUCCESS);
	describe();
	double since = (double)NUMBER("since");
	cr_assert_str_eq(CALL(fixture.admin, ASSIGN, NAMES_A), SUCCESS);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	describe();
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	cr_assert_eq(NUMBER("incomingVmmPid"), ABSENT);
	cr_assert_eq(NUMBER("agent.pid"), 501u);
	cr_assert_null(reply_value(fixture.fake_host, "virtualMachine.incomingAgent"));
	cr_assert_eq(NUMBER("registrations"), 1u);
	cr_assert_eq(reply_count(fixture.fake_host, "virtualMachine.virtualGpus"), 2u);
	cr_assert_eq((double)NUMBER("since"), since);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_REMOVED), 0u);
	cr_assert_eq(EVENTS(EVENT_UNREGISTERED), 0u);
	cr_assert_not(is_shared(from_first));
	cr_assert(is_shared(from_second));
	cr_assert_not(fixture.vmm->watched);
	cr_assert_str_eq(open_and_close_fds(fixture.fake_host, fixture.client, from_second, NULL),
			 SUCCESS);
	fake_host_exit(fixture.fake_host, second);
	cr_assert_str_eq(CALL(fixture.admin, DESCRIBE, NAMES_A), NOT_FOUND);
	cr_assert_eq(EVENTS(EVENT_UNREGISTERED), 1u);
}

Test(hand_over, a_vm_without_a_new_agent_keeps_its_agent)
{
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE, A_WITH("\"agent\":{\"pid\":601}")),
			 SUCCESS);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, A_WITH("\"vmmPid\":500")), SUCCESS);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	describe();
	cr_assert_eq(NUMBER("agent.pid"), 601u);
	cr_assert_str_eq(share_as(third_agents, NULL), SUCCESS);
}

Test(hand_over, the_new_agent_replaces_the_old_one_even_if_it_has_exited)
{
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE, A_WITH("\"agent\":{\"pid\":601}")),
			 SUCCESS);
	begin();
	cr_assert_str_eq(share_as(third_agents, NULL), SUCCESS);
	fake_host_exit(fixture.fake_host, second_agent);
	describe();
	cr_assert_null(reply_value(fixture.fake_host, "virtualMachine.incomingAgent"));
	cr_assert_eq(NUMBER("agent.pid"), 601u);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	describe();
	cr_assert_null(reply_value(fixture.fake_host, "virtualMachine.agent"));
	cr_assert_str_eq(share_as(third_agents, NULL), DENIED);
	cr_assert_str_eq(share_as(second_machine, NULL), SUCCESS);
}

Test(hand_over, an_incoming_vmm_that_exits_first_is_simply_gone)
{
	char handle[64];

	begin();
	cr_assert_str_eq(share_as(second_machine, handle), SUCCESS);
	fake_host_exit(fixture.fake_host, second);
	cr_assert_eq(last_step(), HAND_OVER_ABANDONED);
	describe();
	cr_assert_eq(NUMBER("vmmPid"), 200u);
	cr_assert_eq(NUMBER("incomingVmmPid"), ABSENT);
	cr_assert_eq(NUMBER("registrations"), 1u);
	cr_assert_not(is_shared(handle));
	cr_assert_str_eq(share_as(second_agents, NULL), DENIED);
	cr_assert_not(second_agent->watched);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	cr_assert_str_eq(CALL(fixture.admin, DESCRIBE, NAMES_A), NOT_FOUND);
}

Test(hand_over, the_vm_ends_if_both_exit)
{
	begin();
	fake_host_kill(fixture.fake_host, second);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_CHANGED), 1u, "it was handed to a dead process");
	cr_assert_eq(fake_host_last_event(fixture.fake_host, EVENT_VIRTUAL_MACHINE_REMOVED)->reason,
		     END_VMM_EXITED);
	cr_assert_str_eq(CALL(fixture.admin, DESCRIBE, NAMES_A), NOT_FOUND);
	cr_assert_not(second->watched);
	cr_assert_not(second_agent->watched);
}

/* The old VMM is dead or a zombie, and the daemon has not been notified. */
Test(hand_over, a_registration_notices_that_the_vmm_is_dead)
{
	begin();
	fake_host_kill(fixture.fake_host, fixture.vmm);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, A_WITH("\"vmmPid\":500")), SUCCESS);
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	cr_assert_eq(NUMBER("incomingVmmPid"), ABSENT);
	cr_assert_eq(NUMBER("registrations"), 1u);
	fake_host_report_exits(fixture.fake_host);
	describe();
	cr_assert_eq(NUMBER("vmmPid"), 500u);
}

Test(hand_over, a_third_vmm_becomes_incoming_of_the_second_if_the_first_is_found_dead)
{
	begin();
	fake_host_kill(fixture.fake_host, fixture.vmm);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, A_WITH("\"vmmPid\":600")), SUCCESS);
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	cr_assert_eq(NUMBER("incomingVmmPid"), 600u);
}

Test(hand_over, a_chain_of_vmms_keeps_the_vm)
{
	begin();
	fake_host_exit(fixture.fake_host, fixture.vmm);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, A_WITH("\"vmmPid\":600")), SUCCESS);
	fake_host_exit(fixture.fake_host, second);
	describe();
	cr_assert_eq(NUMBER("vmmPid"), 600u);
	cr_assert_eq(NUMBER("agent.pid"), 501u, "the agent of the second, which still lives");
	cr_assert_eq(NUMBER("registrations"), 1u);
}

Test(hand_over, only_the_vm_that_has_an_incoming_vmm_continues)
{
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":200,"
			      "\"displayClients\":[{\"user\":\"alice\"}]}"),
			 SUCCESS);
	begin();
	fake_host_exit(fixture.fake_host, fixture.vmm);
	describe();
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	cr_assert_str_eq(CALL(fixture.admin, DESCRIBE, NAMES_B), NOT_FOUND);
}

Test(hand_over, one_process_can_take_over_two_vms)
{
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":600,"
			      "\"displayClients\":[{\"user\":\"alice\"}]}"),
			 SUCCESS);
	begin();
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":500}"),
			 SUCCESS);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	fake_host_exit(fixture.fake_host, third);
	describe();
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	cr_assert_str_eq(CALL(fixture.admin, DESCRIBE, NAMES_B), SUCCESS);
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	fake_host_exit(fixture.fake_host, second);
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_REMOVED), 2u);
}

Test(hand_over, the_vmm_of_one_vm_can_be_the_incoming_vmm_of_another)
{
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":500,"
			      "\"displayClients\":[{\"user\":\"alice\"}]}"),
			 SUCCESS);
	begin();
	fake_host_exit(fixture.fake_host, second);
	cr_assert_str_eq(CALL(fixture.admin, DESCRIBE, NAMES_B), NOT_FOUND);
	describe();
	cr_assert_eq(NUMBER("incomingVmmPid"), ABSENT);
}

Test(hand_over, the_incoming_vmm_can_be_the_agent_too)
{
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE, A_WITH("\"agent\":{\"pid\":500}")),
			 SUCCESS);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":500,\"agent\":{\"pid\":500}")),
			 SUCCESS);
	describe();
	fake_host_exit(fixture.fake_host, second);
	describe();
	cr_assert_eq(NUMBER("incomingVmmPid"), ABSENT);
	cr_assert_null(reply_value(fixture.fake_host, "virtualMachine.agent"));
}

/* ---- While a hand-over is under way ---- */

Test(hand_over, unregistering_ends_the_vm_with_its_incoming_vmm)
{
	char handle[64];

	begin();
	cr_assert_str_eq(share_as(second_agents, handle), SUCCESS);
	cr_assert_str_eq(CALL(fixture.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert_not(is_shared(handle));
	cr_assert_not(second->watched);
	cr_assert_not(second_agent->watched);
	cr_assert_not(caller_may_share(&fixture.fake_host->service, second_machine));
}

Test(hand_over, a_quarantine_concerns_the_incoming_vmm_too)
{
	begin();
	cr_assert_str_eq(CALL(fixture.admin, SET_QUARANTINE, A_WITH("\"quarantined\":true")),
			 SUCCESS);
	cr_assert_str_eq(share_as(second_machine, NULL), DENIED);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	describe();
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	cr_assert_str_eq(share_as(second_machine, NULL), DENIED);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), DENIED);
}

Test(hand_over, a_quarantined_vm_can_be_handed_over)
{
	cr_assert_str_eq(CALL(fixture.admin, SET_QUARANTINE, A_WITH("\"quarantined\":true")),
			 SUCCESS);
	begin();
	cr_assert_str_eq(share_as(second_agents, NULL), DENIED);
}

Test(hand_over, an_update_changes_the_agent_of_the_vmm_that_it_names)
{
	begin();
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE,
			      A_WITH("\"vmmPid\":500,\"agent\":{\"pid\":601}")),
			 SUCCESS);
	cr_assert_eq(NUMBER("incomingAgent.pid"), 601u);
	cr_assert_null(reply_value(fixture.fake_host, "virtualMachine.agent"));
	cr_assert_str_eq(share_as(second_agents, NULL), DENIED);
	cr_assert_str_eq(share_as(third_agents, NULL), SUCCESS);
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE,
			      A_WITH("\"vmmPid\":200,\"agent\":{\"pid\":501}")),
			 SUCCESS);
	cr_assert_eq(NUMBER("agent.pid"), 501u);
	cr_assert_eq(NUMBER("incomingAgent.pid"), 601u);
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE, A_WITH("\"agent\":{\"pid\":600}")),
			 SUCCESS);
	cr_assert_eq(NUMBER("agent.pid"), 600u, "without vmmPid, the agent is that of the VMM");
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE,
			      A_WITH("\"vmmPid\":600,\"agent\":{\"pid\":501}")),
			 INVALID);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	describe();
	cr_assert_eq(NUMBER("agent.pid"), 601u);
}

Test(hand_over, the_credentials_of_the_first_vmm_stay_until_an_update_names_others,
     .init = set_up_without_vm)
{
	FakeProcess *first = fake_host_process(fixture.fake_host, 700, 1000);
	FakeProcess *next = fake_host_process(fixture.fake_host, 701, 1001);

	(void)next;
	/* Without display clients, those with the VMM's privileges (alice's) may register. */
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, A_WITH("\"vmmPid\":700")), SUCCESS);
	cr_assert_str_eq(CALL(fixture.admin, ASSIGN, NAMES_A), SUCCESS);
	cr_assert_str_eq(CALL(fixture.client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, A_WITH("\"vmmPid\":701")), SUCCESS);
	fake_host_exit(fixture.fake_host, first);
	describe();
	cr_assert_eq(NUMBER("registrations"), 1u);
	cr_assert_str_eq(CALL(fixture.stranger, REGISTER, NAMES_A), DENIED);
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE, A_WITH("\"displayClients\":[]")),
			 SUCCESS);
	cr_assert_eq(NUMBER("registrations"), 0u);
	cr_assert_str_eq(CALL(fixture.stranger, REGISTER, NAMES_A), SUCCESS);
}

Test(hand_over, an_update_after_the_unnoticed_end_of_the_vmm_concerns_the_new_one)
{
	begin();
	fake_host_kill(fixture.fake_host, fixture.vmm);
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE,
			      A_WITH("\"displayClients\":[{\"user\":\"bob\"}]")),
			 SUCCESS);
	cr_assert_eq(NUMBER("vmmPid"), 500u);
}

/* ---- Limits and failures ---- */

Test(hand_over, the_callers_account_pays_for_both_processes)
{
	size_t entries = store_entries();

	begin();
	cr_assert_eq(store_entries(), entries + 2);
	cr_assert_eq(fixture.fake_host->service.broker->accounts.used[LIMIT_VIRTUAL_MACHINES], 1u);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	cr_assert_eq(store_entries(), entries + 1);
}

Test(hand_over, a_refused_hand_over_changes_nothing)
{
	FakeHost *fake_host = fixture.fake_host;
	size_t entries = store_entries();

	fake_host->refuse_watch = true;
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, A_WITH("\"vmmPid\":500")),
			 "STATUS_INSUFFICIENT_RESOURCES");
	fake_host->refuse_watch = false;
	fake_host->refuse_persist = true;
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, A_WITH("\"vmmPid\":500")),
			 "STATUS_INSUFFICIENT_RESOURCES");
	fake_host->refuse_persist = false;
	begin();
	fake_host->refuse_persist = true;
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE,
			      A_WITH("\"vmmPid\":600,\"agent\":{\"pid\":601}")),
			 "STATUS_INSUFFICIENT_RESOURCES");
	fake_host->refuse_persist = false;
	describe();
	cr_assert_eq(NUMBER("incomingVmmPid"), 500u);
	cr_assert_eq(store_entries(), entries + 2);
	cr_assert_not(third->watched);
	cr_assert_not(third_agent->watched);
}

/* ---- Restarts ---- */

Test(hand_over, a_restart_keeps_the_incoming_vmm)
{
	begin();
	char *before = fake_host_snapshot(fixture.fake_host, fixture.admin);

	fake_host_restart(fixture.fake_host);
	char *after = fake_host_snapshot(fixture.fake_host, fixture.admin);
	cr_assert_str_eq(before, after);
	free(before);
	free(after);
	describe();
	cr_assert_eq(NUMBER("incomingVmmPid"), 500u);
	cr_assert_eq(NUMBER("incomingAgent.pid"), 501u);
	cr_assert_str_eq(share_as(second_agents, NULL), SUCCESS);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	describe();
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	cr_assert_eq(NUMBER("registrations"), 1u);
}

/* Stops the daemon, ends the processes, and starts it. */
static void restart_without(FakeProcess *process, FakeProcess *other)
{
	fake_host_stop(fixture.fake_host);
	if (process)
		fake_host_kill(fixture.fake_host, process);
	if (other)
		fake_host_kill(fixture.fake_host, other);
	fake_host_start(fixture.fake_host);
}

Test(hand_over, a_vmm_that_exits_during_a_restart_hands_its_vm_over)
{
	char from_first[64], from_second[64];

	cr_assert_str_eq(share_as(fixture.machine, from_first), SUCCESS);
	begin();
	cr_assert_str_eq(share_as(second_agents, from_second), SUCCESS);
	restart_without(fixture.vmm, NULL);
	describe();
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	cr_assert_eq(NUMBER("incomingVmmPid"), ABSENT);
	cr_assert_eq(NUMBER("agent.pid"), 501u);
	cr_assert_eq(NUMBER("registrations"), 1u);
	cr_assert_eq(reply_count(fixture.fake_host, "virtualMachine.virtualGpus"), 1u);
	cr_assert_eq(last_step(), HAND_OVER_COMPLETED, "the log does not learn of it");
	cr_assert_not(is_shared(from_first));
	cr_assert(is_shared(from_second));
	cr_assert_eq(fixture.fake_host->report.dropped[STORE_VIRTUAL_MACHINE], 0u);
}

Test(hand_over, an_incoming_vmm_that_exits_during_a_restart_is_gone)
{
	begin();
	restart_without(second, second_agent);
	describe();
	cr_assert_eq(NUMBER("vmmPid"), 200u);
	cr_assert_eq(NUMBER("incomingVmmPid"), ABSENT);
	cr_assert_eq(NUMBER("registrations"), 1u);
}

Test(hand_over, the_vm_ends_if_both_exit_during_a_restart)
{
	begin();
	restart_without(fixture.vmm, second);
	cr_assert_str_eq(CALL(fixture.admin, DESCRIBE, NAMES_A), NOT_FOUND);
	cr_assert_not(second_agent->watched);
}

/* The record still names the first VMM, because nothing is written when a process exits. */
Test(hand_over, a_restart_after_the_hand_over_changes_nothing)
{
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE, A_WITH("\"agent\":{\"pid\":601}")),
			 SUCCESS);
	begin();
	fake_host_exit(fixture.fake_host, fixture.vmm);
	size_t events = EVENTS(EVENT_VIRTUAL_MACHINE_CHANGED);
	for (int i = 0; i < 2; i++) {
		char *before = fake_host_snapshot(fixture.fake_host, fixture.admin);

		fake_host_restart(fixture.fake_host);
		char *after = fake_host_snapshot(fixture.fake_host, fixture.admin);
		cr_assert_str_eq(before, after);
		free(before);
		free(after);
	}
	cr_assert_eq(EVENTS(EVENT_VIRTUAL_MACHINE_CHANGED), events, "it is reported twice");
	fake_host_exit(fixture.fake_host, second_agent);
	fake_host_restart(fixture.fake_host);
	describe();
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	cr_assert_null(reply_value(fixture.fake_host, "virtualMachine.agent"),
		       "the agent of the first VMM is back");
	cr_assert_str_eq(CALL(fixture.admin, REGISTER_MACHINE, A_WITH("\"vmmPid\":600")), SUCCESS);
	fake_host_restart(fixture.fake_host);
	describe();
	cr_assert_eq(NUMBER("vmmPid"), 500u);
	cr_assert_eq(NUMBER("incomingVmmPid"), 600u);
}

Test(hand_over, an_update_of_the_incoming_agent_survives_a_restart)
{
	begin();
	cr_assert_str_eq(CALL(fixture.admin, UPDATE_MACHINE,
			      A_WITH("\"vmmPid\":500,\"agent\":{\"user\":\"bob\"}")),
			 SUCCESS);
	fake_host_restart(fixture.fake_host);
	describe();
	cr_assert_str_eq(reply_string(fixture.fake_host, "virtualMachine.incomingAgent.user"),
			 "bob");
	cr_assert_null(reply_value(fixture.fake_host, "virtualMachine.agent"));
	cr_assert_eq(NUMBER("incomingVmmPid"), 500u);
}
