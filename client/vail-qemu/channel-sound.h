/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CHANNEL_SOUND_H
#define CLIENT_VAIL_QEMU_CHANNEL_SOUND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "client/common/channel-bus.h"
#include "proto/buffer.h"

struct GuestSound;
struct SoundStream;

/*
 * A viewer's listener for one direction: played or recorded sound. A slow viewer misses sound and
 * delays nobody.
 */
typedef struct ChannelSound {
	struct GuestSound *guest;
	const ChannelBus *channel; /* on which the listener was registered */
	ChannelBus bus;
	bool is_told;           /* of the streams that exist */
	bool is_lost;           /* the connection has ended */
	bool is_slow;           /* the viewer has not replied for CHANNEL_SOUND_LIMIT */
	unsigned int unreplied; /* number of calls to which it has still to reply */
	int64_t replied_at;     /* when it last did, or had nothing to reply to; milliseconds */

	/* The microphone. The viewer is asked for sound only while the guest reads. */
	uint64_t recorded;   /* id of the stream that records */
	Buffer record;       /* sound of the viewer that the guest has not read */
	size_t record_max;   /* bytes that may wait there; 0 before the record begins */
	size_t record_frame; /* bytes of a frame */
	bool is_reading;     /* a reply is awaited */
	bool is_stale;       /* that reply belongs to a former record */
	TAILQ_ENTRY(ChannelSound) entries;
} ChannelSound;

typedef TAILQ_HEAD(ChannelSounds, ChannelSound) ChannelSounds;

/*
 * Starts a listener on a socket of the viewer, and adds it to the guest's sound. The channel must
 * outlive it. No sound passes after the channel was shut down. Takes ownership of the socket, also
 * on failure. Returns NULL on failure.
 */
ChannelSound *channel_sound_new(int socket, struct GuestSound *guest, const ChannelBus *channel);
void channel_sound_free(ChannelSound *sound);

/* Handles replies, and sets is_lost and is_slow. */
void channel_sound_process(ChannelSound *sound);

/* Returns the milliseconds until channel_sound_process() must be called, or -1. */
int channel_sound_timeout(const ChannelSound *sound);

/* ---- For guest-sound.c ---- */

void channel_sound_tell_stream(ChannelSound *sound, const struct SoundStream *stream);
void channel_sound_tell_end(ChannelSound *sound, uint64_t id);
void channel_sound_tell_enabled(ChannelSound *sound, const struct SoundStream *stream);
void channel_sound_tell_volume(ChannelSound *sound, const struct SoundStream *stream);

/* Passes sound on, unless the viewer has too much of it already. */
void channel_sound_write(ChannelSound *sound, uint64_t id, const void *data, size_t size);

/*
 * Writes at most size bytes of the viewer's microphone, and asks the viewer for the next ones.
 * Returns their number. Only one stream records at a time.
 */
size_t channel_sound_record(ChannelSound *sound, const struct SoundStream *stream, void *ret_data,
			    size_t size);

#endif
