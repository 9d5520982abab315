/* SPDX-License-Identifier: MIT */
#ifndef QEMU_SURFACE_H
#define QEMU_SURFACE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "damage.h"
#include "vail.h"

/*
 * An image in memory that the VM shares: a console's screen, or a cursor. Its owner says what is to
 * be seen; the agent keeps vaild's object of it true.
 */
typedef struct Surface {
	char name[48];
	VailObject object;             /* plane_count 0: nothing is to be seen */
	Damage damage;                 /* not told yet */
	char handle[VAIL_HANDLE_SIZE]; /* the agent's: of the object at vaild; "": there is none */
	bool is_known;    /* the agent's: vaild has told of that object since it came back */
	NTSTATUS refused; /* the agent's: what was said of it last */
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
