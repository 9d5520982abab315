/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_GUEST_SOUND_H
#define CLIENT_VAIL_QEMU_GUEST_SOUND_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "client/vail-qemu/channel-sound.h"
#include "client/vail-qemu/display.h"

/*
 * The sound that a guest plays, or the sound that it records. QEMU accepts one listener of a peer
 * for each of the two, which is vail-qemu. It passes played sound on to the listeners of any number
 * of viewers. It takes the recorded sound from the listener that came last.
 *
 * QEMU waits for the reply when it reads recorded sound. So vail-qemu replies at once, with what it
 * has, and then with silence.
 */

/* The number of streams that QEMU may have at a time, and of channels in the volume of one. */
#define SOUND_STREAMS_MAX  16
#define SOUND_CHANNELS_MAX 16

/* The most bytes of sound in one message. By default, QEMU sends 10 ms at a time. */
#define SOUND_DATA_MAX (1u << 20)

/* The most bytes of recorded sound in one message, so that it fits into CHANNEL_MESSAGE_MAX. */
#define SOUND_READ_MAX 64512u

typedef enum SoundDirection {
	SOUND_PLAYED,
	SOUND_RECORDED,
	SOUND_DIRECTIONS, /* the number of the others */
} SoundDirection;

/* A stream as QEMU has described it, for viewers that come later. */
typedef struct SoundStream {
	uint64_t id;
	uint8_t bits;
	int is_signed;
	int is_float;
	uint32_t frequency;
	uint8_t channels;
	uint32_t bytes_per_frame;
	uint32_t bytes_per_second;
	int is_big_endian;
	int is_enabled;
	bool has_volume;
	int is_mute;
	uint8_t volume[SOUND_CHANNELS_MAX];
	size_t volume_count;
} SoundStream;

typedef enum SoundState {
	SOUND_APART,   /* QEMU was not asked, or has refused, or has closed the connection */
	SOUND_WANTED,  /* QEMU will be asked when its properties are known */
	SOUND_JOINING, /* QEMU has not replied */
	SOUND_JOINED,
} SoundState;

typedef struct GuestSound {
	SoundDirection direction;
	const Display *display;
	SoundState state;
	bool is_asked_for;  /* a viewer with the right has come */
	bool has_logged;    /* that QEMU refuses */
	sd_bus *bus;        /* on which QEMU calls the listener; NULL without one */
	sd_bus_slot *reply; /* the reply that is awaited */
	SoundStream streams[SOUND_STREAMS_MAX];
	size_t stream_count;
	ChannelSounds viewers;
} GuestSound;

/* The display must outlive the sound. */
void guest_sound_init(GuestSound *sound, const Display *display, SoundDirection direction);

/* All viewers must have been removed. */
void guest_sound_deinit(GuestSound *sound);

/* Returns the stream, or NULL. */
SoundStream *guest_sound_stream(GuestSound *sound, uint64_t id);

/*
 * Has QEMU asked to accept a listener, unless it has one. Ask for the display's properties before,
 * because a QEMU that is too old is not asked.
 */
void guest_sound_join(GuestSound *sound);

/*
 * The same before a viewer with the right comes. A refusal is not logged, because many VMs have no
 * sound. Until QEMU has a listener for recorded sound, it gives the guest memory that it has not
 * cleared (seen with QEMU 10.0).
 */
void guest_sound_join_early(GuestSound *sound);

/* Tests whether QEMU has replied, if it was asked. */
bool guest_sound_is_settled(const GuestSound *sound);

/* Fills in what to poll for before guest_sound_process(). Returns the timeout, or -1. */
int guest_sound_poll_for(const GuestSound *sound, struct pollfd *ret);

/* Handles messages of QEMU, and passes them on. */
void guest_sound_process(GuestSound *sound);

#endif
