/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/guest-sound.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/common/dbus-time.h"
#include "client/common/display-methods.h"
#include "client/common/display-names.h"
#include "client/common/user-message.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* ---- Streams ---- */

SoundStream *guest_sound_stream(GuestSound *sound, uint64_t id)
{
	for (size_t i = 0; i < sound->stream_count; i++)
		if (sound->streams[i].id == id)
			return &sound->streams[i];
	return NULL;
}

static void end_stream(GuestSound *sound, SoundStream *stream)
{
	uint64_t id = stream->id;
	ChannelSound *viewer;

	*stream = sound->streams[--sound->stream_count];
	TAILQ_FOREACH (viewer, &sound->viewers, entries)
		channel_sound_tell_end(viewer, id);
}

/* ---- Calls by QEMU ---- */

static int on_init(sd_bus_message *message, void *context, sd_bus_error *error)
{
	GuestSound *sound = context;
	SoundStream new = { 0 };
	ChannelSound *viewer;
	int result = sd_bus_message_read(message, "tybbuyuub", &new.id, &new.bits, &new.is_signed,
					 &new.is_float, &new.frequency, &new.channels,
					 &new.bytes_per_frame, &new.bytes_per_second,
					 &new.is_big_endian);

	if (result < 0)
		return result;
	SoundStream *stream = guest_sound_stream(sound, new.id);
	if (!stream && sound->stream_count == SOUND_STREAMS_MAX)
		return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many streams");
	if (!stream)
		stream = &sound->streams[sound->stream_count++];
	*stream = new;
	TAILQ_FOREACH (viewer, &sound->viewers, entries)
		channel_sound_tell_stream(viewer, stream);
	return sd_bus_reply_method_return(message, "");
}

static int on_fini(sd_bus_message *message, void *context, sd_bus_error *error)
{
	GuestSound *sound = context;
	uint64_t id;
	int result = sd_bus_message_read(message, "t", &id);

	(void)error;
	if (result < 0)
		return result;
	if (guest_sound_stream(sound, id))
		end_stream(sound, guest_sound_stream(sound, id));
	return sd_bus_reply_method_return(message, "");
}

static int on_set_enabled(sd_bus_message *message, void *context, sd_bus_error *error)
{
	GuestSound *sound = context;
	ChannelSound *viewer;
	uint64_t id;
	int is_enabled, result = sd_bus_message_read(message, "tb", &id, &is_enabled);

	(void)error;
	if (result < 0)
		return result;
	SoundStream *stream = guest_sound_stream(sound, id);
	if (stream) {
		stream->is_enabled = is_enabled;
		TAILQ_FOREACH (viewer, &sound->viewers, entries)
			channel_sound_tell_enabled(viewer, stream);
	}
	return sd_bus_reply_method_return(message, "");
}

static int on_set_volume(sd_bus_message *message, void *context, sd_bus_error *error)
{
	GuestSound *sound = context;
	ChannelSound *viewer;
	const void *volume;
	size_t count;
	uint64_t id;
	int is_mute, result = sd_bus_message_read(message, "tb", &id, &is_mute);

	(void)error;
	if (result >= 0)
		result = sd_bus_message_read_array(message, 'y', &volume, &count);
	if (result < 0)
		return result;
	SoundStream *stream = guest_sound_stream(sound, id);
	if (stream && count <= SOUND_CHANNELS_MAX) {
		stream->has_volume = true;
		stream->is_mute = is_mute;
		stream->volume_count = count;
		if (count > 0)
			memcpy(stream->volume, volume, count);
		TAILQ_FOREACH (viewer, &sound->viewers, entries)
			channel_sound_tell_volume(viewer, stream);
	}
	return sd_bus_reply_method_return(message, "");
}

static int on_write(sd_bus_message *message, void *context, sd_bus_error *error)
{
	GuestSound *sound = context;
	ChannelSound *viewer;
	const void *data;
	size_t size;
	uint64_t id;
	int result = sd_bus_message_read(message, "t", &id);

	(void)error;
	if (result >= 0)
		result = sd_bus_message_read_array(message, 'y', &data, &size);
	if (result < 0)
		return result;
	if (guest_sound_stream(sound, id) && size <= SOUND_DATA_MAX)
		TAILQ_FOREACH (viewer, &sound->viewers, entries)
			channel_sound_write(viewer, id, data, size);
	return sd_bus_reply_method_return(message, "");
}

/* Replies at once, because QEMU waits. */
static int on_read(sd_bus_message *message, void *context, sd_bus_error *error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_free_ uint8_t *data = NULL;
	GuestSound *sound = context;
	uint64_t id, wanted;
	int result = sd_bus_message_read(message, "tt", &id, &wanted);

	(void)error;
	if (result < 0)
		return result;
	const SoundStream *stream = guest_sound_stream(sound, id);
	size_t size = stream ? (size_t)(wanted < SOUND_READ_MAX ? wanted : SOUND_READ_MAX) : 0;
	ChannelSound *viewer = TAILQ_LAST(&sound->viewers, ChannelSounds);
	size_t count = 0;
	data = malloc(size + 1);
	if (!data)
		return -ENOMEM;
	if (stream && viewer)
		count = channel_sound_record(viewer, stream, data, size);
	/* The zero of unsigned samples is in the middle. The upper byte of wide ones suffices. */
	memset(data + count, stream && stream->bits == 8 && !stream->is_signed ? 0x80 : 0,
	       size - count);
	result = sd_bus_message_new_method_return(message, &reply);
	if (result >= 0)
		result = sd_bus_message_append_array(reply, 'y', data, size);
	return result < 0 ? result : sd_bus_send(NULL, reply, NULL);
}

static const sd_bus_vtable played[] = {
	SD_BUS_VTABLE_START(0),
	DISPLAY_SOUND_METHODS(on_init, on_fini, on_set_enabled, on_set_volume),
	DISPLAY_METHOD("Write", "tay", "", on_write),
	DISPLAY_NO_INTERFACES,
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable recorded[] = {
	SD_BUS_VTABLE_START(0),
	DISPLAY_SOUND_METHODS(on_init, on_fini, on_set_enabled, on_set_volume),
	DISPLAY_METHOD("Read", "tt", "ay", on_read),
	DISPLAY_NO_INTERFACES,
	SD_BUS_VTABLE_END,
};

static const struct {
	const char *what; /* for messages */
	const char *method;
	const char *path;
	const char *interface;
	const sd_bus_vtable *listener;
} directions[SOUND_DIRECTIONS] = {
	[SOUND_PLAYED] = { "sound", "RegisterOutListener", DISPLAY_SOUND_LISTENER_PATH,
			   DISPLAY_SOUND_LISTENER, played },
	[SOUND_RECORDED] = { "the microphone", "RegisterInListener", DISPLAY_MICROPHONE_PATH,
			     DISPLAY_MICROPHONE, recorded },
};

/* ---- Life ---- */

void guest_sound_init(GuestSound *sound, const Display *display, SoundDirection direction)
{
	*sound = (GuestSound){ .direction = direction, .display = display };
	TAILQ_INIT(&sound->viewers);
}

static void stop_listening(GuestSound *sound)
{
	sound->state = SOUND_APART;
	sound->bus = sd_bus_close_unref(sound->bus);
	while (sound->stream_count > 0)
		end_stream(sound, &sound->streams[sound->stream_count - 1]);
}

void guest_sound_deinit(GuestSound *sound)
{
	sd_bus_slot_unref(sound->reply);
	sd_bus_close_unref(sound->bus);
}

/* Tests whether to log why there is no sound: once, and not before a viewer expects some. */
static bool shall_log(GuestSound *sound)
{
	if (!sound->is_asked_for || sound->has_logged)
		return false;
	sound->has_logged = true;
	return true;
}

static int on_joined(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	GuestSound *sound = context;
	const sd_bus_error *refusal = sd_bus_message_get_error(reply);

	(void)error;
	sound->reply = sd_bus_slot_unref(sound->reply);
	if (!refusal) {
		sound->state = SOUND_JOINED;
		return 0;
	}
	stop_listening(sound);
	if (shall_log(sound))
		log_message(
			"%s is not served, because QEMU refuses: %s; start it with -audiodev "
			"dbus,id=ID, -display dbus,p2p=yes,audiodev=ID, and a sound device that "
			"names ID",
			directions[sound->direction].what,
			refusal->message ? refusal->message : refusal->name);
	return 0;
}

/* Registers a listener, asynchronously because QEMU calls the listener before it replies. */
static int register_listener(GuestSound *sound)
{
	const DisplayLink *link = &sound->display->link;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	_cleanup_close_ int theirs = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	int result = dbus_start_peer(pair[0], &sound->bus);
	if (result >= 0)
		result = sd_bus_add_object_vtable(sound->bus, NULL,
						  directions[sound->direction].path,
						  directions[sound->direction].interface,
						  directions[sound->direction].listener, sound);
	if (result >= 0)
		result = sd_bus_message_new_method_call(link->bus, &call, link->peer,
							DISPLAY_AUDIO_PATH, DISPLAY_AUDIO,
							directions[sound->direction].method);
	if (result >= 0)
		result = sd_bus_message_append(call, "h", theirs);
	return result < 0 ? result
			  : sd_bus_call_async(link->bus, &sound->reply, call, on_joined, sound, 0);
}

void guest_sound_join(GuestSound *sound)
{
	sound->is_asked_for = true;
	guest_sound_join_early(sound);
}

void guest_sound_join_early(GuestSound *sound)
{
	if (sound->state == SOUND_APART)
		sound->state = SOUND_WANTED;
}

bool guest_sound_is_settled(const GuestSound *sound)
{
	return sound->state == SOUND_APART || sound->state == SOUND_JOINED;
}

/*
 * Tests whether QEMU survives a listener: before 8.0, it crashes if that comes without a message
 * bus. The touch screen has come with 8.1.
 */
static bool is_safe(const Display *display)
{
	return display->link.peer || display->consoles[0].properties.has_multitouch;
}

/* Asks QEMU when its properties are known. */
static void join_when_known(GuestSound *sound)
{
	if (sound->state != SOUND_WANTED || !display_knows_properties(sound->display))
		return;
	sound->state = SOUND_JOINING;
	if (is_safe(sound->display)) {
		if (register_listener(sound) < 0)
			stop_listening(sound);
		return;
	}
	sound->state = SOUND_APART;
	if (shall_log(sound))
		log_message("%s is not served, because this QEMU would crash; use QEMU 8.1 or "
			    "newer for it",
			    directions[sound->direction].what);
}

/* ---- Turns ---- */

int guest_sound_poll_for(const GuestSound *sound, struct pollfd *ret)
{
	*ret = (struct pollfd){ .fd = -1 };
	if (!sound->bus)
		return -1;
	*ret = (struct pollfd){ .fd = sd_bus_get_fd(sound->bus),
				.events = (short)sd_bus_get_events(sound->bus) };
	return dbus_time_left(sound->bus);
}

void guest_sound_process(GuestSound *sound)
{
	join_when_known(sound);
	int result = sound->bus ? 1 : 0;
	while (result > 0)
		result = sd_bus_process(sound->bus, NULL);
	if (result < 0 && sound->state == SOUND_JOINED)
		stop_listening(sound);
}
