/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/pixman-format.h"

#include <stddef.h>

#include "proto/macros.h"
#include <vail.h>

/* Composes a pixman format: bits per pixel, order of the channels, and bits of each channel. */
#define PIXMAN(bits, order, a, r, g, b) \
	((uint32_t)(bits) << 24 | (order) << 16 | (a) << 12 | (r) << 8 | (g) << 4 | (b))

enum { ARGB = 2, ABGR = 3, BGRA = 8, RGBA = 9 };

static const struct {
	uint32_t pixman;
	uint32_t drm;
} formats[] = {
	{ PIXMAN(32, ARGB, 0, 8, 8, 8), VAIL_FORMAT('X', 'R', '2', '4') },
	{ PIXMAN(32, ARGB, 8, 8, 8, 8), VAIL_FORMAT('A', 'R', '2', '4') },
	{ PIXMAN(32, ABGR, 0, 8, 8, 8), VAIL_FORMAT('X', 'B', '2', '4') },
	{ PIXMAN(32, ABGR, 8, 8, 8, 8), VAIL_FORMAT('A', 'B', '2', '4') },
	{ PIXMAN(32, BGRA, 0, 8, 8, 8), VAIL_FORMAT('B', 'X', '2', '4') },
	{ PIXMAN(32, BGRA, 8, 8, 8, 8), VAIL_FORMAT('B', 'A', '2', '4') },
	{ PIXMAN(32, RGBA, 0, 8, 8, 8), VAIL_FORMAT('R', 'X', '2', '4') },
	{ PIXMAN(32, RGBA, 8, 8, 8, 8), VAIL_FORMAT('R', 'A', '2', '4') },
	{ PIXMAN(32, ARGB, 0, 10, 10, 10), VAIL_FORMAT('X', 'R', '3', '0') },
	{ PIXMAN(32, ARGB, 2, 10, 10, 10), VAIL_FORMAT('A', 'R', '3', '0') },
	{ PIXMAN(24, ARGB, 0, 8, 8, 8), VAIL_FORMAT('R', 'G', '2', '4') },
	{ PIXMAN(24, ABGR, 0, 8, 8, 8), VAIL_FORMAT('B', 'G', '2', '4') },
	{ PIXMAN(16, ARGB, 0, 5, 6, 5), VAIL_FORMAT('R', 'G', '1', '6') },
	{ PIXMAN(16, ARGB, 0, 5, 5, 5), VAIL_FORMAT('X', 'R', '1', '5') },
	{ PIXMAN(16, ARGB, 1, 5, 5, 5), VAIL_FORMAT('A', 'R', '1', '5') },
};

uint32_t pixman_format_to_drm(uint32_t format)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].pixman == format)
			return formats[i].drm;
	return 0;
}

uint32_t pixman_format_size(uint32_t format)
{
	return (format >> 24) / 8;
}
