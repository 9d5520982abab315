/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_SOUND_OUTPUT_H
#define CLIENT_VAIL_QEMU_SOUND_OUTPUT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "client/vail-qemu/channel-sound.h"
#include "client/vail-qemu/display.h"

/*
 * The sound that a guest plays. QEMU accepts one listener of a peer, which is vail-qemu. It passes
 * the sound on to the listeners of any number of viewers.
 */

/* The number of streams that QEMU may have at a time, and of channels in the volume of one. */
#define SOUND_STREAMS_MAX  16
#define SOUND_CHANNELS_MAX 16

/* The most bytes of sound in one message. By default, QEMU sends 10 ms at a time. */
#define SOUND_DATA_MAX (1u << 20)

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

typedef struct SoundOutput {
	const Display *display;
	SoundState state;
	bool has_logged;    /* that QEMU refuses */
	sd_bus *bus;        /* on which QEMU calls the listener; NULL without one */
	sd_bus_slot *reply; /* the reply that is awaited */
	SoundStream streams[SOUND_STREAMS_MAX];
	size_t stream_count;
	ChannelSounds viewers;
} SoundOutput;

/* The display must outlive the output. */
void sound_output_init(SoundOutput *output, const Display *display);

/* All viewers must have been removed. */
void sound_output_deinit(SoundOutput *output);

/*
 * Has QEMU asked to accept a listener, unless it has one. Ask for the display's properties before,
 * because a QEMU that is too old is not asked.
 */
void sound_output_join(SoundOutput *output);

/* Tests whether QEMU has replied, if it was asked. */
bool sound_output_is_settled(const SoundOutput *output);

/* Fills in what to poll for before sound_output_process(). Returns the timeout, or -1. */
int sound_output_poll_for(const SoundOutput *output, struct pollfd *ret);

/* Handles messages of QEMU, and passes them on. */
void sound_output_process(SoundOutput *output);

#endif
