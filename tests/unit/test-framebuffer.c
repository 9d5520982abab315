/* SPDX-License-Identifier: MIT */
/*
 * Proves which bytes vail-view reads anew when a sharer tells of damage, whatever that says, and
 * which objects it takes for pictures.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "object-picture.h"
#include "view/framebuffer.h"

TestSuite(framebuffer);

#define XR24 VAIL_FORMAT('X', 'R', '2', '4')

static VailObjectInfo picture_info(uint32_t width, uint32_t height, uint64_t stride)
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

static Framebuffer make(uint32_t width, uint32_t height, uint64_t stride)
{
	VailObjectInfo info = picture_info(width, height, stride);
	Framebuffer framebuffer;

	cr_assert(framebuffer_init(&framebuffer, &info));
	return framebuffer;
}

Test(framebuffer, has_no_gap_behind_the_last_row)
{
	Framebuffer framebuffer = make(3, 2, 100);

	cr_assert_eq(framebuffer.size, 112);
	cr_assert_eq(framebuffer.damage.count, 1);
	cr_assert_eq(framebuffer.damage.ranges[0].offset, 0);
	cr_assert_eq(framebuffer.damage.ranges[0].size, 112);
	framebuffer_deinit(&framebuffer);
	framebuffer_deinit(&framebuffer); /* once more is nothing */
}

#define MAX UINT32_MAX

/* In a picture of 10 x 5 pixels in rows of 64 bytes. */
static const struct {
	VailRectangle rectangle;
	size_t offset;
	size_t size; /* 0: none */
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

Test(framebuffer, rectangles_become_bytes)
{
	for (size_t i = 0; i < sizeof(rectangles) / sizeof(rectangles[0]); i++) {
		Framebuffer framebuffer = make(10, 5, 64);
		const Damage *damage = &framebuffer.damage;

		framebuffer.damage.count = 0;
		framebuffer_damage(&framebuffer, &rectangles[i].rectangle);
		cr_assert_eq(damage->count, rectangles[i].size > 0 ? 1 : 0, "row %zu", i);
		if (damage->count > 0) {
			cr_assert_eq(damage->ranges[0].offset, rectangles[i].offset, "row %zu", i);
			cr_assert_eq(damage->ranges[0].size, rectangles[i].size, "row %zu", i);
		}
		framebuffer_deinit(&framebuffer);
	}
}

/* Against a map of bytes: what was damaged is read, once, and, while there are few enough ranges to
 * tell apart, nothing else. */
Test(framebuffer, any_damage_is_read_once)
{
	static uint8_t expected[64 * 50], real[64 * 50];

	srandom(20);
	for (int round = 0; round < 300; round++) {
		Framebuffer framebuffer = make(10, 50, 64);
		Damage *damage = &framebuffer.damage;
		long count = 1 + random() % 60;

		damage->count = 0;
		memset(expected, 0, sizeof(expected));
		memset(real, 0, sizeof(real));
		for (long i = 0; i < count; i++) {
			VailRectangle rectangle = { (uint32_t)random() % 10,
						    (uint32_t)random() % 50, 1, 1 };

			framebuffer_damage(&framebuffer, &rectangle);
			memset(expected + rectangle.y * 64 + 4 * rectangle.x, 1, 4);
		}
		cr_assert_leq(damage->count, DAMAGE_MAX);
		for (size_t i = 0; i < damage->count; i++) {
			cr_assert_leq(damage->ranges[i].offset + damage->ranges[i].size,
				      framebuffer.size);
			for (size_t j = 0; j < damage->ranges[i].size; j++)
				real[damage->ranges[i].offset + j]++;
		}
		for (size_t i = 0; i < sizeof(real); i++) {
			cr_assert_leq(real[i], 1);
			cr_assert_geq(real[i], expected[i]);
			if (count <= DAMAGE_MAX)
				cr_assert_eq(real[i], expected[i]);
		}
		framebuffer_deinit(&framebuffer);
	}
}

Test(framebuffer, all_takes_in_what_was_told_before)
{
	Framebuffer framebuffer = make(10, 5, 64);

	framebuffer.damage.count = 0;
	framebuffer_damage(&framebuffer, &(VailRectangle){ 1, 1, 1, 1 });
	framebuffer_damage_all(&framebuffer);
	framebuffer_damage(&framebuffer, &(VailRectangle){ 2, 2, 2, 2 });
	cr_assert_eq(framebuffer.damage.count, 1);
	cr_assert_eq(framebuffer.damage.ranges[0].size, framebuffer.size);
	framebuffer_deinit(&framebuffer);
}

/* Sizes at the bound of what is shown, and far beyond it. */
static const struct {
	uint32_t width;
	uint32_t height;
	uint64_t stride;
	bool is_shown;
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

Test(framebuffer, sizes_that_are_shown)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		VailObjectInfo info =
			picture_info(sizes[i].width, sizes[i].height, sizes[i].stride);
		char message[200] = "";

		cr_assert_eq(object_picture_check(&info, message, sizeof(message)),
			     sizes[i].is_shown, "row %zu: %s", i, message);
		cr_assert_eq(*message == '\0', sizes[i].is_shown);
	}
}

/* Checks the object, which must be refused, and that the sentence has the word. */
static void expect_refused(const VailObjectInfo *info, const char *word)
{
	char message[200] = "";

	cr_assert_not(object_picture_check(info, message, sizeof(message)));
	cr_assert_not_null(strstr(message, word), "%s", message);
}

Test(framebuffer, objects_that_are_none)
{
	VailObjectInfo info = picture_info(8, 8, 32);

	info.modifier = 1;
	expect_refused(&info, "not linear");
	info = picture_info(8, 8, 32);
	info.plane_count = 2;
	expect_refused(&info, "2 planes");
	info = picture_info(8, 8, 32);
	info.format = VAIL_FORMAT('N', 'V', '1', '2');
	expect_refused(&info, "NV12");
	info.plane_count = 0;
	expect_refused(&info, "no picture");
}
