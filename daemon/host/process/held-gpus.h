/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_HELD_GPUS_H
#define DAEMON_HOST_PROCESS_HELD_GPUS_H

#include <sys/types.h>

#include "daemon/core/host.h"
#include "daemon/host/process/fd-fetcher.h"
#include "daemon/host/process/fs-roots.h"

/*
 * Finds the GPU devices and VFIO functions that a process has open, by the numbers of its open
 * devices and what sysfs says about them now. Nothing is remembered, because the next VM may get
 * the same function. Call it as process_devices_visit().
 *
 * Returns LOOKUP_FOUND with *ret set, LOOKUP_ABSENT if all fds were examined, LOOKUP_GONE,
 * LOOKUP_EXHAUSTED, or LOOKUP_UNREADABLE, also if none was found and the process may have more.
 */
Lookup held_gpus_find(const FsRoots *roots, const SearchedProcess *process, HeldGpus *ret);

#endif
