/* SPDX-License-Identifier: MIT */
#ifndef HOST_OWN_DESCRIPTOR_H
#define HOST_OWN_DESCRIPTOR_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "macros.h"

/* For descriptors of our own making. Those of strangers go to the closer: closing them can hang. */
static inline void descriptor_close(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
	*descriptor = -1;
}

#define _cleanup_close_ _cleanup_(descriptor_close)

/*
 * Which of the events, POLLERR and POLLHUP there are now. It never waits, and yet a signal ends it
 * (EINTR), as the one of each child that is done: then it is asked again.
 */
static inline short descriptor_poll(int descriptor, short events)
{
	struct pollfd asked = { .fd = descriptor, .events = events };
	int count;

	do
		count = poll(&asked, 1, 0);
	while (count < 0 && errno == EINTR);
	return count < 0 ? POLLERR : asked.revents;
}

/* Whether an errno says that there is no room for what was asked. */
static inline bool errno_is_exhaustion(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
	       error == ENOSPC;
}

#endif
