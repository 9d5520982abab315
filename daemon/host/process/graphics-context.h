/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_GRAPHICS_CONTEXT_H
#define DAEMON_HOST_PROCESS_GRAPHICS_CONTEXT_H

#include <dirent.h>

#include "daemon/host/net/fd-closer.h"
#include "daemon/host/process/process-table.h"

/* Devices whose numbers are assigned at boot; 0 if not present. No device has number 0. */
typedef struct DynamicDevices {
	dev_t kfd;
	dev_t dxg;
} DynamicDevices;

/*
 * A search for a GPU device among the open fds of a process: a DRM node, or a device of nvidia, kfd
 * or dxg. Only the device number counts.
 *
 * The process's fds are fetched one at a time with pidfd_getfd(), because CAP_SYS_PTRACE does not
 * permit reading /proc/PID/fd of other users. They are examined without calling the file system
 * behind them, which might never answer. The closer closes the fetched fds on the user's account.
 * At most LIMIT_FDS_EXAMINED fds are examined, in steps, because that many take long.
 */
typedef struct ContextSearch {
	const HostProcess *process;
	FdCloser *closer;
	PeerUser *user;
	DIR *fds; /* NULL once the search has ended */
	unsigned int examined;
	DynamicDevices dynamic; /* valid if dynamic_is_known */
	bool dynamic_is_known;

	/* The result, valid once the search has ended. */
	Lookup lookup;
	GraphicsContextKind kind; /* if the lookup is FOUND */
} ContextSearch;

/* Begins a search. process, closer and user must outlive it. */
void context_search_begin(ContextSearch *search, const HostProcess *process, FdCloser *closer,
			  PeerUser *user);

/*
 * Examines some fds. Returns true if the search has ended, with the result in search->lookup:
 * LOOKUP_FOUND with search->kind set, LOOKUP_ABSENT, LOOKUP_GONE, LOOKUP_UNREADABLE if access is
 * denied, or LOOKUP_EXHAUSTED if out of fds or memory, or if the user's closes are at their limit.
 */
bool context_search_step(ContextSearch *search);

/* Gives the search up. Needed only before it has ended; idempotent. */
void context_search_cancel(ContextSearch *search);

DynamicDevices dynamic_devices_read(const FsRoots *roots);

/*
 * Stores the kind of context that an open device with this number is. Returns false for any other
 * device.
 */
bool graphics_context_of_device(const DynamicDevices *dynamic, dev_t device,
				GraphicsContextKind *ret_kind);

#endif
