/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/sound.h"

#include <stdio.h>

#include "client/common/display-methods.h"
#include "client/common/display-names.h"
#include "client/common/user-message.h"
#include "client/vail-view/clock.h"

/* The largest message: the sound that vail-qemu passes on at a time, and the header. */
#define SOUND_MESSAGE_MAX ((1u << 20) + 1024)

/* ---- Streams ---- */

static PlayedStream *find_stream(Sound *sound, uint64_t id)
{
	for (size_t i = 0; i < sound->stream_count; i++)
		if (sound->streams[i].id == id)
			return &sound->streams[i];
	return NULL;
}

static PlayedStream *add_stream(Sound *sound, uint64_t id)
{
	PlayedStream *stream = find_stream(sound, id);

	if (stream || sound->stream_count == SOUND_STREAMS)
		return stream;
	stream = &sound->streams[sound->stream_count++];
	*stream = (PlayedStream){ .id = id };
	return stream;
}

/* Says once why there is no sound. */
static void complain(Sound *sound, const char *sentence)
{
	if (sound->has_said)
		return;
	sound->has_said = true;
	log_message("%s", sentence);
	notice_say(sound->notice, sentence, now_milliseconds());
}

/*
 * Tests whether the stream's output is open, or may be opened. To open or close an output may take
 * as long as a picture, and ends the turn.
 */
static bool may_play(Sound *sound, const PlayedStream *stream, int64_t now)
{
	if (sound_device_is_open(&stream->device, &stream->format))
		return true;
	if (!sound_may_open(&sound->openings, now))
		return false;
	sound->listener.ends_turn = true;
	return true;
}

static void play(Sound *sound, PlayedStream *stream, const void *data, size_t size)
{
	char sentence[NOTICE_SIZE];
	int64_t now = now_milliseconds();

	if (!stream->is_valid) {
		complain(sound, "The virtual machine plays sound in a format that cannot be played "
				"here. The picture goes on.");
		return;
	}
	if (!may_play(sound, stream, now) ||
	    sound_device_play(&stream->device, &stream->format, &stream->volume, data,
			      size / sound_frame_size(&stream->format), now))
		return;
	snprintf(sentence, sizeof(sentence),
		 "The sound of the virtual machine cannot be played on this desktop: %s. The "
		 "picture goes on.",
		 SDL_GetError());
	complain(sound, sentence);
	sound->listener.has_failed = true;
}

/* ---- Calls by the agent ---- */

static int on_init(sd_bus_message *message, void *context, sd_bus_error *error)
{
	Sound *sound = context;
	uint64_t id;
	uint8_t bits, channels;
	int is_signed, is_float, is_big_endian;
	uint32_t frequency, bytes_per_frame, bytes_per_second;
	int result = sd_bus_message_read(message, "tybbuyuub", &id, &bits, &is_signed, &is_float,
					 &frequency, &channels, &bytes_per_frame, &bytes_per_second,
					 &is_big_endian);

	if (result < 0)
		return result;
	PlayedStream *stream = add_stream(sound, id);
	if (!stream)
		return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many streams");
	stream->format = (SoundFormat){ .bits = bits,
					.is_signed = is_signed,
					.is_float = is_float,
					.is_big_endian = is_big_endian,
					.channels = channels,
					.frequency = frequency };
	stream->is_valid = sound_format_is_valid(&stream->format);
	stream->volume = (SoundVolume)SOUND_VOLUME_FULL;
	return sd_bus_reply_method_return(message, "");
}

static int on_fini(sd_bus_message *message, void *context, sd_bus_error *error)
{
	Sound *sound = context;
	uint64_t id;
	int result = sd_bus_message_read(message, "t", &id);

	(void)error;
	if (result < 0)
		return result;
	PlayedStream *stream = find_stream(sound, id);
	if (stream) {
		sound->listener.ends_turn = true;
		sound_device_close(&stream->device);
		*stream = sound->streams[--sound->stream_count];
	}
	return sd_bus_reply_method_return(message, "");
}

/* The output is opened when there is something to play. */
static int on_set_enabled(sd_bus_message *message, void *context, sd_bus_error *error)
{
	uint64_t id;
	int is_enabled, result = sd_bus_message_read(message, "tb", &id, &is_enabled);

	(void)error;
	if (result < 0)
		return result;
	PlayedStream *stream = find_stream(context, id);
	if (stream && !is_enabled)
		sound_device_finish(&stream->device, now_milliseconds());
	return sd_bus_reply_method_return(message, "");
}

static int on_set_volume(sd_bus_message *message, void *context, sd_bus_error *error)
{
	const void *levels;
	size_t count;
	uint64_t id;
	int is_mute, result = sd_bus_message_read(message, "tb", &id, &is_mute);

	(void)error;
	if (result >= 0)
		result = sd_bus_message_read_array(message, 'y', &levels, &count);
	if (result < 0)
		return result;
	PlayedStream *stream = find_stream(context, id);
	if (stream)
		sound_volume_set(&stream->volume, is_mute, levels, count);
	return sd_bus_reply_method_return(message, "");
}

static int on_write(sd_bus_message *message, void *context, sd_bus_error *error)
{
	Sound *sound = context;
	const void *data;
	size_t size;
	uint64_t id;
	int result = sd_bus_message_read(message, "t", &id);

	(void)error;
	if (result >= 0)
		result = sd_bus_message_read_array(message, 'y', &data, &size);
	if (result < 0)
		return result;
	PlayedStream *stream = find_stream(sound, id);
	if (stream && size > 0 && !sound->listener.has_failed)
		play(sound, stream, data, size);
	return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable methods[] = {
	SD_BUS_VTABLE_START(0),
	DISPLAY_SOUND_METHODS(on_init, on_fini, on_set_enabled, on_set_volume),
	DISPLAY_METHOD("Write", "tay", "", on_write),
	DISPLAY_NO_INTERFACES,
	SD_BUS_VTABLE_END,
};

/* ---- Turns ---- */

/* Stops the sound at once. */
static void stop(void *context)
{
	Sound *sound = context;

	for (size_t i = 0; i < sound->stream_count; i++)
		sound_device_close(&sound->streams[i].device);
	sound->stream_count = 0;
}

static const SoundListenerKind kind = {
	.right = VAIL_DISPLAY_AUDIO_OUTPUT,
	.method = "RegisterOutListener",
	.path = DISPLAY_SOUND_LISTENER_PATH,
	.interface = DISPLAY_SOUND_LISTENER,
	.methods = methods,
	.message_max = SOUND_MESSAGE_MAX,
	.stop = stop,
};

void sound_init(Sound *sound, GuestChannel *channel, Notice *notice, bool is_wanted)
{
	*sound = (Sound){ .notice = notice };
	sound_listener_init(&sound->listener, &kind, sound, channel, is_wanted);
	SDL_SetHint(SDL_HINT_AUDIO_DEVICE_APP_NAME, "vail-view");
}

void sound_deinit(Sound *sound)
{
	sound_listener_deinit(&sound->listener);
}

void sound_handle(Sound *sound, const SDL_Event *event)
{
	sound_listener_handle(&sound->listener, event);
}

void sound_process(Sound *sound, int64_t now)
{
	sound_listener_process(&sound->listener);
	for (size_t i = 0; i < sound->stream_count; i++)
		sound_device_pass_time(&sound->streams[i].device, now);
}

int64_t sound_poll_for(const Sound *sound, struct pollfd *ret_fd)
{
	int64_t at = sound_listener_poll_for(&sound->listener, ret_fd);

	for (size_t i = 0; i < sound->stream_count; i++) {
		int64_t deadline = sound_device_deadline(&sound->streams[i].device);

		at = deadline < at ? deadline : at;
	}
	return at;
}
