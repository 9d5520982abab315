/* SPDX-License-Identifier: MIT */
/* When vail-view asks the guest for a screen of the window's size. Time passes only in the test. */
#include <criterion/criterion.h>

#include "client/vail-view/guest-size.h"

TestSuite(guest_size);

#define SMALL ((Size){ 640, 480 })
#define LARGE ((Size){ 800, 600 })

Test(guest_size, nothing_is_due_before_a_change)
{
	GuestSize size = GUEST_SIZE_INIT;

	cr_expect_not(guest_size_is_due(&size, SMALL, 0));
	cr_expect_not(guest_size_is_due(&size, SMALL, INT64_MAX - 1));
}

Test(guest_size, a_change_is_due_once_when_it_has_settled)
{
	GuestSize size = GUEST_SIZE_INIT;

	guest_size_note(&size, 1000);
	cr_expect_not(guest_size_is_due(&size, SMALL, 1000 + GUEST_SIZE_SETTLED - 1));
	cr_expect(guest_size_is_due(&size, SMALL, 1000 + GUEST_SIZE_SETTLED));
	cr_expect_eq(size.due_at, GUEST_SIZE_NEVER);
	cr_expect_not(guest_size_is_due(&size, LARGE, INT64_MAX - 1));
}

Test(guest_size, further_changes_delay_it)
{
	GuestSize size = GUEST_SIZE_INIT;
	int64_t now = 0;

	for (int i = 0; i < 1000; i++) {
		guest_size_note(&size, now);
		now += GUEST_SIZE_SETTLED - 1;
		cr_assert_not(guest_size_is_due(&size, SMALL, now));
	}
	cr_expect(guest_size_is_due(&size, LARGE, now + 1));
}

Test(guest_size, the_same_size_is_not_asked_for_again)
{
	GuestSize size = GUEST_SIZE_INIT;

	guest_size_note(&size, 0);
	cr_expect(guest_size_is_due(&size, SMALL, 1000));
	guest_size_note(&size, 1000);
	cr_expect_not(guest_size_is_due(&size, SMALL, 2000));
	guest_size_note(&size, 2000);
	cr_expect(guest_size_is_due(&size, LARGE, 3000));
}
