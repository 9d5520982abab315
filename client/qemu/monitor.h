/* SPDX-License-Identifier: MIT */
#ifndef QEMU_MONITOR_H
#define QEMU_MONITOR_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * QEMU's monitor (QMP), on its Unix socket. It serves one client at a time, so it is used for no
 * longer than it takes to join the display, and left to others then.
 */

/*
 * Joins QEMU's display, as "-display dbus,p2p=yes" offers it.
 *
 * path: of the monitor's socket.
 * ret_pid: QEMU's, by the kernel's word.
 * ret_pidfd: the caller's, to be closed.
 * ret_display: a socket on which QEMU speaks D-Bus; the caller's, to be closed.
 *
 * Returns false when a sentence was said why it cannot be.
 */
bool monitor_join_display(const char *path, pid_t *ret_pid, int *ret_pidfd, int *ret_display);

#endif
