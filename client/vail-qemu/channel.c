/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/display-methods.h"
#include "client/common/display-names.h"
#include "client/vail-qemu/channel-console.h"
#include "client/vail-qemu/channel-rights.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* Messages that are handled in one turn, so that no viewer takes the time of others. */
#define MESSAGES_A_TURN 64

/*
 * Time for QEMU to let vail-qemu join its clipboard and sound, in milliseconds. After that, the
 * channel is served without them, and gets them as soon as QEMU agrees.
 */
#define JOINING_LIMIT 5000

/* ---- Rights ---- */

/*
 * Returns the interface that a call is about. Calls of Properties are about the interface that they
 * name, which is NULL if it is all of them.
 */
static const char *interface_of_properties(sd_bus_message *message)
{
	const char *name = NULL;

	if (sd_bus_message_read(message, "s", &name) < 0)
		name = NULL;
	sd_bus_message_rewind(message, true);
	return name && name[0] != '\0' ? name : NULL;
}

static bool is_allowed(const Channel *channel, sd_bus_message *message)
{
	const char *interface = sd_bus_message_get_interface(message);
	const char *about;

	if (!channel_allows(channel->rights, interface, sd_bus_message_get_member(message)))
		return false;
	if (strcmp(interface, DISPLAY_PROPERTIES) != 0)
		return true;
	about = interface_of_properties(message);
	return !about || channel_has_interface(channel->rights, about);
}

/* Sees each message first. Answers calls that the rights do not allow. */
static int on_message(sd_bus_message *message, void *context, sd_bus_error *error)
{
	Channel *channel = context;

	if (!sd_bus_message_is_method_call(message, NULL, NULL))
		return 1; /* a viewer has nothing to reply to */
	if (is_allowed(channel, message))
		return 0;
	return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
				"this display channel has no right to that; the display client's "
				"rights are set with vailctl vm update, for example with --user "
				"USER:RIGHT,... or --client-pid PID:RIGHT,... (for each display "
				"client)");
}

/* ---- The VM ---- */

CHANNEL_GETTER(get_name)
{
	const Channel *channel = context;

	(void)bus, (void)path, (void)interface, (void)property, (void)error;
	return sd_bus_message_append(reply, "s", channel->name);
}

CHANNEL_GETTER(get_uuid)
{
	const Channel *channel = context;

	(void)bus, (void)path, (void)interface, (void)property, (void)error;
	return sd_bus_message_append(reply, "s", channel->display->uuid);
}

CHANNEL_GETTER(get_console_ids)
{
	const Display *display = ((const Channel *)context)->display;
	int result = sd_bus_message_open_container(reply, 'a', "u");

	(void)bus, (void)path, (void)interface, (void)property, (void)error;
	for (size_t i = 0; i < display->console_count && result >= 0; i++)
		result = sd_bus_message_append(reply, "u", display->consoles[i].console.number);
	return result < 0 ? result : sd_bus_message_close_container(reply);
}

#define CONSTANT(name, type, getter) \
	SD_BUS_PROPERTY(name, type, getter, 0, SD_BUS_VTABLE_PROPERTY_CONST)

static const sd_bus_vtable machine[] = {
	SD_BUS_VTABLE_START(0),          CONSTANT("Name", "s", get_name),
	CONSTANT("UUID", "s", get_uuid), CONSTANT("ConsoleIDs", "au", get_console_ids),
	DISPLAY_NO_INTERFACES,           SD_BUS_VTABLE_END,
};

/* ---- Sound ---- */

static const char *const sound_methods[SOUND_DIRECTIONS] = {
	[SOUND_PLAYED] = "RegisterOutListener",
	[SOUND_RECORDED] = "RegisterInListener",
};

/* A viewer that registers again after the end of its listener may be faster than that end. */
static void drop_lost_sound(Channel *channel, SoundDirection direction)
{
	ChannelSound *sound = channel->sounds[direction];

	if (!sound)
		return;
	channel_sound_process(sound);
	if (!sound->is_lost)
		return;
	channel_sound_free(sound);
	channel->sounds[direction] = NULL;
}

static int register_sound(Channel *channel, SoundDirection direction, sd_bus_message *message,
			  sd_bus_error *error)
{
	drop_lost_sound(channel, direction);
	if (channel->sounds[direction])
		return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
					"this channel has a listener for sound");
	int fd = channel_bus_read_socket(message, error);
	if (fd < 0)
		return fd;
	ChannelSound *sound =
		channel_sound_new(fd, &channel->guest_sounds[direction], &channel->bus);
	channel->sounds[direction] = sound;
	if (!sound)
		return -ENOMEM;
	channel_bus_join(&sound->bus, &channel->bus);
	return sd_bus_reply_method_return(message, "");
}

static int on_register_played(sd_bus_message *message, void *context, sd_bus_error *error)
{
	return register_sound(context, SOUND_PLAYED, message, error);
}

static int on_register_recorded(sd_bus_message *message, void *context, sd_bus_error *error)
{
	return register_sound(context, SOUND_RECORDED, message, error);
}

#define PLAYED_METHOD   DISPLAY_METHOD("RegisterOutListener", "h", "", on_register_played)
#define RECORDED_METHOD DISPLAY_METHOD("RegisterInListener", "h", "", on_register_recorded)

static const sd_bus_vtable audio_played[] = {
	SD_BUS_VTABLE_START(0),
	PLAYED_METHOD,
	SD_BUS_VTABLE_END,
};
static const sd_bus_vtable audio_recorded[] = {
	SD_BUS_VTABLE_START(0),
	RECORDED_METHOD,
	SD_BUS_VTABLE_END,
};
static const sd_bus_vtable audio_both[] = {
	SD_BUS_VTABLE_START(0),
	PLAYED_METHOD,
	RECORDED_METHOD,
	SD_BUS_VTABLE_END,
};

/* Indexed by a bit for each direction that is served. */
static const sd_bus_vtable *const audio[1 << SOUND_DIRECTIONS] = {
	[1 << SOUND_PLAYED] = audio_played,
	[1 << SOUND_RECORDED] = audio_recorded,
	[1 << SOUND_PLAYED | 1 << SOUND_RECORDED] = audio_both,
};

/* ---- Properties that change ---- */

/* Waits with the changes while the viewer does not read. */
static int tell_all_changes(Channel *channel)
{
	int result = 0;

	if (sd_bus_is_ready(channel->bus.bus) <= 0)
		return 0;
	for (size_t i = 0; i < channel->display->console_count && result >= 0; i++)
		if (!channel_bus_is_stuck(&channel->bus))
			result = channel_console_tell_changes(&channel->consoles[i]);
	return result;
}

/* ---- Life ---- */

Channel *channel_open(int socket, const char *handle, unsigned int rights,
		      const ChannelGuest *guest)
{
	const Display *display = guest->display;
	Channel *channel = calloc(1, sizeof(*channel));

	if (!channel) {
		fd_close(&socket);
		return NULL;
	}
	*channel = (Channel){ .rights = rights,
			      .display = display,
			      .name = guest->name,
			      .guest_clipboard = guest->clipboard,
			      .guest_sounds = guest->sounds,
			      .opened_at = display->link.clock->now() };
	snprintf(channel->handle, sizeof(channel->handle), "%s", handle);
	channel->consoles = calloc(display->console_count + 1, sizeof(*channel->consoles));
	int result = channel_bus_init(&channel->bus, socket);
	if (result >= 0)
		result = sd_bus_add_filter(channel->bus.bus, NULL, on_message, channel);
	if (result >= 0 && channel->consoles)
		return channel;
	channel_close(channel);
	return NULL;
}

void channel_close(Channel *channel)
{
	if (!channel)
		return;
	size_t count =
		channel->consoles && channel->is_serving ? channel->display->console_count : 0;
	for (size_t i = 0; i < count; i++) {
		channel_input_release_all(&channel->consoles[i].input);
		channel_viewer_free(channel->consoles[i].viewer);
	}
	channel_clipboard_deinit(&channel->clipboard);
	for (size_t i = 0; i < SOUND_DIRECTIONS; i++)
		channel_sound_free(channel->sounds[i]);
	sd_bus_slot_unref(channel->audio);
	channel_bus_deinit(&channel->bus);
	free(channel->consoles);
	free(channel);
}

static bool has_clipboard(const Channel *channel)
{
	return channel_has_interface(channel->rights, DISPLAY_CLIPBOARD);
}

static bool has_sound(const Channel *channel, SoundDirection direction)
{
	return channel_allows(channel->rights, DISPLAY_AUDIO, sound_methods[direction]);
}

/* Tests whether QEMU has let vail-qemu join all that the channel has a right to, or has refused. */
static bool is_settled(const Channel *channel)
{
	for (SoundDirection i = 0; i < SOUND_DIRECTIONS; i++)
		if (has_sound(channel, i) && !guest_sound_is_settled(&channel->guest_sounds[i]))
			return false;
	return !has_clipboard(channel) || clipboard_is_settled(channel->guest_clipboard);
}

/* Returns how long the channel waits for QEMU's clipboard and sound, in milliseconds. */
static int joining_wait(const Channel *channel, int64_t now)
{
	int64_t left = channel->opened_at + JOINING_LIMIT - now;

	return !is_settled(channel) && left > 0 ? (int)left : 0;
}

/* Tests whether QEMU has said all that serve() needs. */
static bool can_serve(const Channel *channel, int64_t now)
{
	return display_knows_properties(channel->display) && joining_wait(channel, now) == 0;
}

/* Puts the clipboard on the bus if QEMU has agreed. */
static int serve_clipboard(Channel *channel)
{
	if (!has_clipboard(channel) || channel->clipboard.clipboard ||
	    channel->guest_clipboard->state != CLIPBOARD_JOINED)
		return 0;
	return channel_clipboard_serve(&channel->clipboard, channel->bus.bus,
				       channel->guest_clipboard);
}

/* Puts the sound on the bus, as far as QEMU has agreed. */
static int serve_sound(Channel *channel)
{
	unsigned int served = channel->serves_sound;

	for (SoundDirection i = 0; i < SOUND_DIRECTIONS; i++)
		if (has_sound(channel, i) && channel->guest_sounds[i].state == SOUND_JOINED)
			served |= 1u << i;
	if (served == channel->serves_sound)
		return 0;
	channel->serves_sound = served;
	channel->audio = sd_bus_slot_unref(channel->audio);
	return sd_bus_add_object_vtable(channel->bus.bus, &channel->audio, DISPLAY_AUDIO_PATH,
					DISPLAY_AUDIO, audio[served], channel);
}

/* Puts the objects on the bus. Until then, no message of the viewer is read. */
static int serve(Channel *channel)
{
	int result = sd_bus_add_object_vtable(channel->bus.bus, NULL, DISPLAY_ROOT "/VM",
					      DISPLAY_VM, machine, channel);

	channel->is_serving = true;
	for (size_t i = 0; i < channel->display->console_count && result >= 0; i++)
		result = channel_console_serve(channel, i);
	return result;
}

/* ---- Turns ---- */

void channel_note(Channel *channel)
{
	for (size_t i = 0; i < channel->display->console_count; i++)
		if (channel->consoles[i].viewer)
			channel_viewer_note(channel->consoles[i].viewer);
}

static void channel_end(Channel *channel, const char *reason)
{
	channel->is_ended = true;
	channel->reason = reason;
}

static void process_viewer(Channel *channel, ChannelConsole *console, int64_t now)
{
	channel_viewer_process(console->viewer, now);
	if (console->viewer->is_slow)
		channel_end(channel, "its viewer has not replied for 10 seconds");
	if (!console->viewer->is_lost)
		return;
	channel_viewer_free(console->viewer);
	console->viewer = NULL;
}

static void process_sound(Channel *channel, SoundDirection direction)
{
	drop_lost_sound(channel, direction);
	if (channel->sounds[direction] && channel->sounds[direction]->is_slow)
		channel_end(channel, "its viewer has not replied to sound for 10 seconds");
}

/* Handles messages of the viewer. Returns a negative errno if the connection has ended. */
static int process_messages(Channel *channel)
{
	int result = 1;

	for (int i = 0; i < MESSAGES_A_TURN && result > 0; i++)
		result = channel_bus_process(&channel->bus);
	return result < 0 ? result : tell_all_changes(channel);
}

/* Notes since when the viewer leaves replies unread. */
static void check_reading(Channel *channel, int64_t now)
{
	if (!channel_bus_is_stuck(&channel->bus))
		channel->stuck_since = 0;
	else if (channel->stuck_since == 0)
		channel->stuck_since = now;
	else if (now - channel->stuck_since >= VIEWER_LIMIT)
		channel_end(channel, "its viewer has not read for 10 seconds");
}

/* Returns why the connection has failed, or NULL if the viewer may just have closed it. */
static const char *fault_of_viewer(int result)
{
	if (result == -EMSGSIZE)
		return "its viewer has sent a message that is too large";
	if (result == -EMFILE)
		return "its viewer has sent too many file descriptors that cannot be closed";
	return NULL;
}

void channel_process(Channel *channel, bool accepts, int64_t now)
{
	int result = 0;

	if (!channel->is_serving && can_serve(channel, now))
		result = serve(channel);
	if (!channel->is_serving || channel->is_ended)
		return;
	if (result >= 0)
		result = serve_clipboard(channel);
	if (result >= 0)
		result = serve_sound(channel);
	if (result >= 0 && accepts)
		result = process_messages(channel);
	for (size_t i = 0; i < channel->display->console_count; i++)
		if (channel->consoles[i].viewer)
			process_viewer(channel, &channel->consoles[i], now);
	for (SoundDirection i = 0; i < SOUND_DIRECTIONS; i++)
		process_sound(channel, i);
	channel_clipboard_process(&channel->clipboard);
	check_reading(channel, now);
	if (result < 0)
		channel_end(channel, fault_of_viewer(result));
}

/* Fills in what to poll for. Returns the timeout in milliseconds, or -1. */
static int poll_for_sound(const ChannelSound *sound, struct pollfd *ret)
{
	*ret = (struct pollfd){ .fd = -1 };
	if (!sound)
		return -1;
	int milliseconds = channel_bus_poll_for(&sound->bus, true, ret);
	return shorter_timeout(milliseconds, channel_sound_timeout(sound));
}

int channel_poll_for(const Channel *channel, bool accepts, int64_t now, struct pollfd *poll_fds)
{
	size_t count = 1 + channel->display->console_count;
	int milliseconds =
		channel_bus_poll_for(&channel->bus, channel->is_serving && accepts, poll_fds);

	for (size_t i = 0; i < channel->display->console_count; i++) {
		const ChannelViewer *viewer = channel->consoles[i].viewer;

		poll_fds[1 + i] = (struct pollfd){ .fd = -1 };
		if (!viewer)
			continue;
		milliseconds = shorter_timeout(
			milliseconds, channel_bus_poll_for(&viewer->bus, true, &poll_fds[1 + i]));
		milliseconds = shorter_timeout(milliseconds, channel_viewer_timeout(viewer, now));
	}
	for (size_t i = 0; i < SOUND_DIRECTIONS; i++)
		milliseconds = shorter_timeout(
			milliseconds, poll_for_sound(channel->sounds[i], poll_fds + count + i));
	if (!channel->is_serving && joining_wait(channel, now) > 0)
		milliseconds = shorter_timeout(milliseconds, joining_wait(channel, now));
	if (channel->stuck_since == 0)
		return milliseconds;
	int64_t left = channel->stuck_since + VIEWER_LIMIT - now;
	return shorter_timeout(milliseconds, left > 0 ? (int)left : 0);
}
