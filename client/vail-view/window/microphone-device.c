/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/microphone-device.h"

#include <stdlib.h>

#include "client/vail-view/sound-pace.h"
#include "proto/macros.h"

/* Time after which the microphone is closed, if the guest does not read. */
#define IDLE_LIMIT 2000

/* Drops the oldest frames, so that the guest hears the user at most SOUND_LATENCY late. */
static void drop_late(const AudioDevice *device)
{
	size_t limit = (size_t)device->format.frequency * SOUND_LATENCY / 1000 *
		       audio_device_frame_size(device);
	float samples[64 * SOUND_CHANNELS];
	uint32_t chunk = (uint32_t)(64 * audio_device_frame_size(device));

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
	if (!audio_device_open(&device->input, format, true))
		return false;
	device->close_at = now + IDLE_LIMIT;
	if (!samples)
		return true; /* these frames come later */
	drop_late(&device->input);
	*ret_count = SDL_DequeueAudio(device->input.id, samples,
				      (uint32_t)(count * audio_device_frame_size(&device->input))) /
		     audio_device_frame_size(&device->input);
	sound_encode(format, volume, samples, *ret_count, ret_frames);
	return true;
}

void microphone_device_pass_time(MicrophoneDevice *device, int64_t now)
{
	if (device->input.id != 0 && now >= device->close_at)
		audio_device_close(&device->input);
}
