/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_NOTIFY_SOCKET_H
#define DAEMON_HOST_PERSIST_NOTIFY_SOCKET_H

#include <stdbool.h>

/*
 * A connection to the service manager for messages about the fd store. sd_notify(3) makes a socket
 * for each message, so it cannot tell how many the service manager has yet to read. This socket is
 * writable (POLLOUT) only if those are few, and then takes NOTIFY_BURST more without blocking.
 *
 * Storing an fd can take PID 1 milliseconds, because it compares the fd with each that it has, and
 * its queue has room for few messages (net.unix.max_dgram_qlen, often 10).
 */

/* Messages that follow one POLLOUT: those of an object with four planes, and of its process. */
#define NOTIFY_BURST 5

/* Connects to $NOTIFY_SOCKET. Returns the socket, or a negative errno. */
int notify_socket_open(void);

/*
 * Sends the text, and fd unless it is -1. Blocks while there is no room. Returns 0 or a negative
 * errno.
 */
int notify_socket_send(int notify, const char *text, int fd);

#endif
