/* SPDX-License-Identifier: MIT */
#ifndef LIBVAIL_OBJECT_OPEN_H
#define LIBVAIL_OBJECT_OPEN_H

/*
 * An object that this process holds.
 *
 *   libvail-object-open.c   opening, closing, and what is known of it
 *   libvail-object-read.c   reading, mapping and waiting
 */

#include <stdint.h>

#include "macros.h"
#include "vail.h"

/* What the kernel says that a plane's descriptor is; vaild's word is not needed for that. */
typedef enum PlaneKind {
	PLANE_OTHER,
	PLANE_FILE,
	PLANE_DMABUF,
} PlaneKind;

typedef struct OpenPlane {
	int descriptor; /* -1: none */
	PlaneKind kind;
	uint64_t size; /* of the memory, when it was opened */
	void *mapping; /* NULL: none */
	size_t mapped; /* bytes of the mapping */
} OpenPlane;

struct vail_object {
	char handle[VAIL_HANDLE_SIZE];
	VailObjectInfo info;
	char *name; /* what info.name points at */
	OpenPlane planes[VAIL_PLANE_MAX];
	int fence;     /* -1: none */
	int scratch;   /* for guard_copy(); -1 until it is needed */
	int timeout;   /* milliseconds; negative: none */
	char *message; /* what went wrong; NULL: nothing */
};

#endif
