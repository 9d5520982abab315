/* SPDX-License-Identifier: MIT */
#ifndef HOST_OWN_DESCRIPTOR_H
#define HOST_OWN_DESCRIPTOR_H

#include <errno.h>
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

/* Whether an errno says that there is no room for what was asked. */
static inline bool errno_is_exhaustion(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
	       error == ENOSPC;
}

#endif
