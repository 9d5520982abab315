/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_PID_NAMESPACE_H
#define DAEMON_HOST_PROCESS_PID_NAMESPACE_H

#include <linux/nsfs.h>

#include "daemon/core/host.h"
#include "daemon/host/examiner/question.h"
#include "daemon/host/process/fs-roots.h"

/*
 * The pid namespaces below the daemon's. Only the examiner may open those of other users'
 * processes. Inodes identify them, because all namespaces are files of one file system.
 */

/* In Linux 6.11 and later, but not in Debian 12's headers. */
#ifndef NS_GET_PID_FROM_PIDNS
#define NS_GET_PID_FROM_PIDNS _IOR(NSIO, 0x6, int)
#endif

/* Returns the inode of the calling process's own pid namespace, or 0 if it cannot be read. */
uint64_t pid_namespace_own(const FsRoots *roots);

/*
 * Tests whether a process is in the pid namespace with this inode. folder is an O_PATH fd of its
 * directory in /proc. Returns false, too, if that cannot be read.
 */
bool pid_namespace_contains(uint64_t inode, int folder);

/*
 * Reads the pid namespaces of a process below that of the caller, and its pids there. folder is as
 * above. Returns 0; or a negative errno, -EBADMSG if /proc contradicts itself.
 */
int pid_namespace_read_levels(int folder, PidLevel levels[static PID_LEVELS_MAX],
			      uint32_t *ret_count);

/*
 * Finds the process that has inner_pid in the pid namespace of the process pid. With by_ioctl it
 * asks the kernel, which answers since Linux 6.11; otherwise, and on older kernels, it searches all
 * of /proc, which takes long. Returns LOOKUP_FOUND with its pid in the caller's namespace,
 * LOOKUP_ABSENT, LOOKUP_UNREADABLE or LOOKUP_EXHAUSTED.
 *
 * The result is only a hint: both pids may belong to other processes by now.
 */
Lookup pid_namespace_find(const FsRoots *roots, pid_t pid, pid_t inner_pid, bool by_ioctl,
			  pid_t *ret);

#endif
