/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_SOUND_FORMAT_H
#define CLIENT_VAIL_VIEW_SOUND_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The sound of a guest, as samples of any of QEMU's formats, and its conversion to what the desktop
 * plays. The guest and the agent are not trusted. This module does no I/O.
 */

/* The most channels of a stream, as many as SDL has. */
#define SOUND_CHANNELS 8

/* The format of a stream, as org.qemu.Display1.AudioOutListener has it. */
typedef struct SoundFormat {
	unsigned int bits; /* 8, 16 or 32 */
	bool is_signed;
	bool is_float;
	bool is_big_endian;
	unsigned int channels;
	uint32_t frequency; /* frames a second */
} SoundFormat;

/* The volume of each channel, from 0 to 255. */
typedef struct SoundVolume {
	bool is_mute;
	uint8_t levels[SOUND_CHANNELS];
} SoundVolume;

#define SOUND_VOLUME_FULL                                            \
	{                                                            \
		.levels = { 255, 255, 255, 255, 255, 255, 255, 255 } \
	}

/* Tests whether the desktop can play the format. */
bool sound_format_is_valid(const SoundFormat *format);

/* Returns the size of a frame, which is one sample of each channel, in bytes. */
size_t sound_frame_size(const SoundFormat *format);

/* Sets the volume to the levels of the first channels. Further channels get the full volume. */
void sound_volume_set(SoundVolume *volume, bool is_mute, const uint8_t *levels, size_t count);

/*
 * Converts frames to numbers from -1 to 1, with the volume applied. Clips
 * floating point numbers beyond that, and plays NaN as silence.
 *
 * format: a valid one.
 * ret_samples: has room for count * format->channels samples.
 */
void sound_convert(const SoundFormat *format, const SoundVolume *volume, const void *frames,
		   size_t count, float *ret_samples);

/*
 * Converts numbers from -1 to 1 to frames, with the volume applied. Clips numbers beyond that.
 *
 * format: a valid one.
 * samples: count * format->channels numbers.
 */
void sound_encode(const SoundFormat *format, const SoundVolume *volume, const float *samples,
		  size_t count, void *ret_frames);

#endif
