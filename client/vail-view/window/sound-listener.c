/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/sound-listener.h"

#include <errno.h>
#include <sys/socket.h>

#include "client/common/display-names.h"
#include "client/vail-view/clock.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* Messages that are handled in one turn, so that an agent cannot stop the drawing. */
#define MESSAGES_A_TURN 64

/* Replies that may wait for the agent to read. Beyond that, the listener ends. */
#define REPLIES_MAX 1024

void sound_listener_init(SoundListener *listener, const SoundListenerKind *kind, void *context,
			 GuestChannel *channel, bool is_wanted)
{
	*listener = (SoundListener){
		.kind = kind, .context = context, .channel = channel, .is_wanted = is_wanted
	};
}

/* Stops at once. */
static void leave(SoundListener *listener)
{
	listener->registration = sd_bus_slot_unref(listener->registration);
	channel_bus_deinit(&listener->bus);
	listener->is_refused = listener->has_failed = false;
	listener->kind->stop(listener->context);
}

void sound_listener_deinit(SoundListener *listener)
{
	leave(listener);
}

/* Leaves until another occasion. */
static void give_up(SoundListener *listener)
{
	leave(listener);
	listener->is_refused = true;
}

static int on_registered(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	SoundListener *listener = context;

	(void)error;
	listener->registration = sd_bus_slot_unref(listener->registration);
	if (sd_bus_message_is_method_error(reply, NULL))
		listener->has_failed = true;
	return 1;
}

/* Starts D-Bus on the socket. Takes ownership of it, also on failure. */
static int start_bus(SoundListener *listener, int socket)
{
	const SoundListenerKind *kind = listener->kind;

	guest_channel_refuse_fds(socket);
	int result = channel_bus_init_client(&listener->bus, socket, kind->message_max);
	if (result >= 0)
		result = sd_bus_negotiate_fds(listener->bus.bus, false);
	if (result >= 0)
		result =
			sd_bus_add_object_vtable(listener->bus.bus, NULL, kind->path,
						 kind->interface, kind->methods, listener->context);
	return result < 0 ? result : sd_bus_start(listener->bus.bus);
}

static int register_listener(SoundListener *listener)
{
	_cleanup_close_ int theirs = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	int result = start_bus(listener, pair[0]);
	return result < 0
		       ? result
		       : sd_bus_call_method_async(listener->channel->bus.bus,
						  &listener->registration, NULL, DISPLAY_AUDIO_PATH,
						  DISPLAY_AUDIO, listener->kind->method,
						  on_registered, listener, "h", theirs);
}

static bool can_listen(const SoundListener *listener)
{
	return listener->is_wanted && guest_channel_has(listener->channel, listener->kind->right);
}

/* Handles messages of the agent. Returns false if the connection has ended. */
static bool process_bus(SoundListener *listener)
{
	uint64_t unsent = 0;
	int result = 1;

	listener->ends_turn = false;
	for (int i = 0; i < MESSAGES_A_TURN && result > 0 && !listener->has_failed; i++) {
		result = channel_bus_process(&listener->bus);
		if (listener->ends_turn)
			break;
	}
	if (result >= 0)
		sd_bus_get_n_queued_write(listener->bus.bus, &unsent);
	return result >= 0 && !listener->has_failed && unsent <= REPLIES_MAX;
}

/* The user has turned to the window: there may be sound by now, or a device for it. */
void sound_listener_handle(SoundListener *listener, const SDL_Event *event)
{
	if (event->type == SDL_WINDOWEVENT && event->window.event == SDL_WINDOWEVENT_FOCUS_GAINED)
		listener->is_refused = false;
}

void sound_listener_process(SoundListener *listener)
{
	const GuestChannel *channel = listener->channel;

	if (!can_listen(listener) || listener->opening != channel->openings)
		leave(listener);
	listener->opening = channel->openings;
	if (can_listen(listener) && !listener->bus.bus && !listener->is_refused &&
	    register_listener(listener) < 0)
		give_up(listener);
	if (listener->bus.bus && !process_bus(listener))
		give_up(listener);
}

int64_t sound_listener_poll_for(const SoundListener *listener, struct pollfd *ret_fd)
{
	*ret_fd = (struct pollfd){ .fd = -1 };
	if (!listener->bus.bus)
		return GUEST_CHANNEL_NEVER;
	int left = channel_bus_poll_for(&listener->bus, true, ret_fd);
	return left < 0 ? GUEST_CHANNEL_NEVER : now_milliseconds() + left;
}
