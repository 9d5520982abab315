/* SPDX-License-Identifier: MIT */
#ifndef LIBVAIL_OBJECT_INFO_H
#define LIBVAIL_OBJECT_INFO_H

/* Shared objects as vaild tells them, read into structs. */

#include "json.h"
#include "vail.h"

/* object and memory: as they stand side by side in replies. The texts are theirs. */
VailObjectInfo object_info_read(const JsonValue *object, const JsonValue *memory);

/* Which descriptor of a message is a plane's, or the fence's: what the member fileDescriptor says,
 * or else the one at this place. */
size_t descriptor_index(const JsonValue *plane_or_fence, size_t place);

/* A shared object and what it points at. */
typedef struct ObjectReading {
	VailSharedObject object;
	VailObjectInfo info;
	VailHolder *holders;
} ObjectReading;

/* Reads it; the texts are the value's. It points into itself: it must not be copied. Returns false
 * when there is no memory. */
bool object_reading_init(ObjectReading *reading, const JsonValue *value);
void object_reading_deinit(ObjectReading *reading);

/* Reads an array of rectangles, which the caller frees. Returns false when there is no memory. */
bool rectangles_read(const JsonValue *array, VailRectangle **ret_rectangles, size_t *ret_count);

#endif
