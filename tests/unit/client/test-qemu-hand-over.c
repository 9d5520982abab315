/* SPDX-License-Identifier: MIT */
/* The waits of vail-qemu for a GUID that another VM has. */
#include <criterion/criterion.h>

#include "client/vail-qemu/hand-over.h"
#include "proto/macros.h"

TestSuite(qemu_hand_over);

Test(qemu_hand_over, the_first_attempt_is_due_at_once)
{
	const CollisionWait wait = { 0 };

	cr_assert_eq(collision_wait_left(&wait, 0), 0);
}

Test(qemu_hand_over, the_intervals_grow_to_eight_seconds)
{
	static const int intervals[] = { 1000, 2000, 4000, 8000, 8000, 8000 };
	CollisionWait wait = { 0 };
	int64_t now = 7;

	for (size_t i = 0; i < ARRAY_SIZE(intervals); i++) {
		collision_wait_begin(&wait, now);
		cr_assert_eq(collision_wait_left(&wait, now), intervals[i]);
		cr_assert_eq(collision_wait_left(&wait, now + intervals[i] - 1), 1);
		now += intervals[i] + 5; /* the process may have been stopped */
		cr_assert_eq(collision_wait_left(&wait, now), 0);
	}
}
