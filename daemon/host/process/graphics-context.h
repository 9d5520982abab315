/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_GRAPHICS_CONTEXT_H
#define DAEMON_HOST_PROCESS_GRAPHICS_CONTEXT_H

#include <sys/types.h>

#include "daemon/core/host.h"
#include "daemon/host/process/fd-fetcher.h"
#include "daemon/host/process/fs-roots.h"

/* Devices whose numbers are assigned at boot; 0 if not present. No device has number 0. */
typedef struct DynamicDevices {
	dev_t kfd;
	dev_t dxg;
} DynamicDevices;

/*
 * Searches the open fds of a process for a GPU device: a DRM node, or a device of nvidia, kfd or
 * dxg. Only the device number counts. Call it as process_devices_visit().
 *
 * Returns LOOKUP_FOUND with *ret_kind set, LOOKUP_ABSENT, LOOKUP_GONE, LOOKUP_UNREADABLE if access
 * is denied, or LOOKUP_EXHAUSTED if out of fds or memory.
 */
Lookup graphics_context_find(const FsRoots *roots, const SearchedProcess *process,
			     GraphicsContextKind *ret_kind);

DynamicDevices dynamic_devices_read(const FsRoots *roots);

/*
 * Stores the kind of context that an open device with this number is. Returns false for any other
 * device.
 */
bool graphics_context_of_device(const DynamicDevices *dynamic, dev_t device,
				GraphicsContextKind *ret_kind);

#endif
