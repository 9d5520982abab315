/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_SOUND_PACE_H
#define CLIENT_VAIL_VIEW_SOUND_PACE_H

#include <stddef.h>
#include <stdint.h>

/*
 * How much sound waits to be played. The guest sends it at its own pace. If the queue is empty,
 * some silence goes first, so that frames which arrive a little late leave no gap. Frames that
 * would make the queue longer than SOUND_LATENCY are dropped, so that the sound stays close to the
 * picture.
 */

/* In milliseconds. */
#define SOUND_LEAD    40
#define SOUND_LATENCY 200

typedef struct SoundPace {
	size_t lead;     /* frames of silence to queue first */
	size_t accepted; /* frames of the guest to queue; the rest is dropped */
} SoundPace;

/* frequency: frames a second. queued, arrived: in frames. */
SoundPace sound_pace(uint32_t frequency, size_t queued, size_t arrived);

#endif
