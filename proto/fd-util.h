/* SPDX-License-Identifier: MIT */
#ifndef PROTO_FD_UTIL_H
#define PROTO_FD_UTIL_H

/*
 * Helpers for file descriptors, shared by daemon/host, the clients and the tests. Do not include
 * this header in core, store or api, because they must not make system calls.
 */

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "proto/macros.h"

/*
 * Closes *fd unless it is negative, and sets it to -1. Only for fds that this process opened
 * itself: close() of an fd received from a client can block for ever, so the daemon leaves those to
 * daemon/host/net/fd-closer.h.
 */
static inline void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Closes the variable's fd when the variable goes out of scope. */
#define _cleanup_close_ _cleanup_(fd_close)

/*
 * Polls an fd without waiting. Returns which of events, POLLERR and POLLHUP are set, or POLLERR if
 * poll() fails. Retries after EINTR: signals interrupt even a poll() that does not wait.
 */
static inline short fd_poll(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int count;

	do
		count = poll(&poll_fd, 1, 0);
	while (count < 0 && errno == EINTR);
	return count < 0 ? POLLERR : poll_fd.revents;
}

/* Returns true if the errno means that fds, memory or disk space have run out. */
static inline bool errno_is_exhaustion(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
	       error == ENOSPC;
}

#endif
