/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/pixman-format.h"

#include <stddef.h>

#include "client/common/object-image.h"
#include "proto/macros.h"
#include "proto/pixel-format.h"
#include <vail.h>

/* Composes a pixman format: bits per pixel, order of the channels, and bits of each channel. */
#define PIXMAN(bits, order, a, r, g, b) \
	((uint32_t)(bits) << 24 | (order) << 16 | (a) << 12 | (r) << 8 | (g) << 4 | (b))

enum { ARGB = 2, ABGR = 3, BGRA = 8, RGBA = 9 };

static const struct {
	uint32_t pixman;
	char drm[5];
} formats[] = {
	{ PIXMAN(32, ARGB, 0, 8, 8, 8), "XR24" },    { PIXMAN(32, ARGB, 8, 8, 8, 8), "AR24" },
	{ PIXMAN(32, ABGR, 0, 8, 8, 8), "XB24" },    { PIXMAN(32, ABGR, 8, 8, 8, 8), "AB24" },
	{ PIXMAN(32, BGRA, 0, 8, 8, 8), "BX24" },    { PIXMAN(32, BGRA, 8, 8, 8, 8), "BA24" },
	{ PIXMAN(32, RGBA, 0, 8, 8, 8), "RX24" },    { PIXMAN(32, RGBA, 8, 8, 8, 8), "RA24" },
	{ PIXMAN(32, ARGB, 0, 10, 10, 10), "XR30" }, { PIXMAN(32, ARGB, 2, 10, 10, 10), "AR30" },
	{ PIXMAN(32, ABGR, 0, 10, 10, 10), "XB30" }, { PIXMAN(32, ABGR, 2, 10, 10, 10), "AB30" },
	{ PIXMAN(24, ARGB, 0, 8, 8, 8), "RG24" },    { PIXMAN(24, ABGR, 0, 8, 8, 8), "BG24" },
	{ PIXMAN(16, ARGB, 0, 5, 6, 5), "RG16" },    { PIXMAN(16, ABGR, 0, 5, 6, 5), "BG16" },
	{ PIXMAN(16, ARGB, 0, 5, 5, 5), "XR15" },    { PIXMAN(16, ARGB, 1, 5, 5, 5), "AR15" },
	{ PIXMAN(16, ABGR, 0, 5, 5, 5), "XB15" },    { PIXMAN(16, ABGR, 1, 5, 5, 5), "AB15" },
	{ PIXMAN(16, ARGB, 0, 4, 4, 4), "XR12" },    { PIXMAN(16, ARGB, 4, 4, 4, 4), "AR12" },
	{ PIXMAN(16, ABGR, 0, 4, 4, 4), "XB12" },    { PIXMAN(16, ABGR, 4, 4, 4, 4), "AB12" },
	{ PIXMAN(8, ARGB, 0, 3, 3, 2), "RGB8" },     { PIXMAN(8, ABGR, 0, 3, 3, 2), "BGR8" },
};

static uint32_t fourcc(const char name[static 4])
{
	return VAIL_FORMAT((uint8_t)name[0], (uint8_t)name[1], (uint8_t)name[2], (uint8_t)name[3]);
}

uint32_t pixman_format_to_drm(uint32_t format)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].pixman == format)
			return fourcc(formats[i].drm);
	return 0;
}

uint32_t pixman_format_from_drm(uint32_t format)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (fourcc(formats[i].drm) == format)
			return formats[i].pixman;
	return 0;
}

uint32_t drm_format_opaque(uint32_t format)
{
	char name[5];

	return fourcc(pixel_format_opaque(object_image_format(format, name)));
}

uint32_t pixman_format_size(uint32_t format)
{
	return (format >> 24) / 8;
}
