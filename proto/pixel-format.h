/* SPDX-License-Identifier: MIT */
#ifndef PROTO_PIXEL_FORMAT_H
#define PROTO_PIXEL_FORMAT_H

#include <stddef.h>
#include <stdint.h>

/*
 * The linear layouts of the formats in drm_fourcc.h. A format is the four characters of its DRM
 * fourcc, such as "XR24".
 */

/* The rows of a plane, without the padding behind them. */
typedef struct PlaneRows {
	uint64_t count;
	uint64_t size; /* of one row, in bytes; 0 if the layout is unknown */
} PlaneRows;

/*
 * Returns the rows of a plane of an image of this size. If the format is unknown, or has no such
 * plane, its rows are those of the image. A row of blocks counts as one row.
 */
PlaneRows pixel_format_rows(const char *format, size_t plane, uint64_t width, uint64_t height);

/*
 * Returns the format that has the same layout, but no alpha. This is the format itself if it has no
 * alpha, or if DRM has no opaque form of it.
 */
const char *pixel_format_opaque(const char *format);

#endif
