/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/microphone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/common/display-methods.h"
#include "client/common/display-names.h"
#include "client/common/user-message.h"
#include "client/vail-view/clock.h"
#include "proto/macros.h"

/* The most bytes that the agent gets at a time, so that the reply fits into CHANNEL_MESSAGE_MAX. */
#define READ_MAX 64512u

/* Says once why nothing is recorded. */
static void complain(Microphone *microphone, const char *sentence)
{
	if (microphone->has_said)
		return;
	microphone->has_said = true;
	log_message("%s", sentence);
	notice_say(microphone->notice, sentence, now_milliseconds());
}

/* Closes the microphone if it is open for this stream. */
static void stop_reading(Microphone *microphone, uint64_t id)
{
	if (microphone->device.input.id == 0 || microphone->reader != id)
		return;
	audio_device_close(&microphone->device.input);
	microphone->listener.ends_turn = true;
}

/*
 * Tests whether the microphone is open for the stream, or may be opened. To open it may take as
 * long as a picture, and ends the turn. The title says that it is on, but is not there in full
 * screen.
 */
static bool may_record(Microphone *microphone, const AudioStream *stream, int64_t now)
{
	if (audio_device_is_open(&microphone->device.input, &stream->format))
		return microphone->reader == stream->id;
	if (microphone->device.input.id != 0 || !sound_may_open(&microphone->openings, now))
		return false;
	microphone->listener.ends_turn = true;
	microphone->reader = stream->id;
	notice_say(microphone->notice, "The virtual machine listens to your microphone now.", now);
	return true;
}

/* Returns the number of bytes that were recorded, at most size. */
static size_t record(Microphone *microphone, const AudioStream *stream, void *ret_data, size_t size)
{
	size_t frame = stream->is_valid ? sound_frame_size(&stream->format) : 1, count = 0;
	char sentence[NOTICE_SIZE];
	int64_t now = now_milliseconds();

	if (!stream->is_valid) {
		complain(microphone, "The virtual machine records sound in a format that this "
				     "program does not know. It hears nothing.");
		return 0;
	}
	if (!may_record(microphone, stream, now))
		return 0;
	if (microphone_device_read(&microphone->device, &stream->format, &stream->volume, ret_data,
				   size / frame, &count, now))
		return count * frame;
	snprintf(sentence, sizeof(sentence),
		 "The microphone of this desktop cannot be used: %s. The virtual machine hears "
		 "nothing.",
		 SDL_GetError());
	complain(microphone, sentence);
	microphone->listener.has_failed = true;
	return 0;
}

/* ---- Streams ---- */

static void stop_stream(AudioStreams *streams, AudioStream *stream)
{
	stop_reading(container_of(streams, Microphone, streams), stream->id);
}

static const AudioStreamsKind streams_kind = {
	.begin = stop_stream,
	.pause = stop_stream,
	.end = stop_stream,
};

/* ---- Calls by the agent ---- */

static int on_read(sd_bus_message *message, void *context, sd_bus_error *error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_free_ void *data = NULL;
	Microphone *microphone = container_of(context, Microphone, streams);
	uint64_t id, wanted;
	size_t size = 0;
	int result = sd_bus_message_read(message, "tt", &id, &wanted);

	(void)error;
	if (result < 0)
		return result;
	const AudioStream *stream = audio_streams_find(&microphone->streams, id);
	wanted = wanted < READ_MAX ? wanted : READ_MAX;
	data = malloc((size_t)wanted + 1);
	if (!data)
		return -ENOMEM;
	if (stream && stream->is_enabled && !microphone->listener.has_failed)
		size = record(microphone, stream, data, (size_t)wanted);
	result = sd_bus_message_new_method_return(message, &reply);
	if (result >= 0)
		result = sd_bus_message_append_array(reply, 'y', data, size);
	return result < 0 ? result : sd_bus_send(NULL, reply, NULL);
}

static const sd_bus_vtable methods[] =
	AUDIO_STREAMS_TABLE(DISPLAY_METHOD("Read", "tt", "ay", on_read));

/* ---- Turns ---- */

/* Stops the record at once. */
static void stop(void *context)
{
	Microphone *microphone = container_of(context, Microphone, streams);

	audio_device_close(&microphone->device.input);
	microphone->streams.count = 0;
}

static const SoundListenerKind kind = {
	.right = VAIL_DISPLAY_AUDIO_INPUT,
	.method = "RegisterInListener",
	.path = DISPLAY_MICROPHONE_PATH,
	.interface = DISPLAY_MICROPHONE,
	.methods = methods,
	.message_max = CHANNEL_MESSAGE_MAX,
	.stop = stop,
};

void microphone_init(Microphone *microphone, GuestChannel *channel, Notice *notice, bool is_wanted)
{
	*microphone = (Microphone){ .notice = notice, .streams = { .kind = &streams_kind } };
	sound_listener_init(&microphone->listener, &kind, &microphone->streams, channel, is_wanted);
}

void microphone_deinit(Microphone *microphone)
{
	sound_listener_deinit(&microphone->listener);
}

bool microphone_is_on(const Microphone *microphone)
{
	return microphone->device.input.id != 0;
}

void microphone_handle(Microphone *microphone, const SDL_Event *event)
{
	sound_listener_handle(&microphone->listener, event);
}

void microphone_process(Microphone *microphone, int64_t now)
{
	sound_listener_process(&microphone->listener);
	microphone_device_pass_time(&microphone->device, now);
}

int64_t microphone_poll_for(const Microphone *microphone, struct pollfd *ret_fd)
{
	int64_t at = sound_listener_poll_for(&microphone->listener, ret_fd);
	const MicrophoneDevice *device = &microphone->device;

	return device->input.id != 0 && device->close_at < at ? device->close_at : at;
}
