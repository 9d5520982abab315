/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_SOUND_H
#define CLIENT_VAIL_VIEW_WINDOW_SOUND_H

#include <SDL.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/vail-view/notice.h"
#include "client/vail-view/sound-pace.h"
#include "client/vail-view/window/audio-streams.h"
#include "client/vail-view/window/sound-listener.h"

/*
 * Plays the sound of the guest, as far as the display channel has the right to it. The agent calls
 * org.qemu.Display1.AudioOutListener on a connection of its own, which ends with the channel.
 */

typedef struct Sound {
	SoundListener listener;
	Notice *notice;
	bool has_said;          /* that sound cannot be played */
	SoundOpenings openings; /* of all streams */
	AudioStreams streams;
} Sound;

/*
 * channel, notice: must outlive the sound.
 * is_wanted: otherwise, nothing is played.
 */
void sound_init(Sound *sound, GuestChannel *channel, Notice *notice, bool is_wanted);
void sound_deinit(Sound *sound);

/* Handles an event. */
void sound_handle(Sound *sound, const SDL_Event *event);

/* Begins and ends with the channel, and handles messages. Call it after the channel's. */
void sound_process(Sound *sound, int64_t now);

/* Fills in what to poll for. Returns when sound_process() must be called without that. */
int64_t sound_poll_for(const Sound *sound, struct pollfd *ret_fd);

#endif
