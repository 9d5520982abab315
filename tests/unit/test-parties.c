/* SPDX-License-Identifier: MIT */
/* Proves whom a message may name as VMM, display client and agent: operators anybody who lives,
 * ordinary users only themselves. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "fake-host.h"

TestSuite(parties);

#define SUCCESS "STATUS_SUCCESS"
#define INVALID "STATUS_INVALID_PARAMETER"

static const char *make(World *world, Caller *caller, const char *members)
{
	return callf(world, caller, REGISTER_MACHINE, "{\"virtualMachineGuid\":\"" GUID_B "\"%s}",
		     members);
}

Test(parties, operators_name_who_lives)
{
	static const struct {
		const char *members, *parameter; /* parameter "": a success */
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
		Cast cast = cast_new_quiet();
		bool good = rows[i].parameter[0] == '\0';

		world_kill(cast.world, world_process(cast.world, 301, 1000));
		world_process(cast.world, 302, 1000)->credentials_evidence = EVIDENCE_UNREADABLE;
		FakeUser *carol = world_user(cast.world, "carol", 1002);
		carol->evidence = EVIDENCE_UNREADABLE;
		cr_assert_str_eq(make(cast.world, cast.admin, rows[i].members),
				 good ? SUCCESS : INVALID, "%s", rows[i].members);
		cr_assert_str_eq(reply_string(cast.world, "parameter"), rows[i].parameter, "%s",
				 rows[i].members);
		cr_assert_eq(world_events(cast.world, EVENT_VIRTUAL_MACHINE_ADDED), good ? 1u : 0u);
		cast_free(&cast);
	}
}

Test(parties, users_may_not_unless_it_is_configured)
{
	Cast cast = cast_new_quiet();

	cr_assert_str_eq(make(cast.world, cast.client, ""), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(make(cast.world, cast.client, ",\"vmmPid\":300"), "STATUS_ACCESS_DENIED");
	cast.world->service.settings.allow_user_machines = true;
	cr_assert_str_eq(make(cast.world, cast.client, ""), SUCCESS);
	cr_assert_eq(reply_number(cast.world, "virtualMachine.vmmPid"), 300u);
	cr_assert_eq(reply_number(cast.world, "virtualMachine.registeredByUid"), 1000u);
	cast_free(&cast);
}

/* 301 is another of alice's, 302 is hers but privileged, 303 is hers in another namespace, 304 to
 * 307 have one uid of four that is not hers, 308 has a capability more. */
static void add_processes(World *world)
{
	world_process(world, 301, 1000);
	world_process(world, 302, 1000)->credentials.permitted = 0x1;
	world_process(world, 303, 1000)->credentials.user_namespace.inode++;
	for (int kind = 0; kind < ID_MAX; kind++)
		world_process(world, 304 + kind, 1000)->credentials.uids[kind] = 1001;
	world_process(world, 308, 1000)->credentials.effective = UINT64_C(1) << 21;
}

Test(parties, users_name_only_themselves)
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
		Cast cast = cast_new_quiet();
		bool good = rows[i].parameter[0] == '\0';

		add_processes(cast.world);
		cast.world->service.settings.allow_user_machines = true;
		cr_assert_str_eq(make(cast.world, cast.client, rows[i].members),
				 good ? SUCCESS : INVALID, "%s", rows[i].members);
		cr_assert_str_eq(reply_string(cast.world, "parameter"), rows[i].parameter, "%s",
				 rows[i].members);
		cast_free(&cast);
	}
}

/* Nor does an update let a user name more, and what is absent and what is not one's own sound
 * alike: pids of others are not to be probed. */
Test(parties, an_update_is_no_way_around)
{
	Cast cast = cast_new_quiet();

	cast.world->service.settings.allow_user_machines = true;
	make(cast.world, cast.client, "");
	cr_assert_str_eq(call(cast.world, cast.client, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"agent\":{\"pid\":400}}"),
			 INVALID);
	char *of_another = strdup(reply_string(cast.world, "message"));
	call(cast.world, cast.client, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_B "\",\"agent\":{\"pid\":99999}}");
	cr_assert_str_eq(reply_string(cast.world, "message"), of_another);
	cr_assert_str_eq(call(cast.world, cast.client, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\","
			      "\"displayClients\":[{\"user\":\"bob\"}]}"),
			 INVALID);
	cr_assert_str_eq(call(cast.world, cast.stranger, UPDATE_MACHINE, NAMES_B),
			 "STATUS_ACCESS_DENIED");
	free(of_another);
	cast_free(&cast);
}

Test(parties, no_resources_to_look_with_is_not_the_callers_fault)
{
	Cast cast = cast_new_quiet();

	cast.world->exhaust_find = true;
	cr_assert_str_eq(make(cast.world, cast.admin, ",\"vmmPid\":300"),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cast.world->exhaust_find = false;
	cast.viewer->credentials_evidence = EVIDENCE_EXHAUSTED;
	cr_assert_str_eq(make(cast.world, cast.admin, ",\"vmmPid\":300"),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_str_eq(make(cast.world, cast.admin, ",\"vmmPid\":400,\"agent\":{\"pid\":300}"),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cast_free(&cast);
}
