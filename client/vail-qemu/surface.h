/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_SURFACE_H
#define CLIENT_VAIL_QEMU_SURFACE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "client/vail-qemu/damage.h"
#include <vail.h>

/*
 * An image that the VM shares: a buffer of a console's screen or cursor. The console sets the
 * object and the damage; the agent shares them with vaild, and owns the fields from handle on.
 */
typedef struct Surface {
	char name[48];
	VailObject object; /* plane_count is 0 if nothing is shown */
	Damage damage;     /* not sent to vaild yet */
	bool is_idle;      /* the guest shows another buffer, but may show this one again */
	char handle[VAIL_HANDLE_SIZE]; /* of vaild's object; "" if it is not shared */
	bool is_shared_upstream;       /* vaild has confirmed the handle on this connection */
	NTSTATUS refused;              /* the last failure to share that was logged */
	LIST_ENTRY(Surface) entries;
} Surface;

static inline bool surface_is_shown(const Surface *surface)
{
	return surface->object.plane_count > 0;
}

static inline bool surface_is_shared(const Surface *surface)
{
	return surface->handle[0] != '\0';
}

#endif
