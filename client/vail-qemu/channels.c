/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/channels.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "client/common/close-aside.h"
#include "client/common/user-message.h"
#include "proto/macros.h"

/* Time until vaild is asked again after it has refused, in milliseconds. */
#define RETRY_INTERVAL 5000

/* Time that vaild may be away while channels go on, in milliseconds. */
#define ABSENCE_MAX 30000

/* Calls that may wait for QEMU to read. Beyond that, no input is taken from viewers. */
#define CALLS_MAX 256

/*
 * Closes of viewers' descriptors that may go on, each on its thread. Beyond that, vail-qemu takes
 * no new channels from vaild.
 */
#define CLOSES_MAX 1024

static int64_t now(const Channels *channels)
{
	return channels->display->link.clock->now();
}

void channels_init(Channels *channels, Display *display, Agent *agent)
{
	*channels = (Channels){ .display = display, .agent = agent };
	TAILQ_INIT(&channels->items);
	clipboard_init(&channels->clipboard, display);
	for (SoundDirection i = 0; i < SOUND_DIRECTIONS; i++)
		guest_sound_init(&channels->sounds[i], display, i);
}

static void remove_channel(Channels *channels, Channel *channel)
{
	TAILQ_REMOVE(&channels->items, channel, entries);
	channels->count--;
	channel_close(channel);
}

static void remove_all(Channels *channels)
{
	while (!TAILQ_EMPTY(&channels->items))
		remove_channel(channels, TAILQ_FIRST(&channels->items));
}

void channels_deinit(Channels *channels)
{
	if (!channels->display)
		return;
	remove_all(channels);
	vail_close(channels->server); /* calls on_event() */
	clipboard_deinit(&channels->clipboard);
	for (size_t i = 0; i < SOUND_DIRECTIONS; i++)
		guest_sound_deinit(&channels->sounds[i]);
}

/* ---- vaild ---- */

static Channel *find_channel(const Channels *channels, const char *handle)
{
	Channel *channel;

	TAILQ_FOREACH (channel, &channels->items, entries)
		if (strcmp(channel->handle, handle) == 0)
			return channel;
	return NULL;
}

/* Tells vaild that a channel has ended here. Does not wait for the reply. */
static void report_end(const Channels *channels, const char *handle)
{
	char parameters[64];

	snprintf(parameters, sizeof(parameters), "{\"display\":\"%s\"}", handle);
	vail_send_oneway(channels->agent->calls, "io.vaild.Display.CloseDisplay", parameters);
}

static void open_channel(Channels *channels, struct vail *vail, const VailDisplay *display)
{
	const ChannelGuest guest = { channels->display, &channels->clipboard, channels->sounds,
				     channels->agent->machine.name };
	int socket = vail_take_descriptor(vail, 0);
	Channel *channel = NULL;

	if (socket >= 0)
		channel = channel_open(socket, display->handle, display->rights, &guest);
	if (!channel) {
		log_message("a display channel cannot be served: out of memory or descriptors");
		report_end(channels, display->handle);
		return;
	}
	display_ask_for_properties(channels->display);
	if (display->rights & VAIL_DISPLAY_CLIPBOARD)
		clipboard_join(&channels->clipboard);
	if (display->rights & VAIL_DISPLAY_AUDIO_OUTPUT)
		guest_sound_join(&channels->sounds[SOUND_PLAYED]);
	if (display->rights & VAIL_DISPLAY_AUDIO_INPUT)
		guest_sound_join(&channels->sounds[SOUND_RECORDED]);
	TAILQ_INSERT_TAIL(&channels->items, channel, entries);
	channels->count++;
}

static void handle_event(Channels *channels, struct vail *vail, const VailServeEvent *event)
{
	Channel *channel;

	switch (event->kind) {
	case VAIL_SERVE_BEGUN:
		channels->close_at = 0;
		display_ask_for_properties(channels->display);
		guest_sound_join_early(&channels->sounds[SOUND_RECORDED]);
		break;
	case VAIL_SERVE_OPENED:
		open_channel(channels, vail, event->display);
		break;
	case VAIL_SERVE_CLOSED:
		channel = find_channel(channels, event->handle);
		if (channel)
			remove_channel(channels, channel);
		break;
	case VAIL_SERVE_INTERRUPTED:
		channels->close_at = now(channels) + ABSENCE_MAX;
		break;
	case VAIL_SERVE_ENDED:
		break; /* the last event */
	}
}

/* The stream has ended, and with it all channels. */
static void end_asking(Channels *channels, NTSTATUS status)
{
	channels->is_asked = false;
	channels->is_unknown = status == STATUS_NOT_SUPPORTED;
	channels->close_at = 0;
	channels->ask_at = now(channels) + RETRY_INTERVAL;
	remove_all(channels);
}

static bool on_event(struct vail *vail, NTSTATUS status, const VailServeEvent *event,
		     bool continues, void *context)
{
	Channels *channels = context;

	if (event)
		handle_event(channels, vail, event);
	if (!continues)
		end_asking(channels, status);
	return true;
}

/* Asks vaild for the channels of the VM. */
static void ask(Channels *channels)
{
	const char *path = vail_path(channels->agent->calls);

	vail_close(TAKE_POINTER(channels->server));
	channels->ask_at = now(channels) + RETRY_INTERVAL;
	if (vail_new(path, &channels->server) != STATUS_SUCCESS)
		return;
	channels->is_asked = vail_serve_displays(channels->server, channels->agent->machine.guid,
						 on_event, channels) == STATUS_SUCCESS;
}

/*
 * Asks when the agent has become ready, and again some time after vaild has refused: another
 * vail-qemu may serve the displays, or may be about to end. A vaild without display channels is
 * asked again after its restart only.
 */
static void ask_when_due(Channels *channels)
{
	bool is_ready = channels->agent->state == AGENT_READY && !channels->agent->has_other_agent;
	bool has_become_ready = is_ready && !channels->was_ready;

	channels->was_ready = is_ready;
	if (!is_ready || channels->is_asked)
		return;
	if (has_become_ready || (!channels->is_unknown && now(channels) >= channels->ask_at))
		ask(channels);
}

/* ---- Turns ---- */

/* Tests whether QEMU reads its calls, so that more input can be sent to it. */
static bool qemu_accepts(const Channels *channels)
{
	uint64_t count;

	return sd_bus_get_n_queued_write(channels->display->link.bus, &count) < 0 ||
	       count < CALLS_MAX;
}

size_t channels_fds(const Channels *channels)
{
	return 1 + SOUND_DIRECTIONS +
	       channels->count * (1 + SOUND_DIRECTIONS + channels->display->console_count);
}

/* Returns the milliseconds until the time, or -1 if it is 0. */
static int time_left(int64_t at, int64_t current)
{
	if (at == 0)
		return -1;
	int64_t left = at > current ? at - current : 0;
	return left < INT_MAX ? (int)left : INT_MAX;
}

int channels_poll_for(const Channels *channels, struct pollfd *poll_fds)
{
	bool accepts = qemu_accepts(channels);
	int64_t current = now(channels);
	int milliseconds = time_left(channels->close_at, current);
	const Channel *channel;
	size_t count = 1;

	poll_fds[0] = (struct pollfd){ .fd = -1 };
	if (close_aside_count() >= CLOSES_MAX)
		milliseconds = shorter_timeout(milliseconds, RETRY_INTERVAL);
	else if (channels->server)
		poll_fds[0] = (struct pollfd){ .fd = vail_descriptor(channels->server),
					       .events = vail_events(channels->server) };
	for (size_t i = 0; i < SOUND_DIRECTIONS; i++)
		milliseconds =
			shorter_timeout(milliseconds, guest_sound_poll_for(&channels->sounds[i],
									   &poll_fds[count++]));
	TAILQ_FOREACH (channel, &channels->items, entries) {
		milliseconds =
			shorter_timeout(milliseconds, channel_poll_for(channel, accepts, current,
								       poll_fds + count));
		count += 1 + SOUND_DIRECTIONS + channels->display->console_count;
	}
	if (channels->was_ready && !channels->is_asked && !channels->is_unknown)
		milliseconds = shorter_timeout(milliseconds, time_left(channels->ask_at, current));
	return milliseconds;
}

void channels_note(Channels *channels)
{
	Channel *channel;

	TAILQ_FOREACH (channel, &channels->items, entries)
		channel_note(channel);
}

/* Closes the channel if it has ended here. */
static void close_ended(Channels *channels, Channel *channel)
{
	if (!channel->is_ended)
		return;
	if (channel->reason)
		log_message("a display channel is closed: %s", channel->reason);
	report_end(channels, channel->handle);
	remove_channel(channels, channel);
}

void channels_process(Channels *channels)
{
	int64_t current = now(channels);
	Channel *channel, *next;

	if (channels->server && close_aside_count() < CLOSES_MAX)
		vail_process(channels->server); /* reports errors to on_event() */
	ask_when_due(channels);
	for (size_t i = 0; i < SOUND_DIRECTIONS; i++)
		guest_sound_process(&channels->sounds[i]);
	if (channels->close_at != 0 && current >= channels->close_at) {
		log_message("vaild stays away, so nobody could end display channels; they are "
			    "closed");
		channels->close_at = 0;
		remove_all(channels);
	}
	for (channel = TAILQ_FIRST(&channels->items); channel; channel = next) {
		next = TAILQ_NEXT(channel, entries);
		channel_process(channel, qemu_accepts(channels), current);
		close_ended(channels, channel);
	}
}
