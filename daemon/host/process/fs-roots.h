/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_FS_ROOTS_H
#define DAEMON_HOST_PROCESS_FS_ROOTS_H

/* Mount points of the kernel's file systems. Parameters, so that tests can provide their own. */
typedef struct FsRoots {
	const char *proc;
	const char *sys;
} FsRoots;

#define FS_ROOTS_DEFAULT ((FsRoots){ .proc = "/proc", .sys = "/sys" })

#endif
