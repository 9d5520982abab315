/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_PROCESS_DEVICES_H
#define DAEMON_HOST_PROCESS_PROCESS_DEVICES_H

#include <sys/types.h>

#include "daemon/core/host.h"
#include "daemon/host/process/fd-fetcher.h"
#include "daemon/host/process/fs-roots.h"

/*
 * Called for each character device that a process has open. Returns LOOKUP_ABSENT to go on with the
 * next one; any other result ends the visit.
 */
typedef Lookup (*DeviceVisitor)(void *context, dev_t device);

/*
 * Visits the character devices among the open fds of a process. Fds with O_PATH do not count,
 * because they do not open the device: any user can look up a device node.
 *
 * The fds are fetched with pidfd_getfd(), because CAP_SYS_PTRACE does not permit reading
 * /proc/PID/fd of other users. They are examined without calling the file system behind them, which
 * might never answer. Their close calls it, so child processes fetch and close them (fd-fetcher.h).
 * A child may hang when this function returns: call wait() until none is left. At most
 * LIMIT_FDS_EXAMINED fds are examined, because that many take long.
 *
 * Returns the visitor's last result, LOOKUP_ABSENT after all of them, LOOKUP_GONE,
 * LOOKUP_UNREADABLE if access is denied, or LOOKUP_EXHAUSTED if out of fds, memory or processes, or
 * if FETCHERS_MAX children hang. Sets *ret_is_complete to false if the process has more fds, or
 * none at all: those of a process whose main thread has exited cannot be seen.
 */
Lookup process_devices_visit(const FsRoots *roots, const SearchedProcess *process,
			     DeviceVisitor visit, void *context, bool *ret_is_complete);

#endif
