/* SPDX-License-Identifier: MIT */
/* The place of a picture in vail-view's window: sizes, edges and the largest numbers. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "client/vail-view/placement.h"

TestSuite(placement);

#define MAX INT32_MAX
#define MIN INT32_MIN

static void expect_box(Box box, Box expected, const char *what, size_t i)
{
	cr_expect(box.x == expected.x && box.y == expected.y && box.width == expected.width &&
			  box.height == expected.height,
		  "%s, case %zu: %d,%d %d x %d instead of %d,%d %d x %d", what, i, box.x, box.y,
		  box.width, box.height, expected.x, expected.y, expected.width, expected.height);
}

static const struct {
	Size picture;
	Size window;
	Box fit;
	Box actual;
} boxes[] = {
	{ { 640, 480 }, { 640, 480 }, { 0, 0, 640, 480 }, { 0, 0, 640, 480 } },
	{ { 640, 480 }, { 1280, 960 }, { 0, 0, 1280, 960 }, { 320, 240, 640, 480 } },
	{ { 640, 480 }, { 1280, 480 }, { 320, 0, 640, 480 }, { 320, 0, 640, 480 } },
	{ { 640, 480 }, { 640, 960 }, { 0, 240, 640, 480 }, { 0, 240, 640, 480 } },
	{ { 640, 480 }, { 320, 400 }, { 0, 80, 320, 240 }, { 0, 0, 640, 480 } },
	{ { 640, 480 }, { 641, 481 }, { 0, 0, 641, 480 }, { 0, 0, 640, 480 } },
	{ { 3, 2 }, { 100, 100 }, { 0, 17, 100, 66 }, { 48, 49, 3, 2 } },
	{ { 10000, 1 }, { 100, 100 }, { 0, 49, 100, 1 }, { 0, 49, 10000, 1 } },
	{ { 1, 10000 }, { 100, 100 }, { 49, 0, 1, 100 }, { 49, 0, 1, 10000 } },
	{ { 1, 1 }, { 1, 1 }, { 0, 0, 1, 1 }, { 0, 0, 1, 1 } },
	{ { MAX, 1 }, { 1, 1 }, { 0, 0, 1, 1 }, { 0, 0, MAX, 1 } },
	{ { 1, 1 }, { MAX, MAX }, { 0, 0, MAX, MAX }, { MAX / 2, MAX / 2, 1, 1 } },
	{ { MAX, MAX }, { MAX, MAX }, { 0, 0, MAX, MAX }, { 0, 0, MAX, MAX } },
};

Test(placement, a_picture_is_scaled_or_shown_as_it_is)
{
	for (size_t i = 0; i < sizeof(boxes) / sizeof(boxes[0]); i++) {
		expect_box(placement_fit(boxes[i].picture, boxes[i].window), boxes[i].fit, "fit",
			   i);
		expect_box(placement_actual(boxes[i].picture, boxes[i].window), boxes[i].actual,
			   "actual", i);
	}
}

/* A scaled picture touches two opposite edges, is centred, and has its aspect within a pixel. */
Test(placement, any_picture_fits_into_any_window)
{
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		Size picture = { 1 + (int32_t)(random() % 5000), 1 + (int32_t)(random() % 5000) };
		Size window = { 1 + (int32_t)(random() % 5000), 1 + (int32_t)(random() % 5000) };
		Box box = placement_fit(picture, window);
		int64_t by_width = (int64_t)box.width * picture.height;
		int64_t by_height = (int64_t)box.height * picture.width;

		cr_assert(box.width == window.width || box.height == window.height);
		cr_assert(box.width <= window.width && box.height <= window.height);
		cr_assert_eq(box.x, (window.width - box.width) / 2);
		cr_assert_eq(box.y, (window.height - box.height) / 2);
		cr_assert(llabs(by_width - by_height) <=
				  (picture.width > picture.height ? picture.width : picture.height),
			  "%d x %d in %d x %d: %d x %d", picture.width, picture.height,
			  window.width, window.height, box.width, box.height);
	}
}

static const struct {
	Size picture;
	Box place;
	Box part;
	Box expected;
} parts[] = {
	{ { 10, 10 }, { 0, 0, 10, 10 }, { 2, 3, 4, 5 }, { 2, 3, 4, 5 } },
	{ { 10, 10 }, { 7, 8, 20, 30 }, { 2, 3, 4, 5 }, { 11, 17, 8, 15 } },
	{ { 10, 10 }, { 0, 0, 5, 5 }, { 3, -3, 1, 1 }, { 1, -2, 1, 1 } },
	{ { 10, 10 }, { 0, 0, 10, 10 }, { MIN, MAX, 1, 1 }, { MIN, MAX, 1, 1 } },
	{ { 1, 1 }, { 5, 5, 100, 100 }, { MIN, MAX, MAX, 1 }, { MIN + 5, MAX, MAX, 100 } },
	{ { 1, 1 }, { -1, MAX, MAX, MAX }, { -1, 1, 1, 1 }, { MIN, MAX, MAX, MAX } },
};

Test(placement, a_part_is_scaled_with_its_picture)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		expect_box(placement_part(parts[i].picture, parts[i].place, parts[i].part),
			   parts[i].expected, "part", i);
}

Test(placement, a_window_is_as_large_as_its_picture_if_there_is_room)
{
	static const struct {
		Size picture;
		Size room;
		Size expected;
	} cases[] = {
		{ { 640, 480 }, { 1280, 1024 }, { 640, 480 } },
		{ { 640, 480 }, { 640, 480 }, { 640, 480 } },
		{ { 2560, 1024 }, { 1280, 1024 }, { 1280, 512 } },
		{ { 1280, 2048 }, { 1280, 1024 }, { 640, 1024 } },
		{ { MAX, MAX }, { 100, 50 }, { 50, 50 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		Size size = placement_window(cases[i].picture, cases[i].room);

		cr_expect(size.width == cases[i].expected.width &&
				  size.height == cases[i].expected.height,
			  "case %zu: %d x %d", i, size.width, size.height);
	}
}

static const struct {
	Size picture;
	Box place;
	Point point;
	Point expected;
} points[] = {
	{ { 640, 480 }, { 0, 0, 640, 480 }, { 0, 0 }, { 0, 0 } },
	{ { 640, 480 }, { 0, 0, 640, 480 }, { 639, 479 }, { 639, 479 } },
	{ { 640, 480 }, { 10, 20, 640, 480 }, { 15, 21 }, { 5, 1 } },
	{ { 640, 480 }, { 0, 0, 1280, 960 }, { 1, 1 }, { 0, 0 } },
	{ { 640, 480 }, { 0, 0, 1280, 960 }, { 1279, 959 }, { 639, 479 } },
	{ { 640, 480 }, { 0, 0, 320, 240 }, { 319, 239 }, { 638, 478 } },
	/* next to the picture */
	{ { 640, 480 }, { 50, 60, 640, 480 }, { 0, 0 }, { 0, 0 } },
	{ { 640, 480 }, { 50, 60, 640, 480 }, { 49, 1000 }, { 0, 479 } },
	{ { 640, 480 }, { 50, 60, 640, 480 }, { 690, 59 }, { 639, 0 } },
	/* the largest numbers */
	{ { MAX, MAX }, { 0, 0, 1, 1 }, { MAX, MIN }, { MAX - 1, 0 } },
	{ { 1, 1 }, { MIN, MAX, MAX, MAX }, { MAX, MIN }, { 0, 0 } },
	{ { MAX, MAX }, { MAX, MIN, MAX, 1 }, { MIN, MAX }, { 0, MAX - 1 } },
};

Test(placement, a_point_of_the_window_is_a_pixel_of_the_picture)
{
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		Point point = placement_point(points[i].picture, points[i].place, points[i].point);

		cr_expect(point.x == points[i].expected.x && point.y == points[i].expected.y,
			  "case %zu: %d,%d instead of %d,%d", i, point.x, point.y,
			  points[i].expected.x, points[i].expected.y);
	}
}

/* Each pixel of a scaled picture is found again where it is drawn. */
Test(placement, a_point_in_a_pixel_is_that_pixel)
{
	Size picture = { 99, 77 };

	for (int32_t factor = 1; factor < 5; factor++) {
		Box place = { 13, -7, picture.width * factor, picture.height * factor };

		for (int32_t i = 0; i < picture.width; i++) {
			Box part = placement_part(picture, place, (Box){ i, i % 77, 1, 1 });
			Point point = placement_point(picture, place,
						      (Point){ part.x + factor - 1, part.y });

			cr_assert_eq(point.x, i);
			cr_assert_eq(point.y, i % 77);
		}
	}
}
