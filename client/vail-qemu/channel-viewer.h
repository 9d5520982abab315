/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CHANNEL_VIEWER_H
#define CLIENT_VAIL_QEMU_CHANNEL_VIEWER_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "client/common/channel-bus.h"
#include "client/vail-qemu/console.h"

/* Time for a viewer to read and to reply, in milliseconds. */
#define VIEWER_LIMIT 10000

/* The form in which a viewer has the screen, which decides how it gets updates. */
typedef enum ViewerScreen {
	VIEWER_NONE,
	VIEWER_MAP,    /* as memory */
	VIEWER_DMABUF, /* as a dma-buf */
	VIEWER_BYTES,
} ViewerScreen;

/*
 * The listener of a viewer on one console (org.qemu.Display1.Listener), which has a connection of
 * its own. The viewer is the D-Bus client there, and implements the listener.
 *
 * Nothing is sent while the viewer has not replied to the calls before. Meanwhile, damage is merged
 * and older screens are forgotten. So a slow viewer costs little and delays nobody.
 */
typedef struct ChannelViewer {
	ChannelBus bus;
	const Console *console;
	bool is_ready;          /* the viewer has said which interfaces it has */
	bool has_map;           /* it takes screens as memory */
	bool is_lost;           /* the connection has ended */
	bool is_slow;           /* the viewer has not replied in time */
	unsigned int unreplied; /* calls without a reply */
	int64_t asked_at;       /* when the viewer was connected or called; milliseconds */

	bool must_show; /* the screen as a whole */
	bool is_shown;  /* the state of the console that the viewer knows, or will know */
	uint64_t shown;
	uint64_t damage_seen;
	Damage damage;
	ViewerScreen screen;
	uint64_t cursors;
	CursorPlace place;
} ChannelViewer;

/*
 * Begins to serve a listener. Takes ownership of the socket, also on failure. The console must
 * outlive the viewer.
 *
 * Returns NULL on failure.
 */
ChannelViewer *channel_viewer_new(int socket, const Console *console, int64_t now);
void channel_viewer_free(ChannelViewer *viewer);

/*
 * Notes what the console has drawn since the last call. Must be called before the console's damage
 * is dropped.
 */
void channel_viewer_note(ChannelViewer *viewer);

/* Handles input, and sends due calls. Sets is_lost or is_slow if the caller must free it. */
void channel_viewer_process(ChannelViewer *viewer, int64_t now);

/* Returns the milliseconds until channel_viewer_process() must be called, or -1. */
int channel_viewer_timeout(const ChannelViewer *viewer, int64_t now);

#endif
