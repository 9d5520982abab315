/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_QMP_H
#define CLIENT_VAIL_QEMU_QMP_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Connects to QEMU's monitor (QMP) and joins the display of "-display dbus,p2p=yes". Disconnects
 * from the monitor before it returns, because the monitor serves only one client at a time.
 *
 * path: the monitor's Unix socket.
 * ret_pid: QEMU's pid, from the kernel.
 * ret_pidfd: QEMU's pidfd; the caller closes it.
 * ret_display: a socket for D-Bus with QEMU; the caller closes it.
 *
 * Returns false after it has logged an error.
 */
bool qmp_join_display(const char *path, pid_t *ret_pid, int *ret_pidfd, int *ret_display);

#endif
