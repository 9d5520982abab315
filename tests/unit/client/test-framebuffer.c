/* SPDX-License-Identifier: MIT */
/*
 * vail-view's framebuffer: which bytes become stale for any damage that a sharer reports, and which
 * objects are accepted as images.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/object-image.h"
#include "client/vail-view/framebuffer.h"

TestSuite(framebuffer);

#define XR24 VAIL_FORMAT('X', 'R', '2', '4')

static VailObjectInfo image_info(uint32_t width, uint32_t height, uint64_t stride)
{
	VailObjectInfo info = { .size = sizeof(info),
				.type = VAIL_OBJECT_RESOURCE,
				.width = width,
				.height = height,
				.format = XR24,
				.plane_count = 1 };

	info.planes[0].stride = stride;
	return info;
}

static Framebuffer make_framebuffer(uint32_t width, uint32_t height, uint64_t stride)
{
	VailObjectInfo info = image_info(width, height, stride);
	Framebuffer framebuffer;

	cr_assert(framebuffer_init(&framebuffer, &info));
	return framebuffer;
}

Test(framebuffer, size_ends_with_the_last_pixel)
{
	Framebuffer framebuffer = make_framebuffer(3, 2, 100);

	cr_assert_eq(framebuffer.size, 112);
	cr_assert_eq(framebuffer.stale.count, 1);
	cr_assert_eq(framebuffer.stale.ranges[0].offset, 0);
	cr_assert_eq(framebuffer.stale.ranges[0].size, 112);
	framebuffer_deinit(&framebuffer);
	framebuffer_deinit(&framebuffer); /* a second call is allowed */
}

#define MAX UINT32_MAX

/* Damage to an image of 10 x 5 pixels with a stride of 64 bytes, and the expected stale range. */
static const struct {
	VailRectangle rectangle;
	size_t offset;
	size_t size; /* 0 if nothing becomes stale */
} rectangles[] = {
	{ { 0, 0, 10, 5 }, 0, 4 * 64 + 40 },
	{ { 0, 0, 1, 1 }, 0, 4 },
	{ { 9, 4, 1, 1 }, 4 * 64 + 36, 4 },
	{ { 3, 1, 4, 2 }, 64 + 12, 64 + 16 },
	{ { 3, 1, 4, 1 }, 64 + 12, 16 },
	{ { 0, 0, 0, 1 }, 0, 0 },
	{ { 0, 0, 1, 0 }, 0, 0 },
	{ { 10, 0, 1, 1 }, 0, 0 },
	{ { 0, 5, 1, 1 }, 0, 0 },
	{ { MAX, 0, MAX, 1 }, 0, 0 },
	{ { 0, MAX, 1, MAX }, 0, 0 },
	{ { MAX, MAX, MAX, MAX }, 0, 0 },
	{ { 0, 0, MAX, MAX }, 0, 4 * 64 + 40 },
	{ { 9, 4, MAX, MAX }, 4 * 64 + 36, 4 },
	{ { 9, 0, 2, 1 }, 36, 4 },
	{ { 0, 4, 1, 2 }, 4 * 64, 4 },
	{ { 1, 1, MAX, MAX }, 64 + 4, 3 * 64 + 36 },
	{ { 1, 1, MAX - 1, MAX - 1 }, 64 + 4, 3 * 64 + 36 },
};

Test(framebuffer, rectangles_are_clipped_and_converted_to_bytes)
{
	for (size_t i = 0; i < sizeof(rectangles) / sizeof(rectangles[0]); i++) {
		Framebuffer framebuffer = make_framebuffer(10, 5, 64);
		const StaleRanges *stale = &framebuffer.stale;

		framebuffer.stale.count = 0;
		framebuffer_mark_stale(&framebuffer, &rectangles[i].rectangle);
		cr_assert_eq(stale->count, rectangles[i].size > 0 ? 1 : 0, "row %zu", i);
		if (stale->count > 0) {
			cr_assert_eq(stale->ranges[0].offset, rectangles[i].offset, "row %zu", i);
			cr_assert_eq(stale->ranges[0].size, rectangles[i].size, "row %zu", i);
		}
		framebuffer_deinit(&framebuffer);
	}
}

/* The bottom row comes first in memory. Damage counts from the top of the picture. */
Test(framebuffer, damage_is_turned_upside_down_with_the_rows)
{
	static const struct {
		VailRectangle rectangle;
		size_t offset, size;
	} rows[] = {
		{ { 0, 0, 10, 5 }, 0, 4 * 64 + 40 },
		{ { 0, 0, 1, 1 }, 4 * 64, 4 },
		{ { 9, 4, 1, 1 }, 36, 4 },
		{ { 3, 1, 4, 2 }, 2 * 64 + 12, 64 + 16 },
		{ { 1, 1, MAX, MAX }, 4, 3 * 64 + 36 },
		{ { 0, 4, 1, 2 }, 0, 4 },
	};
	VailObjectInfo info = image_info(10, 5, 64);
	Framebuffer framebuffer;

	info.first_row = VAIL_FIRST_ROW_BOTTOM;
	cr_assert(framebuffer_init(&framebuffer, &info));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		framebuffer.stale.count = 0;
		framebuffer_mark_stale(&framebuffer, &rows[i].rectangle);
		cr_assert_eq(framebuffer.stale.count, 1, "row %zu", i);
		cr_assert_eq(framebuffer.stale.ranges[0].offset, rows[i].offset, "row %zu", i);
		cr_assert_eq(framebuffer.stale.ranges[0].size, rows[i].size, "row %zu", i);
	}
	cr_assert_eq(framebuffer_row(&framebuffer, 0), framebuffer.pixels + 4 * 64);
	cr_assert_eq(framebuffer_row(&framebuffer, 4), framebuffer.pixels);
	framebuffer_deinit(&framebuffer);
}

/*
 * Compares random damage with a map of bytes. All damaged bytes are in exactly one range. As long
 * as no ranges had to be merged, no other bytes are in a range.
 */
Test(framebuffer, stale_ranges_cover_damage_without_overlap)
{
	static uint8_t expected[64 * 50], real[64 * 50];

	srandom(20);
	for (int round = 0; round < 300; round++) {
		Framebuffer framebuffer = make_framebuffer(10, 50, 64);
		StaleRanges *stale = &framebuffer.stale;
		long count = 1 + random() % 60;

		stale->count = 0;
		memset(expected, 0, sizeof(expected));
		memset(real, 0, sizeof(real));
		for (long i = 0; i < count; i++) {
			VailRectangle rectangle = { (uint32_t)random() % 10,
						    (uint32_t)random() % 50, 1, 1 };

			framebuffer_mark_stale(&framebuffer, &rectangle);
			memset(expected + rectangle.y * 64 + 4 * rectangle.x, 1, 4);
		}
		cr_assert_leq(stale->count, STALE_RANGES_MAX);
		for (size_t i = 0; i < stale->count; i++) {
			cr_assert_leq(stale->ranges[i].offset + stale->ranges[i].size,
				      framebuffer.size);
			for (size_t j = 0; j < stale->ranges[i].size; j++)
				real[stale->ranges[i].offset + j]++;
		}
		for (size_t i = 0; i < sizeof(real); i++) {
			cr_assert_leq(real[i], 1);
			cr_assert_geq(real[i], expected[i]);
			if (count <= STALE_RANGES_MAX)
				cr_assert_eq(real[i], expected[i]);
		}
		framebuffer_deinit(&framebuffer);
	}
}

Test(framebuffer, marking_all_stale_replaces_other_ranges)
{
	Framebuffer framebuffer = make_framebuffer(10, 5, 64);

	framebuffer.stale.count = 0;
	framebuffer_mark_stale(&framebuffer, &(VailRectangle){ 1, 1, 1, 1 });
	framebuffer_mark_all_stale(&framebuffer);
	framebuffer_mark_stale(&framebuffer, &(VailRectangle){ 2, 2, 2, 2 });
	cr_assert_eq(framebuffer.stale.count, 1);
	cr_assert_eq(framebuffer.stale.ranges[0].size, framebuffer.size);
	framebuffer_deinit(&framebuffer);
}

/* Sizes at and far beyond the limit. */
static const struct {
	uint32_t width;
	uint32_t height;
	uint64_t stride;
	bool is_accepted;
} sizes[] = {
	{ 1, 1, 4, true },
	{ 1, 1, 1u << 30, true },
	{ 0, 1, 4, false },
	{ 1, 0, 4, false },
	{ 0, 0, 0, false },
	{ 2, 1, 7, false },
	{ 16384, 16384, 65536, true },
	{ 16384, 16385, 65536, false },
	{ 1, 2, (1u << 30) - 4, true },
	{ 1, 2, (1u << 30) - 3, false },
	{ 1u << 28, 1, 1u << 30, true },
	{ (1u << 28) + 1, 1, (1u << 30) + 4, false },
	{ MAX, MAX, UINT64_MAX, false },
	{ MAX, MAX, (uint64_t)MAX * 4, false },
	{ 1, MAX, 4, false },
	{ 1, MAX, UINT64_MAX / 4, false },
	{ 1, 1, UINT64_MAX, false },
};

Test(framebuffer, images_of_allowed_size_are_accepted)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		VailObjectInfo info = image_info(sizes[i].width, sizes[i].height, sizes[i].stride);
		char message[200] = "";

		cr_assert_eq(object_image_check(&info, message, sizeof(message)),
			     sizes[i].is_accepted, "row %zu: %s", i, message);
		cr_assert_eq(*message == '\0', sizes[i].is_accepted);
	}
}

/* Checks that the object is refused with a message that contains the text. */
static void expect_refused(const VailObjectInfo *info, const char *text)
{
	char message[200] = "";

	cr_assert_not(object_image_check(info, message, sizeof(message)));
	cr_assert_not_null(strstr(message, text), "%s", message);
}

Test(framebuffer, other_objects_are_refused)
{
	VailObjectInfo info = image_info(8, 8, 32);

	info.modifier = 1;
	expect_refused(&info, "not linear");
	info = image_info(8, 8, 32);
	info.plane_count = 2;
	expect_refused(&info, "2 planes");
	info = image_info(8, 8, 32);
	info.format = VAIL_FORMAT('N', 'V', '1', '2');
	expect_refused(&info, "NV12");
	info.plane_count = 0;
	expect_refused(&info, "not an image");
}

Test(framebuffer, a_range_touches_all_rows_from_its_first_to_its_last_byte)
{
	static const struct {
		ByteRange range;
		uint32_t first;
		uint32_t count;
	} cases[] = {
		{ { 0, 1 }, 0, 1 },     { { 0, 64 }, 0, 1 },          { { 0, 65 }, 0, 2 },
		{ { 63, 1 }, 0, 1 },    { { 63, 2 }, 0, 2 },          { { 64, 64 }, 1, 1 },
		{ { 100, 100 }, 1, 3 }, { { 0, 4 * 64 + 40 }, 0, 5 }, { { 4 * 64 + 36, 4 }, 4, 1 },
	};
	Framebuffer framebuffer = make_framebuffer(10, 5, 64);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t first, count;

		framebuffer_range_rows(&framebuffer, &cases[i].range, &first, &count);
		cr_expect_eq(first, cases[i].first, "case %zu: first row %u", i, first);
		cr_expect_eq(count, cases[i].count, "case %zu: %u rows", i, count);
	}
	framebuffer_deinit(&framebuffer);
}
