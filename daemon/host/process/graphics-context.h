/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_GRAPHICS_CONTEXT_H
#define DAEMON_HOST_PROCESS_GRAPHICS_CONTEXT_H

#include "daemon/host/net/fd-closer.h"
#include "daemon/host/process/process-table.h"

/*
 * Tests whether the process has a GPU device open: a DRM node, or a device of nvidia, kfd or dxg.
 * Only the device number counts.
 *
 * The process's fds are fetched one at a time with pidfd_getfd(), because CAP_SYS_PTRACE does not
 * permit reading /proc/PID/fd of other users. They are examined without calling the file system
 * behind them, which might never answer. The closer closes the fetched fds on the user's account.
 * At most LIMIT_FDS_EXAMINED fds are examined.
 *
 * Returns LOOKUP_FOUND with *ret_kind set, LOOKUP_ABSENT, LOOKUP_GONE, LOOKUP_UNREADABLE if access
 * is denied, or LOOKUP_EXHAUSTED if out of fds or memory, or if the user's closes are at their
 * limit.
 */
Lookup graphics_context_find(const HostProcess *process, FdCloser *closer, PeerUser *user,
			     GraphicsContextKind *ret_kind);

/* Devices whose numbers are assigned at boot; 0 if not present. No device has number 0. */
typedef struct DynamicDevices {
	dev_t kfd;
	dev_t dxg;
} DynamicDevices;

DynamicDevices dynamic_devices_read(const FsRoots *roots);

/*
 * Stores the kind of context that an open device with this number is. Returns false for any other
 * device.
 */
bool graphics_context_of_device(const DynamicDevices *dynamic, dev_t device,
				GraphicsContextKind *ret_kind);

#endif
