/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_FS_ROOTS_H
#define DAEMON_HOST_PROCESS_FS_ROOTS_H

/* Mount points of the kernel's file systems. Parameters, so that tests can provide their own. */
typedef struct Roots {
	const char *proc;
	const char *sys;
} Roots;

#define ROOTS_DEFAULT ((Roots){ .proc = "/proc", .sys = "/sys" })

#endif
