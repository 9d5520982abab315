/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CHANNEL_SOUND_H
#define CLIENT_VAIL_QEMU_CHANNEL_SOUND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "client/vail-qemu/channel-bus.h"

struct SoundOutput;
struct SoundStream;

/*
 * A viewer's listener for sound. A viewer that is slow to reply misses sound, and delays nobody.
 */
typedef struct ChannelSound {
	struct SoundOutput *output;
	ChannelBus bus;
	bool is_told;           /* of the streams that exist */
	bool is_lost;           /* the connection has ended */
	bool is_slow;           /* the viewer has not replied for CHANNEL_SOUND_LIMIT */
	unsigned int unreplied; /* number of calls to which it has still to reply */
	int64_t replied_at;     /* when it last did, or had nothing to reply to; milliseconds */
	TAILQ_ENTRY(ChannelSound) entries;
} ChannelSound;

typedef TAILQ_HEAD(ChannelSounds, ChannelSound) ChannelSounds;

/*
 * Starts a listener on a socket of the viewer, and adds it to the output. Takes ownership of the
 * socket, also on failure. Returns NULL on failure.
 */
ChannelSound *channel_sound_new(int socket, struct SoundOutput *output);
void channel_sound_free(ChannelSound *sound);

/* Handles replies, and sets is_lost and is_slow. */
void channel_sound_process(ChannelSound *sound);

/* Returns the milliseconds until channel_sound_process() must be called, or -1. */
int channel_sound_timeout(const ChannelSound *sound);

/* ---- For sound-output.c ---- */

void channel_sound_tell_stream(ChannelSound *sound, const struct SoundStream *stream);
void channel_sound_tell_end(ChannelSound *sound, uint64_t id);
void channel_sound_tell_enabled(ChannelSound *sound, const struct SoundStream *stream);
void channel_sound_tell_volume(ChannelSound *sound, const struct SoundStream *stream);

/* Passes sound on, unless the viewer has too much of it already. */
void channel_sound_write(ChannelSound *sound, uint64_t id, const void *data, size_t size);

#endif
