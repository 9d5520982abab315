/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_PNG_H
#define CLIENT_COMMON_PNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Writes pixels in memory as a PNG file. Does not depend on vaild. */

/* The formats that picture_write_png() supports, for messages. */
#define PICTURE_FORMATS "XR24, AR24, XB24 and AB24"

typedef struct Picture {
	uint32_t width;
	uint32_t height;
	uint32_t format;  /* DRM fourcc, see drm_fourcc.h */
	ptrdiff_t stride; /* from a row to the one below it, in bytes; negative if that is before it
			   */
	const uint8_t *pixels; /* the top row */
} Picture;

/* Tests whether the format is one of PICTURE_FORMATS. */
bool picture_format_is_supported(uint32_t format);

/*
 * Writes the picture as a PNG file with 8 bits a channel: RGBA if the format has alpha, which is
 * written unchanged, or RGB. The picture must not be empty and its format must be supported.
 * Returns false on failure, with a message in ret_message, which has size bytes.
 */
bool picture_write_png(const Picture *picture, FILE *out, char *ret_message, size_t size);

#endif
