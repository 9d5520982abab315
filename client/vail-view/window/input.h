/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_INPUT_H
#define CLIENT_VAIL_VIEW_WINDOW_INPUT_H

#include <SDL.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/vail-view/guest-size.h"
#include "client/vail-view/keyboard.h"
#include "client/vail-view/rights-text.h"
#include "client/vail-view/viewer.h"
#include "client/vail-view/window/guest-channel.h"
#include "client/vail-view/window/window.h"

/*
 * The input of the window: passes keys, the pointer and the window's size to the guest, or says why
 * it cannot. All times are in milliseconds.
 */

/* Buffer size for the sentence that says why the guest gets no input. */
#define INPUT_SENTENCE_SIZE (CHANNEL_REASON_SIZE + RIGHTS_ADVICE_SIZE + 128)

typedef struct Input {
	GuestChannel channel;
	Keyboard keyboard;
	Window *window;
	const char *machine; /* the VM, as typed */

	uint16_t buttons; /* one bit for each GuestButton that the guest has as down */
	uint16_t stale;   /* those of it that were down when the focus was lost */
	bool has_position;
	Point position;   /* of the pointer, to be sent */
	int64_t motion_x; /* of the pointer, to be sent */
	int64_t motion_y;
	bool is_grabbed;
	bool is_cursor_hidden;

	GuestSize size;
	bool was_ready;     /* when the input was processed last */
	int64_t said_until; /* the window says why there is no input; 0 if it does not */
} Input;

/*
 * Does not open a channel yet.
 *
 * path: of vaild's socket, see vail_new().
 * guid, machine: of the VM, and as the user has typed it; must outlive the input.
 * wanted: the rights that the window has a use for on the same channel, beside input.
 */
void input_init(Input *input, Window *window, const char *path, const char *guid,
		const char *machine, unsigned int wanted);
void input_deinit(Input *input);

/* Handles an event. Returns what the user asks for. */
WindowRequested input_handle(Input *input, const SDL_Event *event);

/* Grabs the pointer and the keyboard for the guest, or releases them. */
void input_toggle_grab(Input *input);

/* Handles the channel and the deadlines. Call it before the window is drawn. */
void input_process(Input *input, const Viewer *viewer);

/* Returns the sentence to show over the picture, or NULL. */
const char *input_sentence(const Input *input, char buffer[INPUT_SENTENCE_SIZE]);

/* Fills in the fds to poll. Returns when input_process() must be called without them. */
int64_t input_poll_for(const Input *input, const Viewer *viewer,
		       struct pollfd ret_fds[GUEST_CHANNEL_FDS]);

#endif
