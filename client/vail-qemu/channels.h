/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CHANNELS_H
#define CLIENT_VAIL_QEMU_CHANNELS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/vail-qemu/agent.h"
#include "client/vail-qemu/channel.h"
#include "client/vail-qemu/clipboard.h"
#include "client/vail-qemu/display.h"

/*
 * The display channels of the VM. Asks vaild for them on a connection of its own, whenever the
 * agent is ready, and serves each one until vaild or its viewer ends it. libvail keeps them over a
 * restart of vaild.
 */
typedef struct Channels {
	Display *display;
	Agent *agent;
	Clipboard clipboard;
	GuestSound sounds[SOUND_DIRECTIONS];
	struct vail *server; /* NULL if vaild is not asked */
	bool is_asked;       /* the stream goes on */
	bool is_unknown;     /* this vaild has no display channels */
	bool was_ready;      /* the agent, in the last turn */
	int64_t ask_at;      /* when to ask again; milliseconds, 0 for never */
	int64_t close_at;    /* when to close all, because vaild stays away; 0 for never */
	TAILQ_HEAD(, Channel) items;
	size_t count;
} Channels;

/* Both must outlive the channels. */
void channels_init(Channels *channels, Display *display, Agent *agent);
void channels_deinit(Channels *channels);

/* Returns the number of fds that channels_poll_for() fills in. */
size_t channels_fds(const Channels *channels);

/*
 * Fills in the fds to poll before channels_process(). Returns the timeout in milliseconds, or -1
 * for none.
 */
int channels_poll_for(const Channels *channels, struct pollfd *poll_fds);

/* Notes what QEMU has drawn. Call after display_process(), and before agent_flush(). */
void channels_note(Channels *channels);

/* Handles input from vaild and the viewers, and sends the replies and calls that are due. */
void channels_process(Channels *channels);

#endif
