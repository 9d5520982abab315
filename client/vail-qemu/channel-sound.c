/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/channel-sound.h"

#include <stdlib.h>

#include "client/common/display-names.h"
#include "client/vail-qemu/channel-viewer.h"
#include "client/vail-qemu/sound-output.h"
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
	return sound->output->display->link.clock->now();
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
	int result = sd_bus_message_new_method_call(sound->bus.bus, ret, NULL,
						    DISPLAY_SOUND_LISTENER_PATH,
						    DISPLAY_SOUND_LISTENER, member);

	return result < 0 ? result : sd_bus_message_append(*ret, "t", id);
}

/* Sends a call if it was made. Without memory, the listener ends. */
static void send_call(ChannelSound *sound, sd_bus_message *call, int result)
{
	if (sound->unreplied == 0)
		sound->replied_at = now(sound);
	if (result >= 0)
		result = sd_bus_call_async(sound->bus.bus, NULL, call, on_reply, sound, UINT64_MAX);
	sound->unreplied += result >= 0;
	if (result < 0 || sound->unreplied > UNREPLIED_MAX)
		sound->is_lost = true;
}

void channel_sound_tell_stream(ChannelSound *sound, const SoundStream *stream)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result;

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

	if (!sound->is_told)
		return;
	result = begin_call(sound, "Fini", id, &call);
	send_call(sound, call, result);
}

void channel_sound_tell_enabled(ChannelSound *sound, const SoundStream *stream)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result;

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

	if (!sound->is_told || sound->unreplied > BACKLOG_MAX)
		return;
	result = begin_call(sound, "Write", id, &call);
	if (result >= 0)
		result = sd_bus_message_append_array(call, 'y', data, size);
	send_call(sound, call, result);
}

/* ---- Life ---- */

ChannelSound *channel_sound_new(int socket, SoundOutput *output)
{
	ChannelSound *sound = calloc(1, sizeof(*sound));

	if (!sound) {
		fd_close(&socket);
		return NULL;
	}
	*sound = (ChannelSound){ .output = output };
	sound->replied_at = now(sound);
	TAILQ_INSERT_TAIL(&output->viewers, sound, entries);
	if (channel_bus_init(&sound->bus, socket) >= 0)
		return sound;
	channel_sound_free(sound);
	return NULL;
}

void channel_sound_free(ChannelSound *sound)
{
	if (!sound)
		return;
	TAILQ_REMOVE(&sound->output->viewers, sound, entries);
	channel_bus_deinit(&sound->bus);
	free(sound);
}

/* Tells the viewer of the streams that exist, as soon as it can hear. */
static void tell_streams(ChannelSound *sound)
{
	const SoundOutput *output = sound->output;

	sound->is_told = true;
	for (size_t i = 0; i < output->stream_count; i++) {
		channel_sound_tell_stream(sound, &output->streams[i]);
		channel_sound_tell_volume(sound, &output->streams[i]);
		if (output->streams[i].is_enabled)
			channel_sound_tell_enabled(sound, &output->streams[i]);
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
