/* SPDX-License-Identifier: MIT */
#include "client/vail-view/sound-pace.h"

static size_t frames_of(uint32_t frequency, unsigned int milliseconds)
{
	return (size_t)((uint64_t)frequency * milliseconds / 1000);
}

SoundPace sound_pace(uint32_t frequency, size_t queued, size_t arrived)
{
	size_t lead = queued == 0 ? frames_of(frequency, SOUND_LEAD) : 0;
	size_t limit = frames_of(frequency, SOUND_LATENCY);
	size_t room = queued + lead < limit ? limit - queued - lead : 0;

	return (SoundPace){ .lead = lead, .accepted = arrived < room ? arrived : room };
}
