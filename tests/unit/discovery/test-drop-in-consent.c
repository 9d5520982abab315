/* SPDX-License-Identifier: MIT */
/*
 * Tests what drop-ins give to VMs: only what no request has named, at the registration, after a
 * reload and after a restart.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/discovery/drop-in-apply.h"
#include "tests/support/drop-in-fixture.h"
#include "tests/support/fake-share.h"

static HostFixture fixture;
static FakeHost *fake_host;
static DropIns drop_ins;

static void set_up(void)
{
	fixture = host_fixture_new_quiet();
	fake_host = fixture.fake_host;
	drop_ins = DROP_INS_INIT;
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
	drop_ins_deinit(&drop_ins);
}

TestSuite(drop_in_consent, .init = set_up, .fini = tear_down);

#define SUCCESS "STATUS_SUCCESS"
#define DENIED  "STATUS_ACCESS_DENIED"

#define SET(...)                                                                 \
	set_drop_ins(fake_host, &drop_ins, (const char *const[]){ __VA_ARGS__ }, \
		     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
#define REMOVE_ALL() set_drop_ins(fake_host, &drop_ins, NULL, 0)

#define FOR_A(members)     "{\"virtualMachineGuid\":\"" GUID_A "\"," members "}"
#define FOR_NAME(members)  "{\"name\":\"guest\"," members "}"
#define FOR_MATCH(members) "{\"namePattern\":\"gu?s*\"," members "}"
#define CLIENTS(user)      "\"displayClients\":[{\"user\":\"" user "\",\"rights\":[\"input\"]}]"

/* Registers GUID_A with the VMM, and gives it a vGPU. */
static void add_vm(const char *members)
{
	cr_assert_str_eq(callf(fake_host, fixture.admin, REGISTER_MACHINE,
			       "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200%s}", members),
			 SUCCESS, "%s", members);
	cr_assert_str_eq(call(fake_host, fixture.admin, ASSIGN, NAMES_A), SUCCESS);
}

/* Returns the first display client and where it is named, such as "alice dropIn". */
static const char *clients(void)
{
	static char text[80];

	cr_assert_str_eq(call(fake_host, fixture.admin, DESCRIBE, NAMES_A), SUCCESS);
	snprintf(text, sizeof(text), "%s %s",
		 reply_string(fake_host, "virtualMachine.displayClients[0].user"),
		 reply_string(fake_host, "virtualMachine.displayClientsSource"));
	return text;
}

static const char *agent(void)
{
	static char text[80];

	cr_assert_str_eq(call(fake_host, fixture.admin, DESCRIBE, NAMES_A), SUCCESS);
	snprintf(text, sizeof(text), "%s %s", reply_string(fake_host, "virtualMachine.agent.user"),
		 reply_string(fake_host, "virtualMachine.agentSource"));
	return text;
}

Test(drop_in_consent, a_vm_that_names_nobody_gets_the_clients_of_the_drop_in)
{
	SET(FOR_A(CLIENTS("alice")));
	add_vm(""); /* whose VMM's user does not log in */
	cr_assert_str_eq(clients(), "alice dropIn");
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.displayClients[0].rights[1]"),
			 "input");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(call(fake_host, fixture.stranger, REGISTER, NAMES_A), DENIED);
}

Test(drop_in_consent, a_request_comes_first)
{
	SET(FOR_A(CLIENTS("alice") ",\"agent\":{\"user\":\"alice\"}"));
	add_vm(",\"displayClients\":[{\"user\":\"bob\"}],\"agent\":{\"user\":\"bob\"}");
	cr_assert_str_eq(clients(), "bob api");
	cr_assert_str_eq(agent(), "bob api");
	SET(FOR_A(CLIENTS("alice")));
	cr_assert_str_eq(clients(), "bob api");
	REMOVE_ALL();
	cr_assert_str_eq(clients(), "bob api");
	cr_assert_str_eq(agent(), "bob api");
}

Test(drop_in_consent, the_most_exact_drop_in_wins_by_setting)
{
	SET(FOR_MATCH(CLIENTS("bob") ",\"agent\":{\"user\":\"bob\"}"), FOR_NAME(CLIENTS("0")),
	    FOR_A(CLIENTS("alice")), FOR_A(CLIENTS("bob")));
	add_vm(",\"name\":\"guest\"");
	cr_assert_str_eq(clients(), "alice dropIn");
	cr_assert_str_eq(agent(), "bob dropIn");
}

Test(drop_in_consent, an_unnamed_vm_has_no_name)
{
	SET("{\"namePattern\":\"*\"," CLIENTS("alice") "}");
	cr_assert_str_eq(callf(fake_host, fixture.admin, REGISTER_MACHINE,
			       "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200}"),
			 "STATUS_INVALID_PARAMETER");
}

Test(drop_in_consent, a_new_name_brings_other_drop_ins)
{
	SET(FOR_NAME(CLIENTS("alice") ",\"agent\":{\"user\":\"bob\"}"));
	add_vm(",\"name\":\"guest\"");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
	call(fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"other\"}");
	cr_assert_str_eq(clients(), " nobody");
	cr_assert_str_eq(agent(), " ");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), DENIED);
	call(fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"guest\"}");
	cr_assert_str_eq(clients(), "alice dropIn");
	cr_assert_str_eq(agent(), "bob dropIn");
}

Test(drop_in_consent, an_update_names_its_own_and_an_empty_one_returns_to_the_drop_in)
{
	SET(FOR_A(CLIENTS("alice")));
	add_vm("");
	call(fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{\"user\":\"bob\"}]}");
	cr_assert_str_eq(clients(), "bob api");
	call(fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[]}");
	cr_assert_str_eq(clients(), "alice dropIn");
}

/* The VMM of this VM is a process of bob, who logs in and so is the display client without others.
 */
static void add_vm_of_bob(void)
{
	fake_host_process(fake_host, 500, 1001);
	cr_assert_str_eq(call(fake_host, fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":500}"),
			 SUCCESS);
	cr_assert_str_eq(call(fake_host, fixture.admin, ASSIGN, NAMES_A), SUCCESS);
}

static size_t registrations(void)
{
	call(fake_host, fixture.admin, LIST_REGISTRATIONS, NULL);
	return reply_count(fake_host, "registrations");
}

Test(drop_in_consent, a_reload_gives_and_takes)
{
	add_vm_of_bob();
	cr_assert_str_eq(call(fake_host, fixture.stranger, REGISTER, NAMES_A), SUCCESS);
	SET(FOR_A(CLIENTS("alice") ",\"agent\":{\"user\":\"alice\"}"));
	cr_assert_eq(registrations(), 0u);
	cr_assert_str_eq(clients(), "alice dropIn");
	cr_assert_str_eq(agent(), "alice dropIn");
	cr_assert_str_eq(call(fake_host, fixture.stranger, REGISTER, NAMES_A), DENIED);
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
	REMOVE_ALL();
	cr_assert_eq(registrations(), 0u);
	cr_assert_str_eq(clients(), " vmm");
	cr_assert_str_eq(agent(), " ");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), DENIED);
	cr_assert_str_eq(call(fake_host, fixture.stranger, REGISTER, NAMES_A), SUCCESS);
}

/* Otherwise each process of libvirt's user could register for each VM of that user. */
Test(drop_in_consent, nobody_may_register_if_the_drop_in_goes_and_the_vmm_does_not_log_in)
{
	SET(FOR_A(CLIENTS("alice")));
	add_vm("");
	REMOVE_ALL();
	cr_assert_str_eq(clients(), " nobody");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), DENIED);
	cr_assert_str_eq(call(fake_host, fixture.machine, REGISTER, NAMES_A), DENIED);
	fake_host_restart(fake_host);
	cr_assert_str_eq(call(fake_host, fixture.machine, REGISTER, NAMES_A), DENIED);
}

Test(drop_in_consent, an_unchanged_drop_in_ends_no_registration_and_sends_no_event)
{
	SET(FOR_A(CLIENTS("alice") ",\"agent\":{\"user\":\"bob\"}"));
	add_vm("");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
	SET(FOR_NAME(CLIENTS("bob")), FOR_A(CLIENTS("alice") ",\"agent\":{\"user\":\"bob\"}"));
	cr_assert_eq(registrations(), 1u);
	cr_assert_eq(fake_host_events(fake_host, EVENT_VIRTUAL_MACHINE_CHANGED), 0u);
}

Test(drop_in_consent, registrations_survive_a_restart)
{
	SET(FOR_A(CLIENTS("alice") ",\"agent\":{\"user\":\"bob\"}"));
	add_vm("");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
	fake_host_restart(fake_host);
	cr_assert_eq(drop_ins_apply(&fake_host->service.store), 0u);
	cr_assert_eq(registrations(), 1u);
	cr_assert_str_eq(clients(), "alice dropIn");
	cr_assert_str_eq(agent(), "bob dropIn");
}

Test(drop_in_consent, a_start_takes_back_what_was_removed_while_the_daemon_was_down)
{
	SET(FOR_A(CLIENTS("alice") ",\"agent\":{\"user\":\"bob\"}"));
	add_vm("");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
	fake_host_stop(fake_host);
	drop_ins_deinit(&drop_ins);
	fake_host_start(fake_host);
	cr_assert_eq(drop_ins_apply(&fake_host->service.store), 0u);
	while (broker_end_some(fake_host->service.broker, UINT64_MAX))
		;
	cr_assert_eq(registrations(), 0u);
	cr_assert_str_eq(agent(), " ");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), DENIED);
	fake_host_restart(fake_host);
	cr_assert_str_eq(agent(), " ");
}

/* A full disk must not keep anybody in. */
Test(drop_in_consent, access_is_taken_back_although_it_cannot_be_persisted)
{
	SET(FOR_A(CLIENTS("alice")));
	add_vm("");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
	fake_host->refuse_persist = true;
	REMOVE_ALL();
	fake_host->refuse_persist = false;
	cr_assert_eq(registrations(), 0u);
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), DENIED);
}

Test(drop_in_consent, the_agent_of_a_drop_in_may_share)
{
	SET(FOR_A(CLIENTS("alice") ",\"agent\":{\"user\":\"bob\"}"));
	add_vm("");
	int fd = sealed_memory(fake_host);
	cr_assert_str_eq(share(fake_host, fixture.stranger, IMAGE, &fd, 1, NULL), SUCCESS);
	REMOVE_ALL();
	fd = sealed_memory(fake_host);
	cr_assert_str_eq(share(fake_host, fixture.stranger, IMAGE, &fd, 1, NULL), DENIED);
}

static const char *share_unsealed(void)
{
	int fd = sealed_memory(fake_host);

	fake_host_fd_of(fake_host, fd)->facts.size_is_sealed = false;
	return share(fake_host, fixture.machine, IMAGE, &fd, 1, NULL);
}

Test(drop_in_consent, sealed_memory_is_required_of_the_vm_alone)
{
	SET(FOR_MATCH("\"requireSealedMemory\":true"));
	add_vm(",\"name\":\"guest\",\"displayClients\":[{\"user\":\"bob\"}]");
	cr_assert_str_eq(share_unsealed(), "STATUS_OBJECT_TYPE_MISMATCH");
	fake_host_restart(fake_host);
	cr_assert_str_eq(share_unsealed(), "STATUS_OBJECT_TYPE_MISMATCH");
	call(fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"other\"}");
	cr_assert_str_eq(share_unsealed(), SUCCESS);
	SET("{\"name\":\"other\",\"requireSealedMemory\":true}");
	cr_assert_str_eq(share_unsealed(), "STATUS_OBJECT_TYPE_MISMATCH");
	REMOVE_ALL();
	cr_assert_str_eq(share_unsealed(), SUCCESS);
}

/* The lookup is repeated at each registration, so a database that is away now hurts nobody later.
 */
Test(drop_in_consent, a_user_that_cannot_be_read_matches_nobody_until_it_can)
{
	FakeUser *alice = NULL;

	SET(FOR_A(CLIENTS("alice")));
	for (size_t i = 0; i < fake_host->user_count; i++)
		if (strcmp(fake_host->users[i].name, "alice") == 0)
			alice = &fake_host->users[i];
	cr_assert_not_null(alice);
	alice->lookup = LOOKUP_UNREADABLE;
	add_vm("");
	cr_assert_str_eq(clients(), "alice dropIn");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), DENIED);
	alice->lookup = LOOKUP_FOUND;
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
}

Test(drop_in_consent, a_hand_over_keeps_the_agent_of_the_drop_in)
{
	SET(FOR_A(CLIENTS("alice") ",\"agent\":{\"user\":\"bob\"}"));
	add_vm("");
	fake_host_process(fake_host, 500, 64055);
	cr_assert_str_eq(call(fake_host, fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":500}"),
			 SUCCESS);
	fake_host_exit(fake_host, fixture.vmm);
	cr_assert_str_eq(agent(), "bob dropIn");
	cr_assert_str_eq(clients(), "alice dropIn");
	REMOVE_ALL();
	cr_assert_str_eq(agent(), " ");
}

#define LIBVIRT ",\"settingsSource\":\"libvirt\""

static void update(const char *members)
{
	cr_assert_str_eq(callf(fake_host, fixture.admin, UPDATE_MACHINE,
			       "{\"virtualMachineGuid\":\"" GUID_A "\",%s}", members),
			 SUCCESS, "%s", members);
}

Test(drop_in_consent, libvirts_metadata_comes_after_a_drop_in)
{
	SET(FOR_A(CLIENTS("alice")));
	add_vm("," CLIENTS("bob") LIBVIRT);
	cr_assert_str_eq(clients(), "alice dropIn");
	update(CLIENTS("bob") LIBVIRT);
	cr_assert_str_eq(clients(), "alice dropIn", "an update comes after it as well");
	update(CLIENTS("bob"));
	cr_assert_str_eq(clients(), "bob api", "a request for itself comes before it");
	SET(FOR_A(CLIENTS("alice")));
	cr_assert_str_eq(clients(), "bob api");
}

Test(drop_in_consent, libvirts_metadata_counts_without_a_drop_in)
{
	add_vm("," CLIENTS("alice") LIBVIRT);
	cr_assert_str_eq(clients(), "alice libvirt");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
	fake_host_restart(fake_host);
	cr_assert_str_eq(clients(), "alice libvirt");
	update(CLIENTS("bob") LIBVIRT);
	cr_assert_str_eq(clients(), "bob libvirt");
}

/* The metadata may have changed while the drop-in counted, so nobody may register then. */
Test(drop_in_consent, a_drop_in_that_comes_and_goes_replaces_libvirts_metadata)
{
	add_vm("," CLIENTS("bob") LIBVIRT);
	SET(FOR_A(CLIENTS("alice")));
	cr_assert_str_eq(clients(), "alice dropIn");
	REMOVE_ALL();
	cr_assert_str_eq(clients(), " nobody");
	update(CLIENTS("bob") LIBVIRT);
	cr_assert_str_eq(clients(), "bob libvirt");
}

Test(drop_in_consent, a_source_that_nobody_knows_is_refused)
{
	cr_assert_str_eq(call(fake_host, fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"vmmPid\":200,\"settingsSource\":\"dropIn\"}"),
			 "STATUS_INVALID_PARAMETER");
}
