/* SPDX-License-Identifier: MIT */
/* The quarantine group cannot lock operators out: not by a restart, and not with a low limit. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(quarantine_reserve);

static void restore(Broker *broker, const char *guid_text)
{
	Guid guid;
	Failure failure;
	char *reason = strdup("before");

	cr_assert(guid_parse(guid_text, &guid));
	cr_assert_eq(quarantine_restore(broker, &guid, &reason, &failure), STATUS_SUCCESS);
}

Test(quarantine_reserve, quarantines_from_before_a_restart_leave_operators_theirs)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;

	fake_host->service.settings.limits.per_uid[LIMIT_QUARANTINES] = 2;
	fake_host->service.settings.limits.host_wide[LIMIT_QUARANTINES] = 2;
	fake_host_reload(fake_host);
	restore(fake_host->service.broker, GUID_B);
	restore(fake_host->service.broker, GUID_C);
	cr_assert_str_eq(call(fake_host, fixture.admin, SET_QUARANTINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}"),
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
