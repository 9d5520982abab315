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

void sound_volume_set(SoundVolume *volume, bool is_mute, const uint8_t *levels, size_t count)
{
	*volume = (SoundVolume)SOUND_VOLUME_FULL;
	volume->is_mute = is_mute;
	if (count > 0)
		memcpy(volume->levels, levels, count < SOUND_CHANNELS ? count : SOUND_CHANNELS);
}

/* Writes a sample that is in the low bits. */
static void write_bits(const SoundFormat *format, uint32_t bits, uint8_t *at)
{
	uint16_t half;

	switch (format->bits) {
	case 8:
		*at = (uint8_t)bits;
		break;
	case 16:
		half = format->is_big_endian ? htobe16((uint16_t)bits) : htole16((uint16_t)bits);
		memcpy(at, &half, sizeof(half));
		break;
	default:
		bits = format->is_big_endian ? htobe32(bits) : htole32(bits);
		memcpy(at, &bits, sizeof(bits));
	}
}

static uint32_t bits_of(const SoundFormat *format, float number)
{
	uint32_t bits;

	memcpy(&bits, &number, sizeof(bits));
	number = float_of(bits);
	memcpy(&bits, &number, sizeof(bits));
	if (format->is_float)
		return bits;
	/* The largest number has no place in the signed samples. */
	double whole = floor((double)number * 2147483648.0);
	bits = (uint32_t)(int32_t)(whole < 2147483647.0 ? whole : 2147483647.0);
	if (!format->is_signed)
		bits ^= UINT32_C(1) << 31; /* silence is in the middle */
	return bits >> (32 - format->bits);
}

void sound_encode(const SoundFormat *format, const SoundVolume *volume, const float *samples,
		  size_t count, void *ret_frames)
{
	uint8_t *at = ret_frames;

	for (size_t i = 0; i < count * format->channels; i++, at += format->bits / 8) {
		float level =
			volume->is_mute ? 0 : (float)volume->levels[i % format->channels] / 255;

		write_bits(format, bits_of(format, level * samples[i]), at);
	}
}
