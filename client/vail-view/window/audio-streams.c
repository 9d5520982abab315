/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/audio-streams.h"

AudioStream *audio_streams_find(AudioStreams *streams, uint64_t id)
{
	for (size_t i = 0; i < streams->count; i++)
		if (streams->items[i].id == id)
			return &streams->items[i];
	return NULL;
}

/* Returns the stream, which may be there already; NULL if there are too many. */
static AudioStream *add_stream(AudioStreams *streams, uint64_t id)
{
	AudioStream *stream = audio_streams_find(streams, id);

	if (stream || streams->count == AUDIO_STREAMS)
		return stream;
	stream = &streams->items[streams->count++];
	*stream = (AudioStream){ .id = id };
	return stream;
}

int audio_streams_on_init(sd_bus_message *message, void *context, sd_bus_error *error)
{
	AudioStreams *streams = context;
	uint64_t id;
	uint8_t bits, channels;
	int is_signed, is_float, is_big_endian;
	uint32_t frequency, bytes_per_frame, bytes_per_second;
	int result = sd_bus_message_read(message, "tybbuyuub", &id, &bits, &is_signed, &is_float,
					 &frequency, &channels, &bytes_per_frame, &bytes_per_second,
					 &is_big_endian);

	if (result < 0)
		return result;
	AudioStream *stream = add_stream(streams, id);
	if (!stream)
		return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many streams");
	streams->kind->begin(streams, stream);
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

int audio_streams_on_fini(sd_bus_message *message, void *context, sd_bus_error *error)
{
	AudioStreams *streams = context;
	uint64_t id;
	int result = sd_bus_message_read(message, "t", &id);

	(void)error;
	if (result < 0)
		return result;
	AudioStream *stream = audio_streams_find(streams, id);
	if (stream) {
		streams->kind->end(streams, stream);
		*stream = streams->items[--streams->count];
	}
	return sd_bus_reply_method_return(message, "");
}

/* Opens no device: that waits until there is something to play, or until the guest reads. */
int audio_streams_on_set_enabled(sd_bus_message *message, void *context, sd_bus_error *error)
{
	AudioStreams *streams = context;
	uint64_t id;
	int is_enabled, result = sd_bus_message_read(message, "tb", &id, &is_enabled);

	(void)error;
	if (result < 0)
		return result;
	AudioStream *stream = audio_streams_find(streams, id);
	if (stream && !is_enabled)
		streams->kind->pause(streams, stream);
	if (stream)
		stream->is_enabled = is_enabled;
	return sd_bus_reply_method_return(message, "");
}

int audio_streams_on_set_volume(sd_bus_message *message, void *context, sd_bus_error *error)
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
	AudioStream *stream = audio_streams_find(context, id);
	if (stream)
		sound_volume_set(&stream->volume, is_mute, levels, count);
	return sd_bus_reply_method_return(message, "");
}
