/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_OBJECT_INFO_H
#define CLIENT_LIBVAIL_OBJECT_INFO_H

/* Decodes vaild's descriptions of shared objects into structs. */

#include "proto/json.h"
#include <vail.h>

/* Decodes the members "object" and "memory" of a reply. The strings are borrowed from them. */
VailObjectInfo object_info_read(const JsonValue *object, const JsonValue *memory);

/*
 * Returns the index of the fd of a plane or fence among those of its message: the member
 * fileDescriptor, or the given place if that is absent.
 */
size_t fd_index(const JsonValue *plane_or_fence, size_t place);

/* A shared object, with the memory that it points to. */
typedef struct ObjectReading {
	VailSharedObject object;
	VailObjectInfo info;
	VailHolder *holders;
} ObjectReading;

/*
 * Decodes an object. Its strings are borrowed from value. The struct points into itself, so it must
 * not be copied. Returns false if out of memory; call object_reading_deinit() in either case.
 */
bool object_reading_init(ObjectReading *reading, const JsonValue *value);
void object_reading_deinit(ObjectReading *reading);

/* Decodes an array of rectangles into one that the caller frees. Returns false if out of memory. */
bool rectangles_read(const JsonValue *array, VailRectangle **ret_rectangles, size_t *ret_count);

#endif
