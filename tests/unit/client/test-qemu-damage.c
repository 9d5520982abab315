/* SPDX-License-Identifier: MIT */
/* vail-qemu's damage: rectangles from QEMU are clipped and merged. */
#include <criterion/criterion.h>

#include "client/vail-qemu/damage.h"
#include "proto/macros.h"

TestSuite(qemu_damage);

static const struct {
	int32_t given[4];
	bool inside;
	VailRectangle expected;
} clips[] = {
	{ { 0, 0, 640, 480 }, true, { 0, 0, 640, 480 } },
	{ { 639, 479, 1, 1 }, true, { 639, 479, 1, 1 } },
	{ { 640, 0, 1, 1 }, false, { 0 } },
	{ { 0, 480, 1, 1 }, false, { 0 } },
	{ { -1, -1, 1, 1 }, false, { 0 } },
	{ { -1, -1, 2, 2 }, true, { 0, 0, 1, 1 } },
	{ { 600, 400, 100, 100 }, true, { 600, 400, 40, 80 } },
	{ { 0, 0, 0, 1 }, false, { 0 } },
	{ { 0, 0, 1, -1 }, false, { 0 } },
	{ { INT32_MIN, 0, INT32_MAX, 1 }, false, { 0 } },
	{ { INT32_MAX, 0, INT32_MAX, 1 }, false, { 0 } },
	{ { -5, -5, INT32_MAX, INT32_MAX }, true, { 0, 0, 640, 480 } },
};

static void expect_rectangle(const VailRectangle *real, const VailRectangle *expected)
{
	cr_assert_eq(real->x, expected->x);
	cr_assert_eq(real->y, expected->y);
	cr_assert_eq(real->width, expected->width);
	cr_assert_eq(real->height, expected->height);
}

Test(qemu_damage, rectangles_are_clipped_to_the_screen)
{
	for (size_t i = 0; i < ARRAY_SIZE(clips); i++) {
		VailRectangle real;
		bool inside = damage_clip(clips[i].given, 640, 480, &real);

		cr_assert_eq(inside, clips[i].inside, "row %zu", i);
		if (inside)
			expect_rectangle(&real, &clips[i].expected);
	}
}

Test(qemu_damage, contained_rectangles_are_not_added)
{
	Damage damage = { 0 };

	damage_add(&damage, &(VailRectangle){ 10, 10, 20, 20 });
	damage_add(&damage, &(VailRectangle){ 10, 10, 20, 20 });
	damage_add(&damage, &(VailRectangle){ 12, 12, 5, 5 });
	cr_assert_eq(damage.count, 1u);
	damage_add(&damage, &(VailRectangle){ 9, 12, 5, 5 });
	cr_assert_eq(damage.count, 2u);
}

Test(qemu_damage, too_many_rectangles_are_merged_into_one)
{
	Damage damage = { 0 };

	for (uint32_t i = 0; i < DAMAGE_RECTANGLES_MAX; i++)
		damage_add(&damage, &(VailRectangle){ 100 + 2 * i, 50 + i, 1, 1 });
	cr_assert_eq(damage.count, (size_t)DAMAGE_RECTANGLES_MAX);
	damage_add(&damage, &(VailRectangle){ 7, 300, 3, 4 });
	cr_assert_eq(damage.count, 1u);
	expect_rectangle(
		&damage.rectangles[0],
		&(VailRectangle){ 7, 50, 100 + 2 * (DAMAGE_RECTANGLES_MAX - 1) + 1 - 7, 304 - 50 });
}
