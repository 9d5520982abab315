/* SPDX-License-Identifier: MIT */
#ifndef PICTURE_H
#define PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Pixels in memory, as a PNG. Knows no vaild. */

/* What picture_write() can write, for people. */
#define PICTURE_FORMATS "XR24, AR24, XB24 and AB24"

typedef struct Picture {
	uint32_t width;
	uint32_t height;
	uint32_t format; /* a DRM fourcc, as of drm_fourcc.h */
	size_t stride;   /* bytes from row to row, at least 4 * width */
	const uint8_t *pixels;
} Picture;

/* Whether the format is one of PICTURE_FORMATS. */
bool picture_format_known(uint32_t format);

/*
 * Writes the picture, which is of a known format and not empty, as a PNG of 8 bits a channel: RGB,
 * or RGBA where the format has alpha, which is written as it stands. Returns false when it could
 * not be written; ret_message, of size bytes, then says why.
 */
bool picture_write(const Picture *picture, FILE *out, char *ret_message, size_t size);

#endif
