/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/sound.h"

#include <stdio.h>

#include "client/common/display-methods.h"
#include "client/common/display-names.h"
#include "client/common/user-message.h"
#include "client/vail-view/clock.h"
#include "proto/macros.h"

/* The largest message: the sound that vail-qemu passes on at a time, and the header. */
#define SOUND_MESSAGE_MAX ((1u << 20) + 1024)

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
static bool may_play(Sound *sound, const AudioStream *stream, int64_t now)
{
	if (audio_device_is_open(&stream->device.output, &stream->format))
		return true;
	if (!sound_may_open(&sound->openings, now))
		return false;
	sound->listener.ends_turn = true;
	return true;
}

static void play(Sound *sound, AudioStream *stream, const void *data, size_t size)
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

/* ---- Streams ---- */

/* The output stays open for another format until there is something to play. */
static void begin_stream(AudioStreams *streams, AudioStream *stream)
{
	(void)streams;
	(void)stream;
}

static void pause_stream(AudioStreams *streams, AudioStream *stream)
{
	(void)streams;
	sound_device_finish(&stream->device, now_milliseconds());
}

static void end_stream(AudioStreams *streams, AudioStream *stream)
{
	container_of(streams, Sound, streams)->listener.ends_turn = true;
	audio_device_close(&stream->device.output);
}

static const AudioStreamsKind streams_kind = {
	.begin = begin_stream,
	.pause = pause_stream,
	.end = end_stream,
};

/* ---- Calls by the agent ---- */

static int on_write(sd_bus_message *message, void *context, sd_bus_error *error)
{
	Sound *sound = container_of(context, Sound, streams);
	const void *data;
	size_t size;
	uint64_t id;
	int result = sd_bus_message_read(message, "t", &id);

	(void)error;
	if (result >= 0)
		result = sd_bus_message_read_array(message, 'y', &data, &size);
	if (result < 0)
		return result;
	AudioStream *stream = audio_streams_find(&sound->streams, id);
	if (stream && size > 0 && !sound->listener.has_failed)
		play(sound, stream, data, size);
	return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable methods[] =
	AUDIO_STREAMS_TABLE(DISPLAY_METHOD("Write", "tay", "", on_write));

/* ---- Turns ---- */

/* Stops the sound at once. */
static void stop(void *context)
{
	AudioStreams *streams = context;

	for (size_t i = 0; i < streams->count; i++)
		audio_device_close(&streams->items[i].device.output);
	streams->count = 0;
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
	*sound = (Sound){ .notice = notice, .streams = { .kind = &streams_kind } };
	sound_listener_init(&sound->listener, &kind, &sound->streams, channel, is_wanted);
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
	for (size_t i = 0; i < sound->streams.count; i++)
		sound_device_pass_time(&sound->streams.items[i].device, now);
}

int64_t sound_poll_for(const Sound *sound, struct pollfd *ret_fd)
{
	int64_t at = sound_listener_poll_for(&sound->listener, ret_fd);

	for (size_t i = 0; i < sound->streams.count; i++) {
		int64_t deadline = sound_device_deadline(&sound->streams.items[i].device);

		at = deadline < at ? deadline : at;
	}
	return at;
}
