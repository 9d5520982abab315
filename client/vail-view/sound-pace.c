/* SPDX-License-Identifier: MIT */
#include "client/vail-view/sound-pace.h"

static size_t frames_of(uint32_t frequency, unsigned int milliseconds)
{
	return (size_t)((uint64_t)frequency * milliseconds / 1000);
}

/* Time that the desktop's own buffer lasts at least, in milliseconds. */
#define BUFFER 10

SoundPace sound_pace(uint32_t frequency, size_t queued, size_t arrived)
{
	size_t lead = queued == 0 ? frames_of(frequency, SOUND_LEAD) : 0;
	size_t limit = frames_of(frequency, SOUND_LATENCY);
	size_t room = queued + lead < limit ? limit - queued - lead : 0;

	return (SoundPace){ .lead = lead, .accepted = arrived < room ? arrived : room };
}

unsigned int sound_buffer_frames(uint32_t frequency)
{
	unsigned int frames = 1; /* the desktop wants a power of two */

	while (frames < frames_of(frequency, BUFFER))
		frames *= 2;
	return frames;
}

bool sound_may_open(SoundOpenings *openings, int64_t now)
{
	const int64_t saved = (SOUND_OPENINGS_AT_ONCE - 1) * SOUND_OPENING_INTERVAL;
	int64_t due = openings->next > now - saved ? openings->next : now - saved;

	if (due > now)
		return false;
	openings->next = due + SOUND_OPENING_INTERVAL;
	return true;
}
