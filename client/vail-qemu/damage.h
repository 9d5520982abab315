/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_DAMAGE_H
#define CLIENT_VAIL_QEMU_DAMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vail.h>

/* More rectangles than this are merged into one. */
#define DAMAGE_RECTANGLES_MAX 16

/* The parts of an image that have changed since the last update was sent. */
typedef struct Damage {
	VailRectangle rectangles[DAMAGE_RECTANGLES_MAX];
	size_t count;
	uint64_t added; /* number of calls of damage_add() */
} Damage;

/*
 * Clips a rectangle from QEMU (x, y, width, height) to an image of this size. Any values are
 * allowed. Returns false if the result is empty.
 */
bool damage_clip(const int32_t rectangle[static 4], uint32_t width, uint32_t height,
		 VailRectangle *ret);

/* Adds a rectangle, which must not be empty and must lie inside the image. */
void damage_add(Damage *damage, const VailRectangle *rectangle);

#endif
