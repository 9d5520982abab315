/* SPDX-License-Identifier: MIT */
/* The samples of a guest as vail-view plays them, and how many of them wait. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "client/vail-view/sound-format.h"
#include "client/vail-view/sound-pace.h"
#include "proto/macros.h"

TestSuite(sound_format);

static const SoundVolume full = SOUND_VOLUME_FULL;

static float convert(SoundFormat format, const char *bytes)
{
	float sample;

	format.channels = 1;
	format.frequency = 48000;
	cr_assert(sound_format_is_valid(&format));
	sound_convert(&format, &full, bytes, 1, &sample);
	return sample;
}

Test(sound_format, each_format_has_its_silence_and_its_extremes)
{
	SoundFormat s8 = { .bits = 8, .is_signed = true }, u8 = { .bits = 8 };
	SoundFormat s16 = { .bits = 16, .is_signed = true }, u16 = { .bits = 16 };
	SoundFormat s32 = { .bits = 32, .is_signed = true }, u32 = { .bits = 32 };

	cr_assert_eq(convert(s8, "\x00"), 0.0f);
	cr_assert_eq(convert(s8, "\x80"), -1.0f);
	cr_assert_eq(convert(s8, "\x40"), 0.5f);
	cr_assert_eq(convert(u8, "\x80"), 0.0f);
	cr_assert_eq(convert(u8, "\x00"), -1.0f);
	cr_assert_eq(convert(s16, "\x00\xc0"), -0.5f);
	cr_assert_eq(convert(u16, "\x00\x80"), 0.0f);
	cr_assert_eq(convert(u16, "\x00\xc0"), 0.5f);
	cr_assert_eq(convert(s32, "\x00\x00\x00\x20"), 0.25f);
	cr_assert_eq(convert(u32, "\x00\x00\x00\x80"), 0.0f);
	cr_assert_eq(convert(u32, "\x00\x00\x00\x00"), -1.0f);
}

Test(sound_format, big_endian_samples_are_swapped)
{
	SoundFormat s16 = { .bits = 16, .is_signed = true, .is_big_endian = true };
	SoundFormat f32 = { .bits = 32, .is_float = true, .is_big_endian = true };

	cr_assert_eq(convert(s16, "\x40\x00"), 0.5f);
	cr_assert_eq(convert(f32, "\x3f\x00\x00\x00"), 0.5f);
}

Test(sound_format, floating_point_numbers_stay_in_range)
{
	SoundFormat f32 = { .bits = 32, .is_float = true };

	cr_assert_eq(convert(f32, "\x00\x00\x00\xbf"), -0.5f);
	cr_assert_eq(convert(f32, "\x00\x00\x80\x7f"), 1.0f);  /* infinity */
	cr_assert_eq(convert(f32, "\x00\x00\x80\xff"), -1.0f); /* minus infinity */
	cr_assert_eq(convert(f32, "\x00\x00\xc0\x7f"), 0.0f);  /* no number */
	cr_assert_eq(convert(f32, "\x00\x00\x80\x40"), 1.0f);  /* 4 */
}

Test(sound_format, the_volume_counts_for_each_channel)
{
	SoundFormat format = { .bits = 8, .is_signed = true, .channels = 2, .frequency = 8000 };
	SoundVolume volume = { .levels = { 0, 255 } };
	float samples[4];

	sound_convert(&format, &volume, "\x40\x40\x40\x40", 2, samples);
	cr_assert_eq(samples[0], 0.0f);
	cr_assert_eq(samples[1], 0.5f);
	cr_assert_eq(samples[2], 0.0f);
	cr_assert_eq(samples[3], 0.5f);
	volume.is_mute = true;
	sound_convert(&format, &volume, "\x40\x40\x40\x40", 2, samples);
	cr_assert_eq(samples[1], 0.0f);
}

Test(sound_format, other_formats_are_refused)
{
	static const SoundFormat formats[] = {
		{ .bits = 0, .channels = 2, .frequency = 48000 },
		{ .bits = 24, .channels = 2, .frequency = 48000 },
		{ .bits = 16, .is_float = true, .channels = 2, .frequency = 48000 },
		{ .bits = 64, .is_float = true, .channels = 2, .frequency = 48000 },
		{ .bits = 16, .channels = 0, .frequency = 48000 },
		{ .bits = 16, .channels = SOUND_CHANNELS + 1, .frequency = 48000 },
		{ .bits = 16, .channels = 2, .frequency = 0 },
		{ .bits = 16, .channels = 2, .frequency = UINT32_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		cr_assert_not(sound_format_is_valid(&formats[i]), "format %zu", i);
}

Test(sound_pace, an_empty_queue_begins_with_silence)
{
	SoundPace pace = sound_pace(48000, 0, 480);

	cr_assert_eq(pace.lead, 1920u); /* 40 ms */
	cr_assert_eq(pace.accepted, 480u);
	pace = sound_pace(48000, 1, 480);
	cr_assert_eq(pace.lead, 0u);
	cr_assert_eq(pace.accepted, 480u);
}

/* A guest that plays faster than the desktop makes the queue no longer than 200 ms. */
Test(sound_pace, the_queue_is_bounded)
{
	size_t queued = 0;

	for (int i = 0; i < 1000; i++) {
		SoundPace pace = sound_pace(48000, queued, 480);

		queued += pace.lead + pace.accepted;
		cr_assert_leq(queued, 9600u);
	}
	cr_assert_eq(queued, 9600u);
	cr_assert_eq(sound_pace(48000, 20000, 480).accepted, 0u);
	cr_assert_eq(sound_pace(48000, 0, 1000000).accepted, 7680u);
}

/* Closing the output waits for two buffers, and the guest chooses the frequency. */
Test(sound_pace, the_buffer_of_the_desktop_is_short)
{
	for (uint32_t frequency = 1000; frequency <= 384000; frequency += 500) {
		unsigned int frames = sound_buffer_frames(frequency);

		cr_assert_eq(frames & (frames - 1), 0u);
		cr_assert_geq(frames * 1000, 10 * frequency - 1000, "%u Hz", frequency);
		cr_assert_lt(frames * 1000, 20 * frequency, "%u Hz", frequency);
	}
	cr_assert_eq(sound_buffer_frames(48000), 512u);
}

/* A guest that changes its sound all the time must not stop the drawing. */
Test(sound_pace, the_output_is_opened_only_twice_a_second_for_long)
{
	SoundOpenings openings = { 0 };
	const int64_t start = 1000000;
	unsigned int count = 0;

	for (int64_t now = start; now < start + 10000; now++)
		count += sound_may_open(&openings, now);
	cr_assert_eq(count, SOUND_OPENINGS_AT_ONCE + 19u);
	cr_assert_not(sound_may_open(&openings, start + 9999));
	count = 0;
	for (int i = 0; i < 10; i++)
		count += sound_may_open(&openings, start + 100000);
	cr_assert_eq(count, (unsigned int)SOUND_OPENINGS_AT_ONCE);
}

/* Returns whether the bytes of a sample are the same after they were read and written. */
static bool survives(SoundFormat format, const char *bytes)
{
	float sample = convert(format, bytes);
	char written[4];

	format.channels = 1;
	sound_encode(&format, &full, &sample, 1, written);
	return memcmp(written, bytes, format.bits / 8) == 0;
}

Test(sound_format, samples_survive_both_conversions)
{
	for (unsigned int i = 0; i < 8; i++) {
		SoundFormat format = { .is_signed = i & 1, .is_big_endian = i >> 1 & 1 };

		format.bits = i >> 2 & 1 ? 16 : 8;
		cr_expect(survives(format, "\x00\x00\x00\x00"), "format %u", i);
		cr_expect(survives(format, "\x80\x01\x00\x00"), "format %u", i);
		cr_expect(survives(format, "\x12\xfe\x00\x00"), "format %u", i);
	}
	cr_expect(survives((SoundFormat){ .bits = 32, .is_signed = true }, "\x00\x00\x40\xc0"));
	cr_expect(survives((SoundFormat){ .bits = 32 }, "\x00\x00\x40\xc0"));
	cr_expect(survives((SoundFormat){ .bits = 32, .is_float = true }, "\x00\x00\x00\x3f"));
}

Test(sound_format, numbers_out_of_range_are_clipped_when_written)
{
	SoundFormat s16 = { .bits = 16, .is_signed = true, .channels = 4 };
	const float samples[] = { 1, 7, -7, NAN };
	char written[8];

	sound_encode(&s16, &full, samples, 1, written);
	cr_expect_arr_eq(written, "\xff\x7f\xff\x7f\x00\x80\x00\x00", 8);
}

Test(sound_format, a_muted_microphone_is_silent)
{
	SoundFormat u8 = { .bits = 8, .channels = 1 };
	SoundVolume mute;
	const float sample = 1;
	char written;

	sound_volume_set(&mute, true, NULL, 0);
	sound_encode(&u8, &mute, &sample, 1, &written);
	cr_expect_eq(written, (char)0x80);
}
