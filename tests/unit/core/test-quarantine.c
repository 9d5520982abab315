/* SPDX-License-Identifier: MIT */
/*
 * Proves that a quarantine belongs to a GUID, ends registrations, and is saved before it takes
 * effect.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(quarantine);

#define SUCCESS   "STATUS_SUCCESS"
#define IMPOSE(g) "{\"virtualMachineGuid\":\"" g "\",\"quarantined\":true,\"reason\":\"gpu hang\"}"
#define LIFT(g)   "{\"virtualMachineGuid\":\"" g "\",\"quarantined\":false}"

Test(quarantine, ends_registrations_and_refuses_new_ones)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;

	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(call(fake_host, fixture.admin, SET_QUARANTINE, IMPOSE(GUID_A)), SUCCESS);
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_UNREGISTERED)->reason, END_QUARANTINED);
	cr_assert_eq(fake_host_events(fake_host, EVENT_QUARANTINED), 1u);
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(fake_host_last_audit_record(fake_host)->reason, "quarantined");
	call(fake_host, fixture.admin, DESCRIBE, NAMES_A);
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.quarantineReason"), "gpu hang");
	cr_assert_str_eq(call(fake_host, fixture.admin, SET_QUARANTINE, LIFT(GUID_A)), SUCCESS);
	cr_assert_eq(fake_host_events(fake_host, EVENT_QUARANTINE_LIFTED), 1u);
	cr_assert_null(fake_host_find_quarantine(fake_host, GUID_A));
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
	host_fixture_free(&fixture);
}

Test(quarantine, exists_before_and_after_the_vm)
{
	HostFixture fixture = host_fixture_new_quiet();
	FakeHost *fake_host = fixture.fake_host;

	cr_assert_str_eq(call(fake_host, fixture.admin, SET_QUARANTINE, IMPOSE(GUID_A)), SUCCESS);
	for (int life = 0; life < 2; life++) {
		call(fake_host, fixture.admin, REGISTER_MACHINE,
		     "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200,"
		     "\"displayClients\":[{\"user\":\"alice\"}]}");
		call(fake_host, fixture.admin, ASSIGN, NAMES_A);
		cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A),
				 "STATUS_ACCESS_DENIED");
		cr_assert_str_eq(call(fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A),
				 SUCCESS);
		cr_assert_not_null(fake_host_find_quarantine(fake_host, GUID_A));
	}
	host_fixture_free(&fixture);
}

Test(quarantine, failed_save_changes_nothing)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;

	call(fake_host, fixture.client, REGISTER, NAMES_A);
	fake_host->refuse_quarantine = true;
	cr_assert_str_eq(call(fake_host, fixture.admin, SET_QUARANTINE, IMPOSE(GUID_A)),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_eq(fake_host_events(fake_host, EVENT_UNREGISTERED), 0u);
	cr_assert_eq(
		accounts_used(&fake_host->service.broker->accounts, OPERATOR(0), LIMIT_QUARANTINES),
		0u);
	cr_assert_str_eq(call(fake_host, fixture.admin, SET_QUARANTINE, LIFT(GUID_A)), SUCCESS,
			 "there is no quarantine to lift, so nothing is written");
	fake_host->refuse_quarantine = false;
	call(fake_host, fixture.admin, SET_QUARANTINE, IMPOSE(GUID_A));
	fake_host->refuse_quarantine = true;
	cr_assert_str_eq(call(fake_host, fixture.admin, SET_QUARANTINE, LIFT(GUID_A)),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A),
			 "STATUS_ACCESS_DENIED");
	host_fixture_free(&fixture);
}

Test(quarantine, second_reason_replaces_the_first)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;

	call(fake_host, fixture.admin, SET_QUARANTINE, IMPOSE(GUID_A));
	cr_assert_str_eq(call(fake_host, fixture.admin, SET_QUARANTINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true,"
			      "\"reason\":\"again\"}"),
			 SUCCESS);
	call(fake_host, fixture.admin, LIST_QUARANTINES, NULL);
	cr_assert_eq(reply_count(fake_host, "quarantines"), 1u);
	cr_assert_str_eq(reply_string(fake_host, "quarantines[0].reason"), "again");
	cr_assert_str_eq(fake_host_find_quarantine(fake_host, GUID_A)->reason, "again");
	cr_assert_eq(
		accounts_used(&fake_host->service.broker->accounts, OPERATOR(0), LIMIT_QUARANTINES),
		1u);
	host_fixture_free(&fixture);
}

Test(quarantine, only_operators_have_access)
{
	HostFixture fixture = host_fixture_new();
	Caller *const others[] = { fixture.client, fixture.stranger, fixture.machine };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		cr_assert_str_eq(call(fixture.fake_host, others[i], SET_QUARANTINE, IMPOSE(GUID_A)),
				 "STATUS_ACCESS_DENIED");
		cr_assert_str_eq(call(fixture.fake_host, others[i], LIST_QUARANTINES, NULL),
				 "STATUS_ACCESS_DENIED");
	}
	cr_assert_eq(fixture.fake_host->quarantine_count, 0u);
	host_fixture_free(&fixture);
}

Test(quarantine, stopping_the_broker_lifts_nothing)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;

	call(fake_host, fixture.admin, SET_QUARANTINE, IMPOSE(GUID_A));
	size_t lifted = fake_host_events(fake_host, EVENT_QUARANTINE_LIFTED);
	fake_host->service.broker = broker_free(fake_host->service.broker);
	cr_assert_eq(fake_host_events(fake_host, EVENT_QUARANTINE_LIFTED), lifted);
	cr_assert_not_null(fake_host_find_quarantine(fake_host, GUID_A));
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_VIRTUAL_MACHINE_REMOVED)->reason,
		     END_DAEMON_STOPPED);
	fake_host_free(fake_host);
}

/* Quarantines survive a restart with a lower limit. */
Test(quarantine, restore_ignores_limits)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;
	Broker *broker = fake_host->service.broker;
	Guid guid;
	Failure failure;
	char *reason = strdup("before");

	fake_host->service.settings.limits.per_uid[LIMIT_QUARANTINES] = 0;
	fake_host->service.settings.limits.host_wide[LIMIT_QUARANTINES] = 0;
	fake_host_reload(fake_host);
	cr_assert(guid_parse(GUID_A, &guid));
	cr_assert_eq(quarantine_restore(broker, OPERATOR(0), &guid, &reason, &failure),
		     STATUS_SUCCESS);
	cr_assert_null(reason, "the broker took ownership");
	cr_assert_eq(accounts_used(&broker->accounts, OPERATOR(0), LIMIT_QUARANTINES), 1u);
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A),
			 "STATUS_ACCESS_DENIED");
	host_fixture_free(&fixture);
}

Test(quarantine, imposing_again_without_a_reason_keeps_the_old_one)
{
	HostFixture fixture = host_fixture_new();

	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, SET_QUARANTINE, IMPOSE(GUID_A)),
			 SUCCESS);
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, SET_QUARANTINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}"),
			 SUCCESS);
	call(fixture.fake_host, fixture.admin, DESCRIBE, NAMES_A);
	cr_assert_str_eq(reply_string(fixture.fake_host, "virtualMachine.quarantineReason"),
			 "gpu hang");
	host_fixture_free(&fixture);
}
