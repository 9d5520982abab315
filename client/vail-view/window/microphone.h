/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_MICROPHONE_H
#define CLIENT_VAIL_VIEW_WINDOW_MICROPHONE_H

#include <SDL.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/vail-view/notice.h"
#include "client/vail-view/sound-pace.h"
#include "client/vail-view/window/audio-streams.h"
#include "client/vail-view/window/microphone-device.h"
#include "client/vail-view/window/sound-listener.h"

/*
 * The microphone of the user, for the guest. It needs the option and the right of the channel.
 * The agent reads through org.qemu.Display1.AudioInListener on a connection of its own, which ends
 * with the channel. Nothing is recorded while the guest does not read.
 */

typedef struct Microphone {
	SoundListener listener;
	Notice *notice;
	bool has_said; /* that nothing can be recorded */
	MicrophoneDevice device;
	uint64_t reader;        /* id of the stream that the device is open for */
	SoundOpenings openings; /* of the device */
	AudioStreams streams;
} Microphone;

/*
 * channel, notice: must outlive the microphone.
 * is_wanted: otherwise, nothing is recorded.
 */
void microphone_init(Microphone *microphone, GuestChannel *channel, Notice *notice, bool is_wanted);
void microphone_deinit(Microphone *microphone);

/* Tests whether the desktop's microphone is on. */
bool microphone_is_on(const Microphone *microphone);

/* Handles an event. */
void microphone_handle(Microphone *microphone, const SDL_Event *event);

/* Begins and ends with the channel, and handles messages. Call it after the channel's. */
void microphone_process(Microphone *microphone, int64_t now);

/* Fills in what to poll for. Returns when microphone_process() must be called without that. */
int64_t microphone_poll_for(const Microphone *microphone, struct pollfd *ret_fd);

#endif
