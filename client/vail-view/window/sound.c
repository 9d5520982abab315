/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/sound.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "client/common/display-methods.h"
#include "client/common/display-names.h"
#include "client/common/user-message.h"
#include "client/vail-view/clock.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* Messages that are handled in one turn, so that an agent cannot stop the drawing. */
#define MESSAGES_A_TURN 64

/* Replies that may wait for the agent to read. Beyond that, the listener ends. */
#define REPLIES_MAX 1024

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

/* Tests whether the stream's output is open, or may be opened. */
static bool may_play(Sound *sound, const PlayedStream *stream, int64_t now)
{
	if (sound_device_is_open(&stream->device, &stream->format))
		return true;
	if (!sound_may_open(&sound->openings, now))
		return false;
	sound->has_switched = true;
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
	sound->has_failed = true;
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
		sound->has_switched = true;
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
	if (stream) {
		stream->volume = (SoundVolume)SOUND_VOLUME_FULL;
		stream->volume.is_mute = is_mute;
		if (count > 0)
			memcpy(stream->volume.levels, levels,
			       count < SOUND_CHANNELS ? count : SOUND_CHANNELS);
	}
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
	if (stream && size > 0 && !sound->has_failed)
		play(sound, stream, data, size);
	return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable listener[] = {
	SD_BUS_VTABLE_START(0),
	DISPLAY_SOUND_METHODS(on_init, on_fini, on_set_enabled, on_set_volume, on_write),
	DISPLAY_NO_INTERFACES,
	SD_BUS_VTABLE_END,
};

/* ---- The listener ---- */

/* Stops the sound at once. */
static void leave(Sound *sound)
{
	sound->registration = sd_bus_slot_unref(sound->registration);
	sound->bus = sd_bus_close_unref(sound->bus);
	sound->is_refused = sound->has_failed = false;
	for (size_t i = 0; i < sound->stream_count; i++)
		sound_device_close(&sound->streams[i].device);
	sound->stream_count = 0;
}

/* Leaves until another occasion. */
static void give_up(Sound *sound)
{
	leave(sound);
	sound->is_refused = true;
}

static int on_registered(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	Sound *sound = context;

	(void)error;
	sound->registration = sd_bus_slot_unref(sound->registration);
	sound->has_failed = sound->has_failed || sd_bus_message_is_method_error(reply, NULL);
	return 1;
}

/* Starts D-Bus on the socket. Takes ownership of it, also on failure. */
static int start_bus(Sound *sound, int socket)
{
	_cleanup_close_ int owned = socket;
	int result = sd_bus_new(&sound->bus);

	guest_channel_refuse_fds(owned);
	if (result >= 0)
		result = sd_bus_set_fd(sound->bus, owned, owned);
	if (result < 0)
		return result;
	TAKE_FD(owned);
	/* The agent needs no credentials, because vaild has made the channel. */
	result = sd_bus_set_anonymous(sound->bus, true);
	if (result >= 0)
		result = sd_bus_negotiate_fds(sound->bus, false);
	if (result >= 0)
		result = sd_bus_add_object_vtable(sound->bus, NULL, DISPLAY_SOUND_LISTENER_PATH,
						  DISPLAY_SOUND_LISTENER, listener, sound);
	return result < 0 ? result : sd_bus_start(sound->bus);
}

static int register_listener(Sound *sound)
{
	_cleanup_close_ int theirs = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	int result = start_bus(sound, pair[0]);
	return result < 0 ? result
			  : sd_bus_call_method_async(sound->channel->bus, &sound->registration,
						     NULL, DISPLAY_AUDIO_PATH, DISPLAY_AUDIO,
						     "RegisterOutListener", on_registered, sound,
						     "h", theirs);
}

static bool can_listen(const Sound *sound)
{
	return sound->is_wanted && guest_channel_has(sound->channel, VAIL_DISPLAY_AUDIO_OUTPUT);
}

/*
 * Handles messages of the agent. To open or close an output may take as long as a picture, and ends
 * the turn. Returns false if the listener has ended.
 */
static bool process_bus(Sound *sound)
{
	uint64_t unsent = 0;
	int result = 1;

	sound->has_switched = false;
	for (int i = 0;
	     i < MESSAGES_A_TURN && result > 0 && !sound->has_failed && !sound->has_switched; i++)
		result = sd_bus_process(sound->bus, NULL);
	if (result >= 0)
		sd_bus_get_n_queued_write(sound->bus, &unsent);
	return result >= 0 && !sound->has_failed && unsent <= REPLIES_MAX;
}

/* ---- Turns ---- */

void sound_init(Sound *sound, GuestChannel *channel, Notice *notice, bool is_wanted)
{
	*sound = (Sound){ .is_wanted = is_wanted, .channel = channel, .notice = notice };
	SDL_SetHint(SDL_HINT_AUDIO_DEVICE_APP_NAME, "vail-view");
}

void sound_deinit(Sound *sound)
{
	leave(sound);
}

/* The user has turned to the window: there may be sound by now, or an output for it. */
void sound_handle(Sound *sound, const SDL_Event *event)
{
	if (event->type == SDL_WINDOWEVENT && event->window.event == SDL_WINDOWEVENT_FOCUS_GAINED)
		sound->is_refused = false;
}

void sound_process(Sound *sound, int64_t now)
{
	const GuestChannel *channel = sound->channel;

	if (!can_listen(sound) || sound->opening != channel->openings)
		leave(sound);
	sound->opening = channel->openings;
	if (can_listen(sound) && !sound->bus && !sound->is_refused && register_listener(sound) < 0)
		give_up(sound);
	if (sound->bus && !process_bus(sound))
		give_up(sound);
	for (size_t i = 0; i < sound->stream_count; i++)
		sound_device_pass_time(&sound->streams[i].device, now);
}

int64_t sound_poll_for(const Sound *sound, struct pollfd *ret_fd)
{
	int64_t at = SOUND_DEVICE_NEVER;
	uint64_t microseconds;

	*ret_fd = (struct pollfd){ .fd = -1 };
	for (size_t i = 0; i < sound->stream_count; i++) {
		int64_t deadline = sound_device_deadline(&sound->streams[i].device);

		at = deadline < at ? deadline : at;
	}
	if (!sound->bus)
		return at;
	*ret_fd = (struct pollfd){ .fd = sd_bus_get_fd(sound->bus),
				   .events = (short)sd_bus_get_events(sound->bus) };
	if (sd_bus_get_timeout(sound->bus, &microseconds) > 0 && microseconds != UINT64_MAX &&
	    (int64_t)(microseconds / 1000) + 1 < at)
		at = (int64_t)(microseconds / 1000) + 1;
	return at;
}
