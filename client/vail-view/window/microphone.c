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

/* ---- Streams ---- */

static RecordedStream *find_stream(Microphone *microphone, uint64_t id)
{
	for (size_t i = 0; i < microphone->stream_count; i++)
		if (microphone->streams[i].id == id)
			return &microphone->streams[i];
	return NULL;
}

static RecordedStream *add_stream(Microphone *microphone, uint64_t id)
{
	RecordedStream *stream = find_stream(microphone, id);

	if (stream || microphone->stream_count == MICROPHONE_STREAMS)
		return stream;
	stream = &microphone->streams[microphone->stream_count++];
	*stream = (RecordedStream){ .id = id };
	return stream;
}

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
	if (microphone->device.id == 0 || microphone->reader != id)
		return;
	microphone_device_close(&microphone->device);
	microphone->listener.ends_turn = true;
}

/*
 * Tests whether the microphone is open for the stream, or may be opened. To open it may take as
 * long as a picture, and ends the turn. The title says that it is on, but is not there in full
 * screen.
 */
static bool may_record(Microphone *microphone, const RecordedStream *stream, int64_t now)
{
	if (microphone_device_is_open(&microphone->device, &stream->format))
		return microphone->reader == stream->id;
	if (microphone->device.id != 0 || !sound_may_open(&microphone->openings, now))
		return false;
	microphone->listener.ends_turn = true;
	microphone->reader = stream->id;
	notice_say(microphone->notice, "The virtual machine listens to your microphone now.", now);
	return true;
}

/* Returns the number of bytes that were recorded, at most size. */
static size_t record(Microphone *microphone, const RecordedStream *stream, void *ret_data,
		     size_t size)
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

/* ---- Calls by the agent ---- */

static int on_init(sd_bus_message *message, void *context, sd_bus_error *error)
{
	Microphone *microphone = context;
	uint64_t id;
	uint8_t bits, channels;
	int is_signed, is_float, is_big_endian;
	uint32_t frequency, bytes_per_frame, bytes_per_second;
	int result = sd_bus_message_read(message, "tybbuyuub", &id, &bits, &is_signed, &is_float,
					 &frequency, &channels, &bytes_per_frame, &bytes_per_second,
					 &is_big_endian);

	if (result < 0)
		return result;
	RecordedStream *stream = add_stream(microphone, id);
	if (!stream)
		return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many streams");
	stop_reading(microphone, id);
	stream->format = (SoundFormat){ .bits = bits,
					.is_signed = is_signed,
					.is_float = is_float,
					.is_big_endian = is_big_endian,
					.channels = channels,
					.frequency = frequency };
	stream->is_valid = sound_format_is_valid(&stream->format);
	stream->is_enabled = false;
	stream->volume = (SoundVolume)SOUND_VOLUME_FULL;
	return sd_bus_reply_method_return(message, "");
}

static int on_fini(sd_bus_message *message, void *context, sd_bus_error *error)
{
	Microphone *microphone = context;
	uint64_t id;
	int result = sd_bus_message_read(message, "t", &id);

	(void)error;
	if (result < 0)
		return result;
	RecordedStream *stream = find_stream(microphone, id);
	if (stream) {
		stop_reading(microphone, id);
		*stream = microphone->streams[--microphone->stream_count];
	}
	return sd_bus_reply_method_return(message, "");
}

/* The microphone is opened when the guest reads. */
static int on_set_enabled(sd_bus_message *message, void *context, sd_bus_error *error)
{
	uint64_t id;
	int is_enabled, result = sd_bus_message_read(message, "tb", &id, &is_enabled);

	(void)error;
	if (result < 0)
		return result;
	RecordedStream *stream = find_stream(context, id);
	if (stream)
		stream->is_enabled = is_enabled;
	if (stream && !is_enabled)
		stop_reading(context, id);
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
	RecordedStream *stream = find_stream(context, id);
	if (stream)
		sound_volume_set(&stream->volume, is_mute, levels, count);
	return sd_bus_reply_method_return(message, "");
}

static int on_read(sd_bus_message *message, void *context, sd_bus_error *error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_free_ void *data = NULL;
	Microphone *microphone = context;
	uint64_t id, wanted;
	size_t size = 0;
	int result = sd_bus_message_read(message, "tt", &id, &wanted);

	(void)error;
	if (result < 0)
		return result;
	const RecordedStream *stream = find_stream(microphone, id);
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

static const sd_bus_vtable methods[] = {
	SD_BUS_VTABLE_START(0),
	DISPLAY_SOUND_METHODS(on_init, on_fini, on_set_enabled, on_set_volume),
	DISPLAY_METHOD("Read", "tt", "ay", on_read),
	DISPLAY_NO_INTERFACES,
	SD_BUS_VTABLE_END,
};

/* ---- Turns ---- */

/* Stops the record at once. */
static void stop(void *context)
{
	Microphone *microphone = context;

	microphone_device_close(&microphone->device);
	microphone->stream_count = 0;
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
	*microphone = (Microphone){ .notice = notice };
	sound_listener_init(&microphone->listener, &kind, microphone, channel, is_wanted);
}

void microphone_deinit(Microphone *microphone)
{
	sound_listener_deinit(&microphone->listener);
}

bool microphone_is_on(const Microphone *microphone)
{
	return microphone->device.id != 0;
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

	return device->id != 0 && device->close_at < at ? device->close_at : at;
}
