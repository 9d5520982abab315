/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_QMP_H
#define CLIENT_VAIL_QEMU_QMP_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/vail-qemu/wait.h"

/* The result of joining. The caller closes the fds and frees the strings. */
typedef struct QmpDisplay {
	pid_t qemu; /* from the kernel */
	int pidfd;  /* of QEMU */
	int socket; /* for D-Bus with QEMU */
	char *name; /* of the VM; NULL if QEMU has none, or if it does not answer query-name */
	char *uuid; /* of the VM; NULL unless there is a check, or if QEMU does not tell */
	/* As in VailMachine; NULL unless there is a check, or if QEMU does not tell. */
	const char *guest_state;
	bool is_old; /* QEMU does not answer query-name, so its name is unknown */
} QmpDisplay;

/*
 * Decides whether the display may be joined. QEMU's display serves one client, so joining takes it
 * from the present one. found: without the socket. Logs the reason before it returns false.
 */
typedef bool (*QmpCheck)(const QmpDisplay *found, void *context);

/*
 * Connects to QEMU's monitor (QMP) and joins the display of "-display dbus,p2p=yes". Disconnects
 * from the monitor before it returns, because the monitor serves only one client at a time. Each
 * step has a limit of WAIT_LIMIT.
 *
 * path: the monitor's Unix socket.
 * check: called with the context before the display is joined; NULL for none.
 * ret: unchanged on failure.
 *
 * Returns false after it has logged an error.
 */
bool qmp_join_display(const char *path, const WaitClock *clock, QmpCheck check, void *context,
		      QmpDisplay *ret);

#endif
