/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/sound-output.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "client/common/display-methods.h"
#include "client/common/display-names.h"
#include "client/common/user-message.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* ---- Streams ---- */

static SoundStream *find_stream(SoundOutput *output, uint64_t id)
{
	for (size_t i = 0; i < output->stream_count; i++)
		if (output->streams[i].id == id)
			return &output->streams[i];
	return NULL;
}

static void end_stream(SoundOutput *output, SoundStream *stream)
{
	uint64_t id = stream->id;
	ChannelSound *viewer;

	*stream = output->streams[--output->stream_count];
	TAILQ_FOREACH (viewer, &output->viewers, entries)
		channel_sound_tell_end(viewer, id);
}

/* ---- Calls by QEMU ---- */

static int on_init(sd_bus_message *message, void *context, sd_bus_error *error)
{
	SoundOutput *output = context;
	SoundStream new = { 0 };
	ChannelSound *viewer;
	int result = sd_bus_message_read(message, "tybbuyuub", &new.id, &new.bits, &new.is_signed,
					 &new.is_float, &new.frequency, &new.channels,
					 &new.bytes_per_frame, &new.bytes_per_second,
					 &new.is_big_endian);

	if (result < 0)
		return result;
	SoundStream *stream = find_stream(output, new.id);
	if (!stream && output->stream_count == SOUND_STREAMS_MAX)
		return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many streams");
	if (!stream)
		stream = &output->streams[output->stream_count++];
	*stream = new;
	TAILQ_FOREACH (viewer, &output->viewers, entries)
		channel_sound_tell_stream(viewer, stream);
	return sd_bus_reply_method_return(message, "");
}

static int on_fini(sd_bus_message *message, void *context, sd_bus_error *error)
{
	SoundOutput *output = context;
	uint64_t id;
	int result = sd_bus_message_read(message, "t", &id);

	(void)error;
	if (result < 0)
		return result;
	if (find_stream(output, id))
		end_stream(output, find_stream(output, id));
	return sd_bus_reply_method_return(message, "");
}

static int on_set_enabled(sd_bus_message *message, void *context, sd_bus_error *error)
{
	SoundOutput *output = context;
	ChannelSound *viewer;
	uint64_t id;
	int is_enabled, result = sd_bus_message_read(message, "tb", &id, &is_enabled);

	(void)error;
	if (result < 0)
		return result;
	SoundStream *stream = find_stream(output, id);
	if (stream) {
		stream->is_enabled = is_enabled;
		TAILQ_FOREACH (viewer, &output->viewers, entries)
			channel_sound_tell_enabled(viewer, stream);
	}
	return sd_bus_reply_method_return(message, "");
}

static int on_set_volume(sd_bus_message *message, void *context, sd_bus_error *error)
{
	SoundOutput *output = context;
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
	SoundStream *stream = find_stream(output, id);
	if (stream && count <= SOUND_CHANNELS_MAX) {
		stream->has_volume = true;
		stream->is_mute = is_mute;
		stream->volume_count = count;
		if (count > 0)
			memcpy(stream->volume, volume, count);
		TAILQ_FOREACH (viewer, &output->viewers, entries)
			channel_sound_tell_volume(viewer, stream);
	}
	return sd_bus_reply_method_return(message, "");
}

static int on_write(sd_bus_message *message, void *context, sd_bus_error *error)
{
	SoundOutput *output = context;
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
	if (find_stream(output, id) && size <= SOUND_DATA_MAX)
		TAILQ_FOREACH (viewer, &output->viewers, entries)
			channel_sound_write(viewer, id, data, size);
	return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable listener[] = {
	SD_BUS_VTABLE_START(0),
	DISPLAY_SOUND_METHODS(on_init, on_fini, on_set_enabled, on_set_volume, on_write),
	DISPLAY_NO_INTERFACES,
	SD_BUS_VTABLE_END,
};

/* ---- Life ---- */

void sound_output_init(SoundOutput *output, const Display *display)
{
	*output = (SoundOutput){ .display = display };
	TAILQ_INIT(&output->viewers);
}

static void stop_listening(SoundOutput *output)
{
	output->state = SOUND_APART;
	output->bus = sd_bus_close_unref(output->bus);
	while (output->stream_count > 0)
		end_stream(output, &output->streams[output->stream_count - 1]);
}

void sound_output_deinit(SoundOutput *output)
{
	sd_bus_slot_unref(output->reply);
	sd_bus_close_unref(output->bus);
}

static int on_joined(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	SoundOutput *output = context;
	const sd_bus_error *refusal = sd_bus_message_get_error(reply);

	(void)error;
	output->reply = sd_bus_slot_unref(output->reply);
	if (!refusal) {
		output->state = SOUND_JOINED;
		return 0;
	}
	stop_listening(output);
	if (!output->has_logged)
		log_message(
			"sound is not served, because QEMU refuses: %s; start it with -audiodev "
			"dbus,id=ID, -display dbus,p2p=yes,audiodev=ID, and a sound device that "
			"names ID",
			refusal->message ? refusal->message : refusal->name);
	output->has_logged = true;
	return 0;
}

/* Registers a listener, asynchronously because QEMU calls the listener before it replies. */
static int register_listener(SoundOutput *output)
{
	const DisplayLink *link = &output->display->link;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	_cleanup_close_ int theirs = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	int result = dbus_start_peer(pair[0], &output->bus);
	if (result >= 0)
		result = sd_bus_add_object_vtable(output->bus, NULL, DISPLAY_SOUND_LISTENER_PATH,
						  DISPLAY_SOUND_LISTENER, listener, output);
	if (result >= 0)
		result = sd_bus_message_new_method_call(link->bus, &call, link->peer,
							DISPLAY_AUDIO_PATH, DISPLAY_AUDIO,
							"RegisterOutListener");
	if (result >= 0)
		result = sd_bus_message_append(call, "h", theirs);
	return result < 0
		       ? result
		       : sd_bus_call_async(link->bus, &output->reply, call, on_joined, output, 0);
}

void sound_output_join(SoundOutput *output)
{
	if (output->state == SOUND_APART)
		output->state = SOUND_WANTED;
}

bool sound_output_is_settled(const SoundOutput *output)
{
	return output->state == SOUND_APART || output->state == SOUND_JOINED;
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
static void join_when_known(SoundOutput *output)
{
	if (output->state != SOUND_WANTED || !display_knows_properties(output->display))
		return;
	output->state = SOUND_JOINING;
	if (is_safe(output->display)) {
		if (register_listener(output) < 0)
			stop_listening(output);
		return;
	}
	output->state = SOUND_APART;
	if (!output->has_logged)
		log_message("sound is not served, because this QEMU would crash; use QEMU 8.1 or "
			    "newer for it");
	output->has_logged = true;
}

/* ---- Turns ---- */

int sound_output_poll_for(const SoundOutput *output, struct pollfd *ret)
{
	*ret = (struct pollfd){ .fd = -1 };
	if (!output->bus)
		return -1;
	*ret = (struct pollfd){ .fd = sd_bus_get_fd(output->bus),
				.events = (short)sd_bus_get_events(output->bus) };
	return dbus_time_left(output->bus);
}

void sound_output_process(SoundOutput *output)
{
	join_when_known(output);
	int result = output->bus ? 1 : 0;
	while (result > 0)
		result = sd_bus_process(output->bus, NULL);
	if (result < 0 && output->state == SOUND_JOINED)
		stop_listening(output);
}
