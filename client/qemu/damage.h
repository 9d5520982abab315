/* SPDX-License-Identifier: MIT */
#ifndef QEMU_DAMAGE_H
#define QEMU_DAMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vail.h"

/* More rectangles than this are told as one that has them all. */
#define DAMAGE_MAX 16

/* Where an image has changed since that was last told. */
typedef struct Damage {
	VailRectangle rectangles[DAMAGE_MAX];
	size_t count; /* 0: nowhere */
} Damage;

/*
 * The part of a rectangle that lies in an image of this size. QEMU's are four signed numbers.
 * Returns false where there is none.
 */
bool damage_clip(const int32_t rectangle[static 4], uint32_t width, uint32_t height,
		 VailRectangle *ret);

/* Adds a rectangle, not empty and inside the image. */
void damage_add(Damage *damage, const VailRectangle *rectangle);

#endif
