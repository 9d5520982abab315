/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_DISPLAY_LINK_H
#define CLIENT_VAIL_QEMU_DISPLAY_LINK_H

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "client/vail-qemu/wait.h"

/* Timeout of calls, in microseconds. Generous, because QEMU's main loop may be busy. */
#define DBUS_CALL_TIMEOUT 10000000u

/*
 * The D-Bus connection to QEMU's display. There are three ways to get one:
 *
 * - a socket that QEMU's monitor has accepted (qmp.c), with QEMU as the only peer;
 * - such a socket from another program, for example from libvirt;
 * - a message bus that QEMU has joined.
 *
 * QEMU's process is the kernel's word in the first two ways. A bus is trusted to name it.
 *
 * All functions that wait for QEMU do so for at most WAIT_LIMIT, and return false after they have
 * logged an error.
 */
typedef struct DisplayLink {
	sd_bus *bus;
	const char *peer; /* QEMU's name on a message bus; NULL if QEMU is the only peer */
	const WaitClock *clock;
	pid_t qemu; /* 0 if it is unknown */
} DisplayLink;

/*
 * Starts D-Bus on a socket from QEMU's monitor. Takes ownership of the socket, also on failure.
 *
 * qemu: QEMU's pid.
 */
bool link_open(DisplayLink *link, int socket, pid_t qemu, const WaitClock *clock);

/*
 * Starts D-Bus on a socket whose other end another program has passed to QEMU, and sets link->qemu
 * to the process that answers. Takes ownership of the socket, also on failure.
 *
 * ret_pidfd: of QEMU; unchanged on failure.
 */
bool link_open_passed(DisplayLink *link, int socket, const WaitClock *clock, int *ret_pidfd);

/*
 * Joins the message bus at the D-Bus address, which must outlive the link, and sets link->qemu to
 * the process that owns the name org.qemu there.
 *
 * ret_pidfd: of QEMU; unchanged on failure.
 */
bool link_open_bus(DisplayLink *link, const char *address, const WaitClock *clock, int *ret_pidfd);

void link_close(DisplayLink *link);

/* Reads a property. The caller releases the reply, which is at the value. */
bool link_get_property(const DisplayLink *link, const char *path, const char *interface,
		       const char *property, const char *type, sd_bus_message **ret);

/* The same for a string, which the caller frees. */
bool link_get_string(const DisplayLink *link, const char *path, const char *interface,
		     const char *property, char **ret);

/*
 * Starts a peer-to-peer D-Bus connection as the client. Takes ownership of the socket, also on
 * failure. Returns 0 or a negative errno.
 */
int dbus_start_peer(int socket, sd_bus **ret_bus);

/* Logs a negative errno. Returns true if it was one. */
bool dbus_failed(int result, const char *what);

#endif
