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
	return SDL_GetQueuedAudioSize(device->id) / (sizeof(float) * device->format.channels);
}

static bool open_device(SoundDevice *device, const SoundFormat *format)
{
	SDL_AudioSpec wanted = {
		.freq = (int)format->frequency,
		.format = AUDIO_F32SYS,
		.channels = (uint8_t)format->channels,
		.samples = (uint16_t)sound_buffer_frames(format->frequency),
	};

	/* Each time, so that a closed output keeps no thread and no connection. */
	if (SDL_InitSubSystem(SDL_INIT_AUDIO) != 0)
		return false;
	device->id = SDL_OpenAudioDevice(NULL, 0, &wanted, NULL, 0);
	if (device->id == 0) {
		SDL_QuitSubSystem(SDL_INIT_AUDIO);
		return false;
	}
	device->format = *format;
	SDL_PauseAudioDevice(device->id, 0);
	return true;
}

void sound_device_close(SoundDevice *device)
{
	if (device->id == 0)
		return;
	SDL_ClearQueuedAudio(device->id);
	SDL_CloseAudioDevice(device->id);
	SDL_QuitSubSystem(SDL_INIT_AUDIO);
	device->id = 0;
}

bool sound_device_is_open(const SoundDevice *device, const SoundFormat *format)
{
	return device->id != 0 && device->format.channels == format->channels &&
	       device->format.frequency == format->frequency;
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
	SDL_QueueAudio(device->id, samples, (uint32_t)(count * sizeof(*samples)));
}

bool sound_device_play(SoundDevice *device, const SoundFormat *format, const SoundVolume *volume,
		       const void *frames, size_t count, int64_t now)
{
	if (!sound_device_is_open(device, format))
		sound_device_close(device);
	if (device->id == 0 && !open_device(device, format))
		return false;
	device->close_at = now + IDLE_LIMIT;
	device->delays = 0;
	queue(device, format, volume, frames,
	      sound_pace(format->frequency, queued_frames(device), count));
	return true;
}

void sound_device_finish(SoundDevice *device, int64_t now)
{
	if (device->id != 0)
		device->close_at =
			now + (int64_t)(queued_frames(device) * 1000 / device->format.frequency) +
			DRAIN_TIME;
}

int64_t sound_device_deadline(const SoundDevice *device)
{
	return device->id == 0 ? SOUND_DEVICE_NEVER : device->close_at;
}

void sound_device_pass_time(SoundDevice *device, int64_t now)
{
	if (device->id == 0 || now < device->close_at)
		return;
	if (queued_frames(device) > 0 && device->delays++ < DELAYS_MAX)
		sound_device_finish(device, now);
	else
		sound_device_close(device);
}
