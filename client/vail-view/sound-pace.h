/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_SOUND_PACE_H
#define CLIENT_VAIL_VIEW_SOUND_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bounds the sound that waits to be played. The guest sends it at its own pace. If the queue is
 * empty, some silence goes first, so that frames which arrive a little late leave no gap. Frames
 * that would make the queue longer than SOUND_LATENCY are dropped, so that the sound stays close to
 * the picture.
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

/*
 * Returns the size of the desktop's own buffer, about 10 ms, in frames. Closing the output waits
 * for two of them.
 */
unsigned int sound_buffer_frames(uint32_t frequency);

/*
 * Bounds how often the output is opened. The window does not draw while it opens or closes the
 * output, and the guest decides how often it starts and changes its sound. In milliseconds.
 */
#define SOUND_OPENINGS_AT_ONCE 4
#define SOUND_OPENING_INTERVAL 500

/* Zero-initialize it. */
typedef struct SoundOpenings {
	int64_t next; /* when the next opening would be due, if the guest opened all the time */
} SoundOpenings;

/* Tests whether the output may be opened now, and counts that as an opening if so. */
bool sound_may_open(SoundOpenings *openings, int64_t now);

#endif
