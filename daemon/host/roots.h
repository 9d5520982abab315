/* SPDX-License-Identifier: MIT */
#ifndef HOST_ROOTS_H
#define HOST_ROOTS_H

/* Where the kernel's file systems are. Parameters, so that a test gives its own. */
typedef struct Roots {
	const char *proc;
	const char *sys;
} Roots;

#define ROOTS_DEFAULT ((Roots){ .proc = "/proc", .sys = "/sys" })

#endif
