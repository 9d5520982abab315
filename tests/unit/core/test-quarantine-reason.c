/* SPDX-License-Identifier: MIT */
/* Proves whose quarantine it is: a change can expect a reason, and operators take over the fleet's.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(quarantine_reason);

#define SUCCESS      "STATUS_SUCCESS"
#define WRONG_STATE  "STATUS_INVALID_DEVICE_STATE"
#define IMPOSE(more) "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true" more "}"
#define LIFT(more)   "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":false" more "}"
#define REASON(text) ",\"reason\":\"" text "\""
#define EXPECT(text) ",\"expectedReason\":\"" text "\""

/* Sets the quarantine as an operator and returns the status. */
static const char *set(const HostFixture *fixture, const char *parameters)
{
	return call(fixture->fake_host, fixture->admin, SET_QUARANTINE, parameters);
}

/* Returns the saved reason, which is that of the last change. */
static const char *saved_reason(const HostFixture *fixture)
{
	return fake_host_find_quarantine(fixture->fake_host, GUID_A)->reason;
}

Test(quarantine_reason, another_reason_refuses_to_lift)
{
	HostFixture fixture = host_fixture_new();

	cr_assert_str_eq(set(&fixture, IMPOSE(REASON("gpu hang"))), SUCCESS);
	cr_assert_str_eq(set(&fixture, LIFT(EXPECT("fleet: x"))), WRONG_STATE);
	cr_assert_str_eq(set(&fixture, LIFT(EXPECT(""))), WRONG_STATE);
	cr_assert_str_eq(saved_reason(&fixture), "gpu hang");
	cr_assert_eq(fake_host_events(fixture.fake_host, EVENT_QUARANTINE_LIFTED), 0u);
	cr_assert_str_eq(set(&fixture, LIFT(EXPECT("gpu hang"))), SUCCESS);
	cr_assert_null(fake_host_find_quarantine(fixture.fake_host, GUID_A));
	host_fixture_free(&fixture);
}

Test(quarantine_reason, another_reason_refuses_to_impose)
{
	HostFixture fixture = host_fixture_new();

	cr_assert_str_eq(set(&fixture, IMPOSE(REASON("gpu hang"))), SUCCESS);
	cr_assert_str_eq(set(&fixture, IMPOSE(REASON("fleet: x") EXPECT("fleet: x"))), WRONG_STATE);
	cr_assert_str_eq(saved_reason(&fixture), "gpu hang");
	cr_assert_str_eq(set(&fixture, IMPOSE(REASON("again") EXPECT("gpu hang"))), SUCCESS);
	cr_assert_str_eq(saved_reason(&fixture), "again");
	host_fixture_free(&fixture);
}

/* A GUID without a quarantine has no reason that could be another one. */
Test(quarantine_reason, no_quarantine_fits_every_expected_reason)
{
	HostFixture fixture = host_fixture_new();

	cr_assert_str_eq(set(&fixture, LIFT(EXPECT("fleet: x"))), SUCCESS);
	cr_assert_str_eq(set(&fixture, IMPOSE(REASON("fleet: x") EXPECT("fleet: x"))), SUCCESS);
	cr_assert_str_eq(saved_reason(&fixture), "fleet: x");
	host_fixture_free(&fixture);
}

Test(quarantine_reason, empty_text_expects_no_reason)
{
	HostFixture fixture = host_fixture_new();

	cr_assert_str_eq(set(&fixture, IMPOSE("")), SUCCESS);
	cr_assert_str_eq(set(&fixture, LIFT(EXPECT("fleet: x"))), WRONG_STATE);
	cr_assert_str_eq(set(&fixture, LIFT(EXPECT(""))), SUCCESS);
	host_fixture_free(&fixture);
}

/* The fleet's quarantine becomes the operator's, so a release by the fleet does not lift it. */
Test(quarantine_reason, operators_take_over_a_quarantine_of_the_fleet)
{
	HostFixture fixture = host_fixture_new();

	cr_assert_str_eq(set(&fixture, IMPOSE(REASON("fleet: x"))), SUCCESS);
	cr_assert_str_eq(set(&fixture, IMPOSE("")), SUCCESS);
	call(fixture.fake_host, fixture.admin, LIST_QUARANTINES, NULL);
	cr_assert_eq(reply_count(fixture.fake_host, "quarantines"), 1u);
	cr_assert_str_eq(set(&fixture, LIFT(EXPECT("fleet: x"))), WRONG_STATE);
	cr_assert_str_eq(set(&fixture, LIFT(EXPECT(""))), SUCCESS);
	host_fixture_free(&fixture);
}
