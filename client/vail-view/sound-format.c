/* SPDX-License-Identifier: MIT */
#include "client/vail-view/sound-format.h"

#include <endian.h>
#include <math.h>
#include <string.h>

/* The frequencies that are played, in frames a second. QEMU's devices have 5512 to 192000. */
#define FREQUENCY_MIN 1000
#define FREQUENCY_MAX 384000

bool sound_format_is_valid(const SoundFormat *format)
{
	if (format->channels < 1 || format->channels > SOUND_CHANNELS ||
	    format->frequency < FREQUENCY_MIN || format->frequency > FREQUENCY_MAX)
		return false;
	return format->bits == 32 ||
	       (!format->is_float && (format->bits == 8 || format->bits == 16));
}

size_t sound_frame_size(const SoundFormat *format)
{
	return format->bits / 8 * format->channels;
}

/* Reads a sample as it is, in the low bits. */
static uint32_t read_bits(const SoundFormat *format, const uint8_t *at)
{
	uint16_t half;
	uint32_t whole;

	switch (format->bits) {
	case 8:
		return *at;
	case 16:
		memcpy(&half, at, sizeof(half));
		return format->is_big_endian ? be16toh(half) : le16toh(half);
	default:
		memcpy(&whole, at, sizeof(whole));
		return format->is_big_endian ? be32toh(whole) : le32toh(whole);
	}
}

static float float_of(uint32_t bits)
{
	float number;

	memcpy(&number, &bits, sizeof(number));
	if (isnan(number))
		return 0;
	if (number > 1)
		return 1;
	return number < -1 ? -1 : number;
}

/* Returns the sample as a number from -1 to 1. */
static float read_sample(const SoundFormat *format, const uint8_t *at)
{
	uint32_t bits = read_bits(format, at);

	if (format->is_float)
		return float_of(bits);
	bits <<= 32 - format->bits;
	if (!format->is_signed)
		bits ^= UINT32_C(1) << 31; /* silence is in the middle */
	return (float)((double)(int32_t)bits / 2147483648.0);
}

void sound_convert(const SoundFormat *format, const SoundVolume *volume, const void *frames,
		   size_t count, float *ret_samples)
{
	const uint8_t *at = frames;

	for (size_t i = 0; i < count * format->channels; i++, at += format->bits / 8) {
		float level =
			volume->is_mute ? 0 : (float)volume->levels[i % format->channels] / 255;

		ret_samples[i] = level * read_sample(format, at);
	}
}
