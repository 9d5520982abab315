/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_OBJECT_OPEN_H
#define CLIENT_LIBVAIL_OBJECT_OPEN_H

/*
 * An object that this process has open. object-open.c opens and closes it, object-read.c reads it.
 */

#include <stdint.h>

#include "client/libvail/exclusive-use.h"
#include "proto/macros.h"
#include <vail.h>

/* The kind of a plane's fd according to the kernel, so that vaild need not be trusted with it. */
typedef enum PlaneKind {
	PLANE_OTHER,
	PLANE_FILE,
	PLANE_DMABUF,
} PlaneKind;

typedef struct OpenPlane {
	int fd; /* -1 if the object has no such plane */
	PlaneKind kind;
	uint64_t size; /* of the memory when it was opened, in bytes */
	void *mapping; /* NULL if not mapped */
	size_t mapped; /* size of the mapping in bytes */
} OpenPlane;

struct vail_object {
	ExclusiveUse use;
	char handle[VAIL_HANDLE_SIZE];
	VailObjectInfo info;
	char *name; /* owns info.name; may be NULL */
	OpenPlane planes[VAIL_PLANE_MAX];
	int fence;     /* a sync_file; -1 if the object has none */
	int scratch;   /* for fault_safe_copy(); -1 until needed */
	int timeout;   /* in milliseconds; negative for no timeout */
	char *message; /* about the last failure; NULL if the last call succeeded */
};

#endif
