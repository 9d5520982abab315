/* SPDX-License-Identifier: MIT */
#ifndef HOST_GRAPHICS_CONTEXT_H
#define HOST_GRAPHICS_CONTEXT_H

#include "closer.h"
#include "process-table.h"

/*
 * A GPU device that the process has open now: a DRM node, or one of the devices of nvidia, kfd and
 * dxg, recognised by the device number alone.
 *
 * Its descriptors are fetched one by one, since CAP_SYS_PTRACE does not let another user's
 * /proc/PID/fd be read, and looked at without asking the file system behind them, which might not
 * answer. What was fetched is closed by the closer, on the owner's account. At most
 * LIMIT_DESCRIPTORS_EXAMINED are looked at.
 */
Evidence graphics_context_find(const HostProcess *process, Closer *closer, Owner *owner,
			       GraphicsContextKind *ret_kind);

/* The devices whose numbers are given out at boot; 0, which no device has, where there is none. */
typedef struct DynamicDevices {
	dev_t kfd;
	dev_t dxg;
} DynamicDevices;

DynamicDevices dynamic_devices_read(const Roots *roots);

/* The kind of context that an open device of this number is; false for every other device. */
bool graphics_context_of_device(const DynamicDevices *dynamic, dev_t device,
				GraphicsContextKind *ret_kind);

#endif
