/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_OBJECT_IMAGE_H
#define CLIENT_COMMON_OBJECT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vail.h>

/* Timeout for an object's fence and for GPU writes to it, in milliseconds. */
#define OBJECT_IMAGE_TIMEOUT 5000

/* The largest image that is accepted, in bytes, because its size is the sharer's claim. */
#define OBJECT_IMAGE_SIZE_MAX ((uint64_t)1 << 30)

/* Writes the format as text, like "XR24". Returns text. */
const char *object_image_format(uint32_t format, char text[5]);

/*
 * Tests whether the object is an image that picture_write_png() supports, and at most
 * OBJECT_IMAGE_SIZE_MAX bytes from the first pixel to the last, so that offsets fit into 31 bits.
 * If not, returns false with the reason in ret_message, which has size bytes.
 */
bool object_image_check(const VailObjectInfo *info, char *ret_message, size_t size);

#endif
