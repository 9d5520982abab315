/* SPDX-License-Identifier: MIT */
/* The quarantine group cannot lock operators out, however low the limit is. */
#include <criterion/criterion.h>

#include "tests/support/fake-host.h"

TestSuite(quarantine_reserve);

Test(quarantine_reserve, a_low_limit_leaves_operators_one)
{
	Limits limits = { 0 };

	for (uint64_t maximum = 1; maximum <= 25; maximum++) {
		limits.host_wide[LIMIT_QUARANTINES] = maximum;
		cr_assert_eq(limit_maximum_for_others(&limits, LIMIT_QUARANTINES),
			     maximum - (maximum + 9) / 10);
	}
}
