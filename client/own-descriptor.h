/* SPDX-License-Identifier: MIT */
#ifndef OWN_DESCRIPTOR_H
#define OWN_DESCRIPTOR_H

/* Descriptors that are closed when their variable goes. The daemon's are not the clients' to share:
 * proto, which they share, knows no system calls. */

#include <unistd.h>

#include "macros.h"

static inline void descriptor_close(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
	*descriptor = -1;
}

#define _cleanup_close_ _cleanup_(descriptor_close)

#endif
