/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/sound-device.h"

#include <stdlib.h>

#include "client/vail-view/sound-pace.h"
#include "proto/macros.h"

/* Time without frames after which the output is closed, although the guest has not stopped. */
#define IDLE_LIMIT 2000

/* Time for the desktop to play the frames that it has taken from the queue. */
#define DRAIN_TIME 100

/* Limits how often the end is put off while frames wait, in case a process was stopped. */
#define DELAYS_MAX 50

static size_t queued_frames(const SoundDevice *device)
{
	return SDL_GetQueuedAudioSize(device->output.id) / audio_device_frame_size(&device->output);
}

/* Queues silence and frames. Without memory, they are dropped. */
static void queue(const SoundDevice *device, const SoundFormat *format, const SoundVolume *volume,
		  const void *frames, SoundPace pace)
{
	size_t silent = pace.lead * format->channels;
	size_t count = silent + pace.accepted * format->channels;
	_cleanup_free_ float *samples = calloc(count, sizeof(*samples));

	if (!samples || count == 0)
		return;
	sound_convert(format, volume, frames, pace.accepted, samples + silent);
	SDL_QueueAudio(device->output.id, samples, (uint32_t)(count * sizeof(*samples)));
}

bool sound_device_play(SoundDevice *device, const SoundFormat *format, const SoundVolume *volume,
		       const void *frames, size_t count, int64_t now)
{
	if (!audio_device_open(&device->output, format, false))
		return false;
	device->close_at = now + IDLE_LIMIT;
	device->delays = 0;
	queue(device, format, volume, frames,
	      sound_pace(format->frequency, queued_frames(device), count));
	return true;
}

void sound_device_finish(SoundDevice *device, int64_t now)
{
	if (device->output.id != 0)
		device->close_at =
			now +
			(int64_t)(queued_frames(device) * 1000 / device->output.format.frequency) +
			DRAIN_TIME;
}

int64_t sound_device_deadline(const SoundDevice *device)
{
	return device->output.id == 0 ? SOUND_DEVICE_NEVER : device->close_at;
}

void sound_device_pass_time(SoundDevice *device, int64_t now)
{
	if (device->output.id == 0 || now < device->close_at)
		return;
	if (queued_frames(device) > 0 && device->delays++ < DELAYS_MAX)
		sound_device_finish(device, now);
	else
		audio_device_close(&device->output);
}
