/* SPDX-License-Identifier: MIT */
/*
 * Processes and users that a request may name as VMM, display client and agent. An operator may
 * name every live process and every user. Other callers may name only themselves, their own user,
 * and processes of that user that have no more privileges than they have.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/dispatch.h"
#include "tests/support/fake-host.h"

static HostFixture fixture;

static void set_up(void)
{
	fixture = host_fixture_new_quiet();
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

static void reset(void)
{
	tear_down();
	set_up();
}

TestSuite(parties, .init = set_up, .fini = tear_down);

#define SUCCESS "STATUS_SUCCESS"
#define INVALID "STATUS_INVALID_PARAMETER"

static const char *register_vm(Caller *caller, const char *members)
{
	return callf(fixture.fake_host, caller, REGISTER_MACHINE,
		     "{\"virtualMachineGuid\":\"" GUID_B "\"%s}", members);
}

Test(parties, operators_may_name_every_live_process_and_user)
{
	static const struct {
		const char *members, *parameter; /* parameter is empty on success */
	} rows[] = {
		{ ",\"vmmPid\":300", "" },
		{ ",\"vmmPid\":400,\"agent\":{\"pid\":300}", "" },
		{ ",\"agent\":{\"user\":\"alice\"}", "" },
		{ ",\"displayClients\":[{\"pid\":200},{\"user\":\"bob\"},{\"user\":\"0\"}]", "" },
		{ ",\"vmmPid\":0", "vmmPid" },
		{ ",\"vmmPid\":99999", "vmmPid" },
		{ ",\"vmmPid\":2147483648", "vmmPid" },
		{ ",\"vmmPid\":4294967596", "vmmPid" }, /* 300 in 32 bits */
		{ ",\"vmmPid\":9223372036854775807", "vmmPid" },
		{ ",\"vmmPid\":301", "vmmPid" }, /* dead */
		{ ",\"vmmPid\":302", "vmmPid" }, /* unreadable */
		{ ",\"agent\":{\"pid\":301}", "agent.pid" },
		{ ",\"agent\":{\"user\":\"nobody\"}", "agent.user" },
		{ ",\"agent\":{\"user\":\"\"}", "agent.user" },
		{ ",\"agent\":{}", "agent" },
		{ ",\"agent\":{\"user\":\"alice\",\"pid\":300}", "agent" },
		{ ",\"displayClients\":[{}]", "displayClients[0]" },
		{ ",\"displayClients\":[{\"user\":\"bob\"},{\"user\":\"bob\",\"pid\":400}]",
		  "displayClients[1]" },
		{ ",\"displayClients\":[{\"pid\":300},{\"pid\":302}]", "displayClients[1].pid" },
		{ ",\"displayClients\":[{\"user\":\"carol\"}]", "displayClients[0].user" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool good = rows[i].parameter[0] == '\0';

		fake_host_kill(fixture.fake_host, fake_host_process(fixture.fake_host, 301, 1000));
		fake_host_process(fixture.fake_host, 302, 1000)->credentials_lookup =
			LOOKUP_UNREADABLE;
		FakeUser *carol = fake_host_user(fixture.fake_host, "carol", 1002);
		carol->lookup = LOOKUP_UNREADABLE;
		cr_assert_str_eq(register_vm(fixture.admin, rows[i].members),
				 good ? SUCCESS : INVALID, "%s", rows[i].members);
		cr_assert_str_eq(reply_string(fixture.fake_host, "parameter"), rows[i].parameter,
				 "%s", rows[i].members);
		cr_assert_eq(fake_host_events(fixture.fake_host, EVENT_VIRTUAL_MACHINE_ADDED),
			     good ? 1u : 0u);
		reset();
	}
}

/* The kernel shows 65534 and -1 for ids that are unknown, so they match no process. */
Test(parties, unmapped_ids_cannot_be_named)
{
	static const struct {
		const char *members, *parameter;
	} rows[] = {
		{ ",\"displayClients\":[{\"user\":\"ghost\"}]", "displayClients[0].user" },
		{ ",\"displayClients\":[{\"user\":\"bob\"},{\"user\":\"65534\"}]",
		  "displayClients[1].user" },
		{ ",\"displayClients\":[{\"user\":\"grouped\"}]", "displayClients[0].user" },
		{ ",\"displayClients\":[{\"pid\":501}]", "displayClients[0].pid" },
		{ ",\"displayClients\":[{\"pid\":502}]", "displayClients[0].pid" },
		{ ",\"displayClients\":[{\"pid\":503}]", "displayClients[0].pid" },
		{ ",\"agent\":{\"user\":\"ghost\"}", "agent.user" },
		{ ",\"agent\":{\"pid\":501}", "agent.pid" },
		{ ",\"agent\":{\"pid\":502}", "agent.pid" },
		{ ",\"vmmPid\":503", "displayClients" },
		{ ",\"vmmPid\":501,\"displayClients\":[{\"user\":\"bob\"}]", "" },
	};
	static const gid_t overflow = 65534;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool good = rows[i].parameter[0] == '\0';

		fake_host_user(fixture.fake_host, "ghost", 65534);
		FakeUser *user = fake_host_user(fixture.fake_host, "grouped", 1005);
		user->credentials.gids[ID_EFFECTIVE] = overflow;
		fake_host_process(fixture.fake_host, 501, 65534);
		fake_host_process(fixture.fake_host, 502, 1000)->credentials.uids[ID_SAVED] =
			UINT32_MAX;
		process_set_groups(fake_host_process(fixture.fake_host, 503, 1000), 1000, 1,
				   &overflow);
		cr_assert_str_eq(register_vm(fixture.admin, rows[i].members),
				 good ? SUCCESS : INVALID, "%s", rows[i].members);
		cr_assert_str_eq(reply_string(fixture.fake_host, "parameter"), rows[i].parameter,
				 "%s", rows[i].members);
		reset();
	}
}

/* A restored VM may have such an agent or registrar. */
Test(parties, unmapped_ids_match_nobody)
{
	FakeHost *fake_host = fixture.fake_host;
	Caller *ghost = fake_host_connect(fake_host, fake_host_process(fake_host, 501, 65534));

	cr_assert_str_eq(register_vm(fixture.admin, ",\"agent\":{\"user\":\"bob\"}"), SUCCESS);
	VirtualMachine *vm = vm_after(fake_host->service.broker, 0);
	vm->agent.uid = vm->registered_by = 65534;
	vm->by_operator = false;
	cr_assert_not(caller_is_agent(ghost, vm));
	cr_assert_str_eq(call(fake_host, ghost, UNREGISTER_MACHINE, NAMES_B),
			 "STATUS_ACCESS_DENIED");
}

/* Returns whether the reply says that an operator has registered the VM. */
static bool is_operators_vm(void)
{
	bool is_operators;

	cr_assert(json_read_boolean(
		reply_value(fixture.fake_host, "virtualMachine.registeredByOperator"),
		&is_operators));
	return is_operators;
}

Test(parties, users_may_register_vms_only_if_configured)
{
	cr_assert_str_eq(register_vm(fixture.client, ""), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(register_vm(fixture.client, ",\"vmmPid\":300"), "STATUS_ACCESS_DENIED");
	fixture.fake_host->service.settings.allow_user_machines = true;
	cr_assert_str_eq(register_vm(fixture.client, ""), SUCCESS);
	cr_assert_eq(reply_number(fixture.fake_host, "virtualMachine.vmmPid"), 300u);
	cr_assert_eq(reply_number(fixture.fake_host, "virtualMachine.registeredByUid"), 1000u);
	cr_assert_not(is_operators_vm());
}

Test(parties, a_vm_tells_that_an_operator_has_registered_it)
{
	cr_assert_str_eq(register_vm(fixture.admin, ",\"vmmPid\":300"), SUCCESS);
	cr_assert(is_operators_vm());
}

static void add_processes(FakeHost *fake_host)
{
	/*
	 * An ordinary process of alice, one with a permitted capability, and one in another user
	 * namespace.
	 */
	fake_host_process(fake_host, 301, 1000);
	fake_host_process(fake_host, 302, 1000)->credentials.permitted = 0x1;
	fake_host_process(fake_host, 303, 1000)->credentials.user_namespace.inode++;
	/* One for each of the four uids that is not alice's. */
	for (int kind = 0; kind < ID_MAX; kind++)
		fake_host_process(fake_host, 304 + kind, 1000)->credentials.uids[kind] = 1001;
	/* One with an effective capability. */
	fake_host_process(fake_host, 308, 1000)->credentials.effective = UINT64_C(1) << 21;
}

Test(parties, users_may_name_only_their_own_processes)
{
	static const struct {
		const char *members, *parameter;
	} rows[] = {
		{ "", "" },
		{ ",\"vmmPid\":300", "" },
		{ ",\"vmmPid\":301", "" },
		{ ",\"vmmPid\":301,\"agent\":{\"pid\":300},\"displayClients\":[{\"pid\":301}]",
		  "" },
		{ ",\"displayClients\":[{\"user\":\"alice\"}],\"agent\":{\"user\":\"1000\"}", "" },
		{ ",\"vmmPid\":100", "vmmPid" },
		{ ",\"vmmPid\":400", "vmmPid" },
		{ ",\"vmmPid\":302", "vmmPid" },
		{ ",\"vmmPid\":303", "vmmPid" },
		{ ",\"vmmPid\":304", "vmmPid" },
		{ ",\"vmmPid\":305", "vmmPid" },
		{ ",\"vmmPid\":306", "vmmPid" },
		{ ",\"vmmPid\":307", "vmmPid" },
		{ ",\"vmmPid\":308", "vmmPid" },
		{ ",\"agent\":{\"pid\":400}", "agent.pid" },
		{ ",\"agent\":{\"pid\":302}", "agent.pid" },
		{ ",\"agent\":{\"user\":\"bob\"}", "agent.user" },
		{ ",\"agent\":{\"user\":\"root\"}", "agent.user" },
		{ ",\"displayClients\":[{\"pid\":100}]", "displayClients[0].pid" },
		{ ",\"displayClients\":[{\"user\":\"alice\"},{\"user\":\"bob\"}]",
		  "displayClients[1].user" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool good = rows[i].parameter[0] == '\0';

		add_processes(fixture.fake_host);
		fixture.fake_host->service.settings.allow_user_machines = true;
		cr_assert_str_eq(register_vm(fixture.client, rows[i].members),
				 good ? SUCCESS : INVALID, "%s", rows[i].members);
		cr_assert_str_eq(reply_string(fixture.fake_host, "parameter"), rows[i].parameter,
				 "%s", rows[i].members);
		reset();
	}
}

/* Errors do not tell a foreign pid from an unused one, so that users cannot probe for pids. */
Test(parties, users_may_name_only_their_own_processes_in_updates)
{
	fixture.fake_host->service.settings.allow_user_machines = true;
	register_vm(fixture.client, "");
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"agent\":{\"pid\":400}}"),
			 INVALID);
	char *foreign_pid_message = strdup(reply_string(fixture.fake_host, "message"));
	call(fixture.fake_host, fixture.client, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_B "\",\"agent\":{\"pid\":99999}}");
	cr_assert_str_eq(reply_string(fixture.fake_host, "message"), foreign_pid_message);
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\","
			      "\"displayClients\":[{\"user\":\"bob\"}]}"),
			 INVALID);
	cr_assert_str_eq(call(fixture.fake_host, fixture.stranger, UPDATE_MACHINE, NAMES_B),
			 "STATUS_ACCESS_DENIED");
	free(foreign_pid_message);
}

Test(parties, exhausted_resources_are_not_reported_as_an_invalid_parameter)
{
	fixture.fake_host->exhaust_find = true;
	cr_assert_str_eq(register_vm(fixture.admin, ",\"vmmPid\":300"),
			 "STATUS_INSUFFICIENT_RESOURCES");
	fixture.fake_host->exhaust_find = false;
	fixture.viewer->credentials_lookup = LOOKUP_EXHAUSTED;
	cr_assert_str_eq(register_vm(fixture.admin, ",\"vmmPid\":300"),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_str_eq(register_vm(fixture.admin, ",\"vmmPid\":400,\"agent\":{\"pid\":300}"),
			 "STATUS_INSUFFICIENT_RESOURCES");
}

/* The user database can be slow, and sixteen display clients may name the same user. */
Test(parties, user_named_again_is_not_looked_up_again)
{
	FakeHost *fake_host = fixture.fake_host;

	fake_host->user_reads = 0;
	cr_assert_str_eq(register_vm(fixture.admin, ",\"vmmPid\":200,\"displayClients\":["
						    "{\"user\":\"alice\"},{\"user\":\"bob\"},"
						    "{\"user\":\"alice\"},{\"pid\":300},"
						    "{\"user\":\"alice\"}]"),
			 SUCCESS);
	cr_assert_eq(fake_host->user_reads, 2u);
	const VirtualMachine *vm = vm_after(fake_host->service.broker, 0);
	const DisplayClient *clients = vm->display_clients.items;
	cr_assert_eq(clients[4].uid, clients[0].uid);
	cr_assert_eq(credentials_compare(&clients[4].credentials, &clients[0].credentials),
		     DIFFERENCE_NONE);
	cr_assert_str_eq(clients[4].user, "alice");
	cr_assert_str_eq(callf(fake_host, fixture.admin, UPDATE_MACHINE,
			       "{\"virtualMachineGuid\":\"" GUID_B "\",\"displayClients\":["
			       "{\"user\":\"alice\"},{\"user\":\"alice\",\"pid\":300}]}"),
			 INVALID,
			 "a client needs either a user or a pid, also if it is named again");
}
