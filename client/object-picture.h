/* SPDX-License-Identifier: MIT */
#ifndef OBJECT_PICTURE_H
#define OBJECT_PICTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "vail.h"

/* How long the fence of an object, or a GPU that writes into it, is waited for, in milliseconds. */
#define OBJECT_PICTURE_TIMEOUT 5000

/* An image that is larger, in bytes, is none that a person wants to look at, whatever its sharer
 * says. */
#define OBJECT_PICTURE_SIZE_MAX ((uint64_t)1 << 30)

/* "XR24" */
const char *object_picture_format(uint32_t format, char text[5]);

/*
 * Whether the object is a picture of this program's formats and not too large, so that its bytes,
 * from the first pixel to the last, can be counted in 31 bits. Otherwise ret_message, of size
 * bytes, says why not.
 */
bool object_picture_check(const VailObjectInfo *info, char *ret_message, size_t size);

#endif
