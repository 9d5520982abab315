/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_FRAMEBUFFER_H
#define CLIENT_VAIL_VIEW_FRAMEBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vail.h>

/*
 * A copy of a shared image's bytes, with the same layout as the sharer's memory, and the ranges of
 * it that are stale. The bottom row of the picture may come first. The sharer's damage rectangles
 * are untrusted and are clipped here. This module does no I/O.
 */

/* A range of bytes; the offset is relative to the first byte in memory. */
typedef struct ByteRange {
	size_t offset;
	size_t size;
} ByteRange;

/* With more ranges than this, some are merged. */
#define STALE_RANGES_MAX 32

/* The bytes to read again. No two ranges overlap or touch, unsorted. */
typedef struct StaleRanges {
	ByteRange ranges[STALE_RANGES_MAX];
	size_t count;
} StaleRanges;

typedef struct Framebuffer {
	uint32_t width;  /* in pixels, 4 bytes each */
	uint32_t height; /* in pixels */
	uint32_t format; /* DRM fourcc, see VAIL_FORMAT() */
	size_t stride;   /* in bytes */
	size_t size;     /* in bytes, from the first pixel to the end of the last one */
	bool is_bottom_up;
	uint8_t *pixels;
	StaleRanges stale;
	StaleRanges fresh; /* the bytes that were read for the last frame */
} Framebuffer;

/* Returns the bytes of a framebuffer for an object that object_image_check() accepts. */
size_t framebuffer_size(const VailObjectInfo *info);

/*
 * Allocates a framebuffer for an object that object_image_check() accepts, with all of it stale.
 * Returns false if out of memory. The caller calls framebuffer_deinit(), which also accepts an
 * all-zero framebuffer.
 */
bool framebuffer_init(Framebuffer *framebuffer, const VailObjectInfo *info);
void framebuffer_deinit(Framebuffer *framebuffer);

/* Returns the pixels of a row of the picture, counted from the top. */
const uint8_t *framebuffer_row(const Framebuffer *framebuffer, uint32_t y);

/*
 * Stores which rows in memory the range touches: the first one, and their number. These are not
 * rows of the picture if is_bottom_up.
 */
void framebuffer_range_rows(const Framebuffer *framebuffer, const ByteRange *range,
			    uint32_t *ret_first, uint32_t *ret_count);

/* Marks the whole framebuffer as stale. */
void framebuffer_mark_all_stale(Framebuffer *framebuffer);

/*
 * Marks the bytes from the rectangle's first pixel in memory to its last as stale. The rectangle is
 * in pixels of the picture, from its top left corner. Any is allowed; it is clipped to the picture.
 */
void framebuffer_mark_stale(Framebuffer *framebuffer, const VailRectangle *rectangle);

#endif
