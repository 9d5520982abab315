/* SPDX-License-Identifier: MIT */
/* The memory that vail-view keeps for the pictures of a VM. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "client/vail-view/follower.h"

static Follower follower;

static void set_up(void)
{
	follower = (Follower){ .bytes_max = 100 };
}

static void tear_down(void)
{
	follower_deinit(&follower);
}

TestSuite(follower, .init = set_up, .fini = tear_down);

static void keep(size_t i, size_t size, uint64_t last_shown)
{
	Screen *screen = &follower.screens[i];

	screen->framebuffer.size = size;
	screen->framebuffer.pixels = malloc(size);
	screen->last_shown = last_shown;
}

static size_t kept(size_t i)
{
	return follower.screens[i].framebuffer.size;
}

Test(follower, pictures_that_fit_are_kept)
{
	keep(0, 50, 1);
	keep(1, 30, 2);
	keep(2, 20, 0);
	follower_close_surplus(&follower, &follower.screens[2]);
	cr_expect_eq(kept(0), 50u);
	cr_expect_eq(kept(1), 30u);
	cr_expect_eq(kept(2), 20u);
}

Test(follower, the_oldest_pictures_go_first)
{
	keep(0, 50, 3);
	keep(1, 30, 2);
	keep(2, 20, 1);
	keep(3, 40, 0);
	follower_close_surplus(&follower, &follower.screens[3]);
	cr_expect_eq(kept(0), 50u);
	cr_expect_eq(kept(1), 0u);
	cr_expect_eq(kept(2), 0u);
	cr_expect_eq(kept(3), 40u);
}

Test(follower, the_picture_that_was_opened_stays)
{
	keep(0, 90, 1);
	keep(1, 100, 0);
	follower_close_surplus(&follower, &follower.screens[1]);
	cr_expect_eq(kept(0), 0u);
	cr_expect_eq(kept(1), 100u);
}
