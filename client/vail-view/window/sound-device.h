/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_SOUND_DEVICE_H
#define CLIENT_VAIL_VIEW_WINDOW_SOUND_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/vail-view/sound-format.h"
#include "client/vail-view/window/audio-device.h"

/*
 * The desktop's sound output, for one stream of the guest. It is open only while there is something
 * to play, because an open one wakes the process many times a second. All times are in
 * milliseconds.
 */

/* No time for sound_device_deadline(). */
#define SOUND_DEVICE_NEVER INT64_MAX

/* Zero-initialize it. */
typedef struct SoundDevice {
	AudioDevice output;
	int64_t close_at;    /* while it is open */
	unsigned int delays; /* how often that was put off since the last frames */
} SoundDevice;

/*
 * Plays frames of a valid format, and drops those that are too many; see sound-pace.h. Returns
 * false if the desktop has no sound output; see SDL_GetError().
 */
bool sound_device_play(SoundDevice *device, const SoundFormat *format, const SoundVolume *volume,
		       const void *frames, size_t count, int64_t now);

/* Closes the output when it has played all its frames. */
void sound_device_finish(SoundDevice *device, int64_t now);

/* Returns when sound_device_pass_time() has something to do, or SOUND_DEVICE_NEVER. */
int64_t sound_device_deadline(const SoundDevice *device);
void sound_device_pass_time(SoundDevice *device, int64_t now);

#endif
