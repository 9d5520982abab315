/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_AUDIO_DEVICE_H
#define CLIENT_VAIL_VIEW_WINDOW_AUDIO_DEVICE_H

#include <SDL.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/vail-view/sound-format.h"

/*
 * A sound device of the desktop, which plays or records frames of floating point samples. Closed
 * devices keep no thread and no connection.
 */

/* Zero-initialize it. */
typedef struct AudioDevice {
	SDL_AudioDeviceID id; /* 0 if it is closed */
	SoundFormat
		format; /* its channels and frequency are those of the frames, while it is open */
} AudioDevice;

static inline size_t audio_device_frame_size(const AudioDevice *device)
{
	return sizeof(float) * device->format.channels;
}

/* Tests whether the device is open for this number of channels and this frequency. */
bool audio_device_is_open(const AudioDevice *device, const SoundFormat *format);

/*
 * Opens the device for a valid format, unless it is open for that. A device that is open for
 * another one is closed first. Returns false if the desktop has no device that can be used; see
 * SDL_GetError().
 */
bool audio_device_open(AudioDevice *device, const SoundFormat *format, bool is_recording);

/* Closes the device at once, and drops the frames in its queue. Does nothing if it is closed. */
void audio_device_close(AudioDevice *device);

#endif
