/* SPDX-License-Identifier: MIT */
/* Proves that a quarantine belongs to a GUID, ends registrations, and is saved before it takes
 * effect. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(quarantine);

#define SUCCESS   "STATUS_SUCCESS"
#define IMPOSE(g) "{\"virtualMachineGuid\":\"" g "\",\"quarantined\":true,\"reason\":\"gpu hang\"}"
#define LIFT(g)   "{\"virtualMachineGuid\":\"" g "\",\"quarantined\":false}"

Test(quarantine, ends_registrations_and_refuses_new_ones)
{
	Cast cast = cast_new();
	World *world = cast.world;

	cr_assert_str_eq(call(world, cast.client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(call(world, cast.admin, SET_QUARANTINE, IMPOSE(GUID_A)), SUCCESS);
	cr_assert_eq(world_last_event(world, EVENT_UNREGISTERED)->reason, END_QUARANTINED);
	cr_assert_eq(world_events(world, EVENT_QUARANTINED), 1u);
	cr_assert_str_eq(call(world, cast.client, REGISTER, NAMES_A), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(world_last_record(world)->reason, "quarantined");
	call(world, cast.admin, DESCRIBE, NAMES_A);
	cr_assert_str_eq(reply_string(world, "virtualMachine.quarantineReason"), "gpu hang");
	cr_assert_str_eq(call(world, cast.admin, SET_QUARANTINE, LIFT(GUID_A)), SUCCESS);
	cr_assert_eq(world_events(world, EVENT_QUARANTINE_LIFTED), 1u);
	cr_assert_null(world_kept_quarantine(world, GUID_A));
	cr_assert_str_eq(call(world, cast.client, REGISTER, NAMES_A), SUCCESS);
	cast_free(&cast);
}

Test(quarantine, exists_before_and_after_the_vm)
{
	Cast cast = cast_new_quiet();
	World *world = cast.world;

	cr_assert_str_eq(call(world, cast.admin, SET_QUARANTINE, IMPOSE(GUID_A)), SUCCESS);
	for (int life = 0; life < 2; life++) {
		call(world, cast.admin, REGISTER_MACHINE,
		     "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200,"
		     "\"displayClients\":[{\"user\":\"alice\"}]}");
		call(world, cast.admin, ASSIGN, NAMES_A);
		cr_assert_str_eq(call(world, cast.client, REGISTER, NAMES_A),
				 "STATUS_ACCESS_DENIED");
		cr_assert_str_eq(call(world, cast.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
		cr_assert_not_null(world_kept_quarantine(world, GUID_A));
	}
	cast_free(&cast);
}

Test(quarantine, failed_save_changes_nothing)
{
	Cast cast = cast_new();
	World *world = cast.world;

	call(world, cast.client, REGISTER, NAMES_A);
	world->refuse_store = true;
	cr_assert_str_eq(call(world, cast.admin, SET_QUARANTINE, IMPOSE(GUID_A)),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_eq(world_events(world, EVENT_UNREGISTERED), 0u);
	cr_assert_eq(accounts_used(&world->service.broker->accounts, 0, LIMIT_QUARANTINES), 0u);
	cr_assert_str_eq(call(world, cast.admin, SET_QUARANTINE, LIFT(GUID_A)), SUCCESS,
			 "there is no quarantine to lift, so nothing is written");
	world->refuse_store = false;
	call(world, cast.admin, SET_QUARANTINE, IMPOSE(GUID_A));
	world->refuse_store = true;
	cr_assert_str_eq(call(world, cast.admin, SET_QUARANTINE, LIFT(GUID_A)),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_str_eq(call(world, cast.client, REGISTER, NAMES_A), "STATUS_ACCESS_DENIED");
	cast_free(&cast);
}

Test(quarantine, second_reason_replaces_the_first)
{
	Cast cast = cast_new();
	World *world = cast.world;

	call(world, cast.admin, SET_QUARANTINE, IMPOSE(GUID_A));
	cr_assert_str_eq(call(world, cast.admin, SET_QUARANTINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true,"
			      "\"reason\":\"again\"}"),
			 SUCCESS);
	call(world, cast.admin, LIST_QUARANTINES, NULL);
	cr_assert_eq(reply_count(world, "quarantines"), 1u);
	cr_assert_str_eq(reply_string(world, "quarantines[0].reason"), "again");
	cr_assert_str_eq(world_kept_quarantine(world, GUID_A)->reason, "again");
	cr_assert_eq(accounts_used(&world->service.broker->accounts, 0, LIMIT_QUARANTINES), 1u);
	cast_free(&cast);
}

Test(quarantine, only_operators_have_access)
{
	Cast cast = cast_new();
	Caller *const others[] = { cast.client, cast.stranger, cast.machine };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		cr_assert_str_eq(call(cast.world, others[i], SET_QUARANTINE, IMPOSE(GUID_A)),
				 "STATUS_ACCESS_DENIED");
		cr_assert_str_eq(call(cast.world, others[i], LIST_QUARANTINES, NULL),
				 "STATUS_ACCESS_DENIED");
	}
	cr_assert_eq(cast.world->quarantine_count, 0u);
	cast_free(&cast);
}

Test(quarantine, stopping_the_broker_lifts_nothing)
{
	Cast cast = cast_new();
	World *world = cast.world;

	call(world, cast.admin, SET_QUARANTINE, IMPOSE(GUID_A));
	size_t lifted = world_events(world, EVENT_QUARANTINE_LIFTED);
	world->service.broker = broker_free(world->service.broker);
	cr_assert_eq(world_events(world, EVENT_QUARANTINE_LIFTED), lifted);
	cr_assert_not_null(world_kept_quarantine(world, GUID_A));
	cr_assert_eq(world_last_event(world, EVENT_VIRTUAL_MACHINE_REMOVED)->reason,
		     END_DAEMON_STOPPED);
	world_free(world);
}

/* Quarantines survive a restart with a lower limit. */
Test(quarantine, restore_ignores_limits)
{
	Cast cast = cast_new();
	World *world = cast.world;
	Broker *broker = world->service.broker;
	Guid guid;
	Failure failure;
	char *reason = strdup("before");

	world->service.settings.limits.per_uid[LIMIT_QUARANTINES] = 0;
	world->service.settings.limits.in_all[LIMIT_QUARANTINES] = 0;
	world_reload(world);
	cr_assert(guid_parse(GUID_A, &guid));
	cr_assert_eq(quarantine_restore(broker, &guid, &reason, &failure), STATUS_SUCCESS);
	cr_assert_null(reason, "the broker took ownership");
	cr_assert_eq(accounts_used(&broker->accounts, 0, LIMIT_QUARANTINES), 1u);
	cr_assert_str_eq(call(world, cast.client, REGISTER, NAMES_A), "STATUS_ACCESS_DENIED");
	cast_free(&cast);
}

Test(quarantine, imposing_again_without_a_reason_keeps_the_old_one)
{
	Cast cast = cast_new();

	cr_assert_str_eq(call(cast.world, cast.admin, SET_QUARANTINE, IMPOSE(GUID_A)), SUCCESS);
	cr_assert_str_eq(call(cast.world, cast.admin, SET_QUARANTINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}"),
			 SUCCESS);
	call(cast.world, cast.admin, DESCRIBE, NAMES_A);
	cr_assert_str_eq(reply_string(cast.world, "virtualMachine.quarantineReason"), "gpu hang");
	cast_free(&cast);
}
