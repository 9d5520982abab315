/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CHANNEL_PIXELS_H
#define CLIENT_VAIL_QEMU_CHANNEL_PIXELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vail.h>

/* Hands the pixels of an object that vail-qemu shares to a viewer. */

typedef enum PixelsKind {
	PIXELS_UNKNOWN, /* they cannot be handed on */
	PIXELS_MEMORY,  /* a file in memory that holds all rows */
	PIXELS_DMABUF,
} PixelsKind;

PixelsKind channel_pixels_kind(const VailObject *object);

/* Returns a read-only descriptor of the memory, which the caller closes; -1 on failure. */
int channel_pixels_open_read_only(const VailObject *object);

/* Returns the pixman format of the object; 0 if pixman has none or the rows are not linear. */
uint32_t channel_pixels_format(const VailObject *object);

/*
 * Reads a rectangle of the picture, from its top row on, without gaps between rows. Never faults if
 * the memory shrinks. The object must be PIXELS_MEMORY and have a format.
 *
 * ret: the caller frees it.
 */
bool channel_pixels_read(const VailObject *object, const VailRectangle *rectangle, uint8_t **ret,
			 size_t *ret_size);

#endif
