/* SPDX-License-Identifier: MIT */
/*
 * The conversion of pixman's formats, which QEMU uses, to those of DRM. It is compared with the
 * installed headers of both libraries, in which a format of the same channels has the same name.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "client/common/object-image.h"
#include "client/vail-qemu/pixman-format.h"
#include "proto/macros.h"
#include "tests/support/format-headers.h"

TestSuite(pixman_format);

#define PIXMAN_HEADER "/usr/include/pixman-1/pixman.h"

/* pixman 0.42 has 25 formats that DRM has, too. Fewer mean that the header was not understood. */
#define FORMATS_MIN 25

static DrmFormat drm_formats[DRM_FORMATS_MAX];

/* A format of pixman.h, as PIXMAN_FORMAT() composes it. */
typedef struct PixmanFormat {
	char name[24]; /* channels and their bits, such as a8r8g8b8 */
	uint32_t code;
	unsigned int bits;
} PixmanFormat;

static unsigned int type_number(const char *type)
{
	static const char *const types[] = {
		[1] = "A",    [2] = "ARGB", [3] = "ABGR", [4] = "COLOR", [5] = "GRAY",
		[6] = "YUY2", [7] = "YV12", [8] = "BGRA", [9] = "RGBA"
	};

	for (unsigned int i = 1; i < ARRAY_SIZE(types); i++)
		if (strcmp(type, types[i]) == 0)
			return i;
	return 0;
}

static bool read_pixman_format(const char *line, PixmanFormat *ret)
{
	unsigned int a, r, g, b;
	char type[16];

	if (sscanf(line,
		   " PIXMAN_%23[a-z0-9] = PIXMAN_FORMAT(%u,PIXMAN_TYPE_%15[A-Z0-9],%u,%u,%u,%u)",
		   ret->name, &ret->bits, type, &a, &r, &g, &b) != 7)
		return false;
	ret->code = ret->bits << 24 | type_number(type) << 16 | a << 12 | r << 8 | g << 4 | b;
	return true;
}

/* Writes the name that DRM would give the format: all channels, then all of their bits. */
static void drm_name(const char *pixman, char ret[static 32])
{
	char channels[16] = "", bits[16] = "";

	for (const char *at = pixman; *at; at++)
		strncat(isalpha((unsigned char)*at) ? channels : bits, at, 1);
	snprintf(ret, 32, "%s%s", channels, bits);
	for (char *at = ret; *at; at++)
		*at = (char)toupper((unsigned char)*at);
}

Test(pixman_format, formats_agree_with_the_headers)
{
	size_t count = drm_formats_read(drm_formats), found = 0;
	FILE *file = fopen(PIXMAN_HEADER, "re");
	PixmanFormat format;
	char line[256], name[32], text[5];

	if (count == 0 || !file)
		cr_skip_test("drm_fourcc.h or pixman.h is not installed");
	while (fgets(line, sizeof(line), file)) {
		if (!read_pixman_format(line, &format))
			continue;
		drm_name(format.name, name);
		bool has_palette = format.name[0] == 'c'; /* QEMU passes no palette */
		const DrmFormat *expected =
			has_palette ? NULL : drm_format_find(drm_formats, count, name);
		uint32_t drm = pixman_format_to_drm(format.code);
		if (!expected) {
			cr_assert_eq(drm, 0u, "%s", format.name);
			continue;
		}
		cr_assert_str_eq(object_image_format(drm, text), expected->code, "%s", format.name);
		cr_assert_eq(pixman_format_size(format.code), format.bits / 8);
		found++;
	}
	fclose(file);
	cr_assert_geq(found, FORMATS_MIN, "%zu formats", found);
}

Test(pixman_format, formats_are_converted)
{
	cr_assert_eq(pixman_format_to_drm(0x20020888), VAIL_FORMAT('X', 'R', '2', '4'));
	cr_assert_eq(pixman_format_to_drm(0x20038888), VAIL_FORMAT('A', 'B', '2', '4'));
	cr_assert_eq(pixman_format_to_drm(0x10020565), VAIL_FORMAT('R', 'G', '1', '6'));
	cr_assert_eq(pixman_format_to_drm(0x2003aaaa & ~0xf000u), VAIL_FORMAT('X', 'B', '3', '0'));
	cr_assert_eq(pixman_format_to_drm(0), 0u);
	cr_assert_eq(pixman_format_size(0x10020565), 2u);
	cr_assert_eq(drm_format_opaque(VAIL_FORMAT('A', 'B', '2', '4')),
		     VAIL_FORMAT('X', 'B', '2', '4'));
	cr_assert_eq(drm_format_opaque(1), 1u);
	cr_assert_eq(drm_format_opaque(0), 0u);
	cr_assert_eq(drm_format_opaque(UINT32_MAX), UINT32_MAX);
}
