/* SPDX-License-Identifier: MIT */
#ifndef VIEW_FRAMEBUFFER_H
#define VIEW_FRAMEBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vail.h"

/*
 * A copy of a picture's bytes, each at the place that it has in the sharer's memory, and which of
 * them have changed there. Pure: what a sharer says of its damage goes no further than here.
 */

/* Bytes, counted from the first pixel on. */
typedef struct ByteRange {
	size_t offset;
	size_t size;
} ByteRange;

/* More than these are not told apart. */
#define DAMAGE_MAX 32

/* What is to be read anew: ranges of which no two overlap or touch. */
typedef struct Damage {
	ByteRange ranges[DAMAGE_MAX];
	size_t count;
} Damage;

typedef struct Framebuffer {
	uint32_t width;  /* in pixels of 4 bytes */
	uint32_t height; /* in pixels */
	uint32_t format; /* VAIL_FORMAT() */
	size_t stride;   /* from row to row, in bytes */
	size_t size;     /* from the first pixel to the end of the last, in bytes */
	uint8_t *pixels;
	Damage damage;
} Framebuffer;

/* Makes room for what object_picture_check() is content with, all of it damaged. Returns false when
 * there is no memory. The caller deinits it, also one that is all zero. */
bool framebuffer_init(Framebuffer *framebuffer, const VailObjectInfo *info);
void framebuffer_deinit(Framebuffer *framebuffer);

/* All of it is to be read. */
void framebuffer_damage_all(Framebuffer *framebuffer);

/* So is the rectangle, from its first pixel to its last, as far as it is inside; it may be any. */
void framebuffer_damage(Framebuffer *framebuffer, const VailRectangle *rectangle);

#endif
