/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_MICROPHONE_DEVICE_H
#define CLIENT_VAIL_VIEW_WINDOW_MICROPHONE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/vail-view/sound-format.h"
#include "client/vail-view/window/audio-device.h"

/*
 * The desktop's microphone. It is open only while the guest reads from it. All times are in
 * milliseconds.
 */

/* Zero-initialize it. */
typedef struct MicrophoneDevice {
	AudioDevice input;
	int64_t close_at; /* while it is open */
} MicrophoneDevice;

/*
 * Reads at most count frames of a valid format, with the volume applied, and drops those that are
 * late. Opens the microphone if it is closed. Returns false if the desktop has none that can be
 * used; see SDL_GetError().
 */
bool microphone_device_read(MicrophoneDevice *device, const SoundFormat *format,
			    const SoundVolume *volume, void *ret_frames, size_t count,
			    size_t *ret_count, int64_t now);

/* Closes the microphone if the guest has not read for some time. */
void microphone_device_pass_time(MicrophoneDevice *device, int64_t now);

#endif
