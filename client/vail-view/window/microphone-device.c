/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/microphone-device.h"

#include <stdlib.h>

#include "client/vail-view/sound-pace.h"
#include "proto/macros.h"

/* Time after which the microphone is closed, if the guest does not read. */
#define IDLE_LIMIT 2000

static size_t frame_size(const MicrophoneDevice *device)
{
	return sizeof(float) * device->format.channels;
}

static bool open_device(MicrophoneDevice *device, const SoundFormat *format)
{
	SDL_AudioSpec wanted = {
		.freq = (int)format->frequency,
		.format = AUDIO_F32SYS,
		.channels = (uint8_t)format->channels,
		.samples = (uint16_t)sound_buffer_frames(format->frequency),
	};

	/* Each time, so that a closed microphone keeps no thread and no connection. */
	if (SDL_InitSubSystem(SDL_INIT_AUDIO) != 0)
		return false;
	device->id = SDL_OpenAudioDevice(NULL, 1, &wanted, NULL, 0);
	if (device->id == 0) {
		SDL_QuitSubSystem(SDL_INIT_AUDIO);
		return false;
	}
	device->format = *format;
	SDL_PauseAudioDevice(device->id, 0);
	return true;
}

void microphone_device_close(MicrophoneDevice *device)
{
	if (device->id == 0)
		return;
	SDL_ClearQueuedAudio(device->id);
	SDL_CloseAudioDevice(device->id);
	SDL_QuitSubSystem(SDL_INIT_AUDIO);
	device->id = 0;
}

bool microphone_device_is_open(const MicrophoneDevice *device, const SoundFormat *format)
{
	return device->id != 0 && device->format.channels == format->channels &&
	       device->format.frequency == format->frequency;
}

/* Drops the oldest frames, so that the guest hears the user at most SOUND_LATENCY late. */
static void drop_late(const MicrophoneDevice *device)
{
	size_t limit = (size_t)device->format.frequency * SOUND_LATENCY / 1000 * frame_size(device);
	float samples[64 * SOUND_CHANNELS];
	uint32_t chunk = (uint32_t)(64 * frame_size(device));

	while (SDL_GetQueuedAudioSize(device->id) > limit + chunk)
		if (SDL_DequeueAudio(device->id, samples, chunk) == 0)
			return;
}

bool microphone_device_read(MicrophoneDevice *device, const SoundFormat *format,
			    const SoundVolume *volume, void *ret_frames, size_t count,
			    size_t *ret_count, int64_t now)
{
	_cleanup_free_ float *samples = calloc(count + 1, sizeof(*samples) * format->channels);

	*ret_count = 0;
	if (!microphone_device_is_open(device, format))
		microphone_device_close(device);
	if (device->id == 0 && !open_device(device, format))
		return false;
	device->close_at = now + IDLE_LIMIT;
	if (!samples)
		return true; /* these frames come later */
	drop_late(device);
	*ret_count = SDL_DequeueAudio(device->id, samples, (uint32_t)(count * frame_size(device))) /
		     frame_size(device);
	sound_encode(format, volume, samples, *ret_count, ret_frames);
	return true;
}

void microphone_device_pass_time(MicrophoneDevice *device, int64_t now)
{
	if (device->id != 0 && now >= device->close_at)
		microphone_device_close(device);
}
