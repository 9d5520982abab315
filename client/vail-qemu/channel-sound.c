/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/channel-sound.h"

#include <stdlib.h>
#include <string.h>

#include "client/common/display-names.h"
#include "client/vail-qemu/channel-viewer.h"
#include "client/vail-qemu/guest-sound.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* Messages that are handled in one turn, so that no viewer takes the time of others. */
#define MESSAGES_A_TURN 64

/* Calls without a reply beyond which the viewer misses sound. */
#define BACKLOG_MAX 64

/* Calls without a reply beyond which the listener ends, because a guest can change its streams
 * fast. */
#define UNREPLIED_MAX 512

static int64_t now(const ChannelSound *sound)
{
	return sound->guest->display->link.clock->now();
}

/* ---- Calls ---- */

static int on_reply(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	ChannelSound *sound = context;

	(void)reply;
	(void)error;
	sound->unreplied--;
	sound->replied_at = now(sound);
	return 0;
}

static int begin_call(const ChannelSound *sound, const char *member, uint64_t id,
		      sd_bus_message **ret)
{
	bool is_played = sound->guest->direction == SOUND_PLAYED;
	int result = sd_bus_message_new_method_call(
		sound->bus.bus, ret, NULL,
		is_played ? DISPLAY_SOUND_LISTENER_PATH : DISPLAY_MICROPHONE_PATH,
		is_played ? DISPLAY_SOUND_LISTENER : DISPLAY_MICROPHONE, member);

	return result < 0 ? result : sd_bus_message_append(*ret, "t", id);
}

/* Sends a call if it was made. Without memory, the listener ends. */
static void send_call_to(ChannelSound *sound, sd_bus_message *call, int result,
			 sd_bus_message_handler_t handler)
{
	if (sound->unreplied == 0)
		sound->replied_at = now(sound);
	if (result >= 0)
		result = sd_bus_call_async(sound->bus.bus, NULL, call, handler, sound, UINT64_MAX);
	sound->unreplied += result >= 0;
	if (result < 0 || sound->unreplied > UNREPLIED_MAX)
		sound->is_lost = true;
}

static void send_call(ChannelSound *sound, sd_bus_message *call, int result)
{
	send_call_to(sound, call, result, on_reply);
}

/* ---- The microphone ---- */

/* Milliseconds of sound that may wait. More would be late when the guest reads it. */
#define RECORD_LATENCY 200u

static size_t least(size_t one, size_t other)
{
	return one < other ? one : other;
}

/* Returns how many of the bytes are whole frames. */
static size_t whole_frames(const ChannelSound *sound, size_t size)
{
	return size - size % sound->record_frame;
}

/* Returns how many bytes the record lacks, if it shall have as many as wanted. */
static size_t missing(const ChannelSound *sound, size_t wanted)
{
	size_t count = buffer_size(&sound->record);

	wanted = least(wanted, sound->record_max);
	return wanted > count ? whole_frames(sound, wanted - count) : 0;
}

static int on_recorded(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	ChannelSound *sound = context;
	const void *data;
	size_t size;

	sound->is_reading = false;
	if (!sound->is_stale && !sd_bus_message_is_method_error(reply, NULL) &&
	    sd_bus_message_read_array(reply, 'y', &data, &size) >= 0) {
		size = least(whole_frames(sound, size), missing(sound, sound->record_max));
		if (size > 0 && !buffer_append(&sound->record, data, size))
			sound->is_lost = true;
	}
	return on_reply(reply, context, error);
}

/* Asks for sound, one reply at a time. */
static void read_more(ChannelSound *sound, uint64_t id, size_t size)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;

	if (sound->is_reading || size == 0)
		return;
	int result = begin_call(sound, "Read", id, &call);
	if (result >= 0)
		result = sd_bus_message_append(call, "t", (uint64_t)size);
	sound->is_reading = true;
	sound->is_stale = false;
	send_call_to(sound, call, result, on_recorded);
}

/* Forgets everything recorded. The next record begins when the guest reads. */
static void end_record(ChannelSound *sound)
{
	sound->is_stale = true;
	sound->record_max = 0;
	buffer_consume(&sound->record, buffer_size(&sound->record));
}

static void begin_record(ChannelSound *sound, const SoundStream *stream)
{
	uint64_t bytes = (uint64_t)stream->bytes_per_second * RECORD_LATENCY / 1000;

	end_record(sound);
	sound->recorded = stream->id;
	sound->record_frame = stream->bytes_per_frame > 0 ? stream->bytes_per_frame : 1;
	sound->record_max =
		whole_frames(sound, bytes < SOUND_READ_MAX ? (size_t)bytes : SOUND_READ_MAX);
}

/* Tests whether another stream records. */
static bool is_taken(const ChannelSound *sound, uint64_t id)
{
	const SoundStream *other = guest_sound_stream(sound->guest, sound->recorded);

	return sound->record_max > 0 && sound->recorded != id && other && other->is_enabled;
}

size_t channel_sound_record(ChannelSound *sound, const SoundStream *stream, void *ret_data,
			    size_t size)
{
	if (!sound->is_told || !stream->is_enabled || is_taken(sound, stream->id) ||
	    channel_bus_is_cut(sound->channel))
		return 0;
	if (sound->recorded != stream->id || sound->record_max == 0)
		begin_record(sound, stream);
	size_t count = least(size, buffer_size(&sound->record));
	if (count > 0)
		memcpy(ret_data, buffer_head(&sound->record), count);
	buffer_consume(&sound->record, count);
	read_more(sound, stream->id, missing(sound, 2 * size));
	return count;
}

/* ---- Streams ---- */

void channel_sound_tell_stream(ChannelSound *sound, const SoundStream *stream)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result;

	if (stream->id == sound->recorded)
		end_record(sound);
	if (!sound->is_told)
		return; /* tell_streams() comes first */
	result = begin_call(sound, "Init", stream->id, &call);
	if (result >= 0)
		result = sd_bus_message_append(call, "ybbuyuub", stream->bits, stream->is_signed,
					       stream->is_float, stream->frequency,
					       stream->channels, stream->bytes_per_frame,
					       stream->bytes_per_second, stream->is_big_endian);
	send_call(sound, call, result);
}

void channel_sound_tell_end(ChannelSound *sound, uint64_t id)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result;

	if (id == sound->recorded)
		end_record(sound);
	if (!sound->is_told)
		return;
	result = begin_call(sound, "Fini", id, &call);
	send_call(sound, call, result);
}

void channel_sound_tell_enabled(ChannelSound *sound, const SoundStream *stream)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result;

	if (stream->id == sound->recorded)
		end_record(sound);
	if (!sound->is_told)
		return;
	result = begin_call(sound, "SetEnabled", stream->id, &call);
	if (result >= 0)
		result = sd_bus_message_append(call, "b", stream->is_enabled);
	send_call(sound, call, result);
}

void channel_sound_tell_volume(ChannelSound *sound, const SoundStream *stream)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result;

	if (!sound->is_told || !stream->has_volume)
		return;
	result = begin_call(sound, "SetVolume", stream->id, &call);
	if (result >= 0)
		result = sd_bus_message_append(call, "b", stream->is_mute);
	if (result >= 0)
		result = sd_bus_message_append_array(call, 'y', stream->volume,
						     stream->volume_count);
	send_call(sound, call, result);
}

void channel_sound_write(ChannelSound *sound, uint64_t id, const void *data, size_t size)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result;

	if (!sound->is_told || sound->unreplied > BACKLOG_MAX || channel_bus_is_cut(sound->channel))
		return;
	result = begin_call(sound, "Write", id, &call);
	if (result >= 0)
		result = sd_bus_message_append_array(call, 'y', data, size);
	send_call(sound, call, result);
}

/* ---- Life ---- */

ChannelSound *channel_sound_new(int socket, GuestSound *guest, const ChannelBus *channel)
{
	ChannelSound *sound = calloc(1, sizeof(*sound));

	if (!sound) {
		fd_close(&socket);
		return NULL;
	}
	*sound = (ChannelSound){ .guest = guest, .channel = channel };
	sound->replied_at = now(sound);
	TAILQ_INSERT_TAIL(&guest->viewers, sound, entries);
	if (channel_bus_init(&sound->bus, socket) >= 0)
		return sound;
	channel_sound_free(sound);
	return NULL;
}

void channel_sound_free(ChannelSound *sound)
{
	if (!sound)
		return;
	TAILQ_REMOVE(&sound->guest->viewers, sound, entries);
	channel_bus_deinit(&sound->bus);
	buffer_deinit(&sound->record);
	free(sound);
}

/* Tells the viewer of the streams that exist, as soon as it can hear. */
static void tell_streams(ChannelSound *sound)
{
	const GuestSound *guest = sound->guest;

	sound->is_told = true;
	for (size_t i = 0; i < guest->stream_count; i++) {
		channel_sound_tell_stream(sound, &guest->streams[i]);
		channel_sound_tell_volume(sound, &guest->streams[i]);
		if (guest->streams[i].is_enabled)
			channel_sound_tell_enabled(sound, &guest->streams[i]);
	}
}

void channel_sound_process(ChannelSound *sound)
{
	int result = 1;

	for (int i = 0; i < MESSAGES_A_TURN && result > 0; i++)
		result = channel_bus_process(&sound->bus);
	if (result < 0)
		sound->is_lost = true;
	else if (!sound->is_told && sd_bus_is_ready(sound->bus.bus) > 0)
		tell_streams(sound);
	sound->is_slow = channel_sound_timeout(sound) == 0;
}

int channel_sound_timeout(const ChannelSound *sound)
{
	if (sound->is_told && sound->unreplied == 0)
		return -1;
	int64_t left = sound->replied_at + VIEWER_LIMIT - now(sound);
	return left > 0 ? (int)left : 0;
}
