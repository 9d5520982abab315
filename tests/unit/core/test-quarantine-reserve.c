/* SPDX-License-Identifier: MIT */
/* The quarantine group cannot lock operators out: not by a restart, and not with a low limit. */
#include <criterion/criterion.h>

#include "daemon/core/account.h"
#include "tests/support/fake-host.h"

TestSuite(quarantine_reserve);

#define IMPOSE(guid) "{\"virtualMachineGuid\":\"" guid "\",\"quarantined\":true}"

static uint64_t used_by(const FakeHost *fake_host, uid_t uid, bool is_operator)
{
	const Payer payer = { .uid = uid, .is_operator = is_operator };

	return accounts_used(&fake_host->service.broker->accounts, &payer, LIMIT_QUARANTINES);
}

Test(quarantine_reserve, a_restart_charges_nothing_of_the_group_to_root)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;
	Limits *limits = &fake_host->service.settings.limits;

	limits->per_uid[LIMIT_QUARANTINES] = 2;
	fake_host_reload(fake_host);
	fixture.client->may_quarantine = true;
	cr_assert_str_eq(call(fake_host, fixture.client, SET_QUARANTINE, IMPOSE(GUID_B)),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(call(fake_host, fixture.client, SET_QUARANTINE, IMPOSE(GUID_C)),
			 "STATUS_SUCCESS");
	fake_host_restart(fake_host);
	cr_assert_eq(used_by(fake_host, 1000, false), 2u);
	cr_assert_eq(used_by(fake_host, 0, true), 0u);
	cr_assert_str_eq(call(fake_host, fixture.admin, SET_QUARANTINE, IMPOSE(GUID_A)),
			 "STATUS_SUCCESS");
	host_fixture_free(&fixture);
}

Test(quarantine_reserve, a_low_limit_leaves_operators_one)
{
	Limits limits = { 0 };

	for (uint64_t maximum = 1; maximum <= 25; maximum++) {
		limits.host_wide[LIMIT_QUARANTINES] = maximum;
		cr_assert_eq(limit_maximum_for_others(&limits, LIMIT_QUARANTINES),
			     maximum - (maximum + 9) / 10);
	}
}
