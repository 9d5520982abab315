/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_SCREEN_BUFFERS_H
#define CLIENT_VAIL_QEMU_SCREEN_BUFFERS_H

#include <stdint.h>
#include <sys/types.h>

#include "client/vail-qemu/agent.h"
#include "client/vail-qemu/surface.h"

/*
 * The buffers that a screen or a cursor has shown recently. All of them stay shared under one name,
 * so that a guest that flips between buffers shows the same objects again. The buffers have the
 * same mode, which is everything but their place in memory.
 *
 * The current buffer is the one that was shared or updated last. A new one is shared before another
 * is unshared, so that watchers always see one.
 */

/*
 * Each buffer pins its memory, although the guest may have freed it. So the oldest ones are dropped
 * beyond a number, and beyond a size in bytes if there are more than guests flip between.
 */
#define SCREEN_BUFFERS_MAX      32
#define SCREEN_BUFFERS_KEPT     4
#define SCREEN_BUFFERS_SIZE_MAX ((uint64_t)64 << 20)

typedef struct ScreenBuffer {
	Surface surface;
	struct vail_memory *copy; /* NULL if the memory is QEMU's; otherwise it owns the fd */
	dev_t device;             /* of QEMU's memory */
	ino_t inode;
	uint64_t last_shown; /* counted by ScreenBuffers.shown */
} ScreenBuffer;

typedef struct ScreenBuffers {
	Agent *agent;
	ScreenBuffer items[SCREEN_BUFFERS_MAX];
	ScreenBuffer *current; /* never NULL; its surface is not shown if nothing is */
	uint64_t shown;
} ScreenBuffers;

/* Names all buffers "console NUMBER" and what. The agent must outlive them. */
void buffers_init(ScreenBuffers *buffers, Agent *agent, uint32_t number, const char *what);
void buffers_deinit(ScreenBuffers *buffers);

static inline Surface *buffers_surface(const ScreenBuffers *buffers)
{
	return &buffers->current->surface;
}

/*
 * Finds the buffer whose object would be this one, by the identity of the memory, not by the number
 * of its fd. Returns NULL if the memory was not shown recently in this mode.
 */
ScreenBuffer *buffers_find(ScreenBuffers *buffers, const VailObject *object);

/* Makes a buffer that buffers_find() has returned the current one. */
void buffers_show_again(ScreenBuffers *buffers, ScreenBuffer *buffer);

/*
 * Shares the object as the current buffer, and drops the buffers of other modes. Of the object, the
 * mode and the first plane count. If vaild refuses it, no buffer is left except the current one,
 * which the agent shares as soon as vaild allows it.
 *
 * copy: takes ownership. If NULL, takes ownership of the plane's fd.
 */
void buffers_show(ScreenBuffers *buffers, const VailObject *object, struct vail_memory *copy);

/* Unshares and releases all buffers. */
void buffers_hide(ScreenBuffers *buffers);

#endif
