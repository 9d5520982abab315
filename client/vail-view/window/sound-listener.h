/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_SOUND_LISTENER_H
#define CLIENT_VAIL_VIEW_WINDOW_SOUND_LISTENER_H

#include <SDL.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "client/common/channel-bus.h"
#include "client/vail-view/window/guest-channel.h"

/*
 * The connection on which the agent calls a listener for played sound or for the microphone. It
 * exists while the display channel has the right.
 */

/* The differences between the two listeners. */
typedef struct SoundListenerKind {
	unsigned int right;
	const char *method; /* of org.qemu.Display1.Audio, which registers the listener */
	const char *path;
	const char *interface;
	const sd_bus_vtable *methods; /* they get the context */
	size_t message_max;           /* bytes of the largest message of the agent */
	void (*stop)(void *context);  /* forgets all streams, because the connection has ended */
} SoundListenerKind;

typedef struct SoundListener {
	const SoundListenerKind *kind;
	void *context;
	GuestChannel *channel;
	bool is_wanted;
	uint64_t opening;          /* the number of the channel's bus that it was registered on */
	ChannelBus bus;            /* its bus is NULL without a connection */
	sd_bus_slot *registration; /* the reply that is awaited */
	bool is_refused;           /* until another occasion */
	bool has_failed;           /* the connection has to end */
	bool ends_turn;            /* the last message took long */
} SoundListener;

/*
 * kind, context, channel: must outlive the listener.
 * is_wanted: otherwise, nothing is registered.
 */
void sound_listener_init(SoundListener *listener, const SoundListenerKind *kind, void *context,
			 GuestChannel *channel, bool is_wanted);
void sound_listener_deinit(SoundListener *listener);

/* Handles an event: after a refusal, the window's focus is an occasion to try again. */
void sound_listener_handle(SoundListener *listener, const SDL_Event *event);

/* Begins and ends with the channel, and handles messages. Call it after the channel's. */
void sound_listener_process(SoundListener *listener);

/* Fills in what to poll for. Returns when sound_listener_process() must be called without that. */
int64_t sound_listener_poll_for(const SoundListener *listener, struct pollfd *ret_fd);

#endif
