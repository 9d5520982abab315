/* SPDX-License-Identifier: MIT */
/*
 * The layouts of pixel formats. The table is compared with the comments of the installed
 * drm_fourcc.h, and with numbers worked out by hand.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/macros.h"
#include "proto/pixel-format.h"
#include "tests/support/format-headers.h"

TestSuite(pixel_format);

/* Odd numbers, so that each rounding matters. */
#define WIDTH  61u
#define HEIGHT 47u

/* Debian 12 has 110 formats. Fewer mean that the header was not understood. */
#define FORMATS_MIN 100

static DrmFormat formats[DRM_FORMATS_MAX];

static size_t read_formats(void)
{
	size_t count = drm_formats_read(formats);

	if (count == 0)
		cr_skip_test("drm_fourcc.h is not installed");
	cr_assert_geq(count, FORMATS_MIN);
	return count;
}

static uint64_t divide_up(uint64_t count, uint64_t by)
{
	return (count + by - 1) / by;
}

static void check_plane(const DrmFormat *format, size_t plane)
{
	PlaneRows rows = pixel_format_rows(format->code, plane, WIDTH, HEIGHT);
	unsigned int bits = format->planes[plane].bits;

	if (bits == 0 || format->is_undefined) {
		cr_assert_eq(rows.size, 0u, "plane %zu of %s is known", plane, format->name);
		cr_assert_eq(rows.count, HEIGHT);
		return;
	}
	uint64_t samples = divide_up(WIDTH, format->planes[plane].x_step);
	uint64_t sample_rows = divide_up(HEIGHT, format->planes[plane].y_step);
	cr_assert_eq(rows.count, divide_up(sample_rows, format->planes[plane].height),
		     "plane %zu of %s has %lu rows", plane, format->name, rows.count);
	cr_assert_eq(rows.size, divide_up(samples, format->planes[plane].width) * bits / 8,
		     "a row of plane %zu of %s has %lu bytes", plane, format->name, rows.size);
}

Test(pixel_format, layouts_agree_with_the_header_of_drm)
{
	size_t count = read_formats();

	for (size_t i = 0; i < count; i++)
		for (size_t plane = 0; plane < ARRAY_SIZE(formats[i].planes); plane++)
			check_plane(&formats[i], plane);
}

/* Replaces the letter of the alpha channel by X. Returns false if the name does not have it. */
static bool opaque_name(const char *name, char ret[static 40])
{
	static const char *const channels[] = { "ARGB", "ABGR", "RGBA", "BGRA", "AYUV", "AVUY" };

	for (size_t i = 0; i < ARRAY_SIZE(channels); i++) {
		if (strncmp(name, channels[i], 4) != 0)
			continue;
		snprintf(ret, 40, "%s%s", name, strcmp(name, "AYUV") == 0 ? "8888" : "");
		*strchr(ret, 'A') = 'X';
		return true;
	}
	return false;
}

Test(pixel_format, formats_with_alpha_have_the_opaque_form_of_the_same_name)
{
	size_t count = read_formats(), pairs = 0;
	char name[40];

	for (size_t i = 0; i < count; i++) {
		const char *opaque = pixel_format_opaque(formats[i].code);

		if (opaque_name(formats[i].name, name) && drm_format_find(formats, count, name)) {
			cr_assert_str_eq(opaque, drm_format_find(formats, count, name)->code, "%s",
					 formats[i].name);
			pairs++;
		}
		cr_assert_str_eq(pixel_format_opaque(opaque), opaque);
		cr_assert_eq(pixel_format_rows(opaque, 0, WIDTH, HEIGHT).size,
			     pixel_format_rows(formats[i].code, 0, WIDTH, HEIGHT).size);
	}
	cr_assert_geq(pairs, 18u);
}

/* These do not depend on the header, which may be older. */
Test(pixel_format, rows_and_their_bytes)
{
	static const struct {
		const char *format;
		size_t plane;
		uint64_t width, height, rows, size;
	} expected[] = {
		{ "XR24", 0, 1024, 768, 768, 4096 },
		{ "RG24", 0, 5, 3, 3, 15 },
		{ "R1  ", 0, 9, 2, 2, 2 },
		{ "YUYV", 0, 5, 3, 3, 12 },
		{ "NV12", 0, 5, 3, 3, 5 },
		{ "NV12", 1, 5, 3, 2, 6 },
		{ "NV15", 0, 5, 3, 3, 10 },
		{ "NV15", 1, 5, 3, 2, 10 },
		{ "P030", 0, 7, 3, 3, 12 },
		{ "P030", 1, 7, 3, 2, 16 },
		{ "YUV9", 1, 1920, 1080, 270, 480 },
		{ "YVU9", 2, 1921, 1081, 271, 481 },
		{ "S010", 0, 1920, 1080, 1080, 3840 },
		{ "S010", 2, 1920, 1080, 540, 1920 },
		{ "S016", 1, 3, 3, 2, 4 },
		{ "S416", 2, 3, 3, 3, 6 },
		{ "S212", 1, 3, 3, 3, 4 },
		{ "X0L2", 0, 3, 3, 2, 16 },
		{ "XRA8", 1, 5, 3, 3, 5 },
		{ "AB4H", 0, 5, 3, 3, 40 },
		{ "BGRF", 0, 5, 3, 3, 60 },
		{ "XV20", 1, 7, 3, 3, 16 },
		{ "X403", 2, 7, 3, 3, 12 },
		{ "YPA4", 0, 7, 3, 3, 12 },
		{ "XR24", 1, 5, 3, 3, 0 },
		{ "NONE", 0, 5, 3, 3, 0 },
		{ "YU08", 0, 5, 3, 3, 0 },
		{ "XR24", 3, 5, 3, 3, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		PlaneRows rows = pixel_format_rows(expected[i].format, expected[i].plane,
						   expected[i].width, expected[i].height);

		cr_assert_eq(rows.count, expected[i].rows, "%s", expected[i].format);
		cr_assert_eq(rows.size, expected[i].size, "%s", expected[i].format);
	}
}

Test(pixel_format, opaque_forms)
{
	static const char pairs[][2][5] = {
		{ "AR24", "XR24" }, { "AB24", "XB24" }, { "RA30", "RX30" }, { "AR4H", "XR4H" },
		{ "AB48", "XB48" }, { "Y410", "XV30" }, { "R5A8", "RG16" }, { "XR24", "XR24" },
		{ "AB10", "AB10" }, { "NONE", "NONE" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		cr_assert_str_eq(pixel_format_opaque(pairs[i][0]), pairs[i][1]);
}
