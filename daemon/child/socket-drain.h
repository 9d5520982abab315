/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CHILD_SOCKET_DRAIN_H
#define DAEMON_CHILD_SOCKET_DRAIN_H

#include <stdbool.h>

/*
 * Empties display channels before their last close. That closes the fds which were sent on the
 * channel and not received, and can block for ever: in the daemon, or in the service manager, which
 * has channels in its fd store.
 *
 * Receiving an fd never blocks. So a child process receives them into an fd table of its own, and
 * closes them by its exit, for which nobody waits.
 */

/*
 * Shuts the socket down, and empties it. Nothing can be sent to it later, so its last close does
 * not block. Waits for the child process until that has received everything. Returns false if out
 * of memory or processes; the socket is shut down then, too. Other fds than sockets stay as they
 * are, and count as empty.
 */
bool socket_end(int fd);

/* Returns true if fds wait in the Unix socket, or if out of memory. Receives nothing. */
bool socket_has_fds(int fd);

#endif
