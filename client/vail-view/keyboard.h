/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_KEYBOARD_H
#define CLIENT_VAIL_VIEW_KEYBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decides which keys of the window reach the guest. Ctrl and Alt together with a shortcut of the
 * window do not. So a press of Ctrl or Alt is withheld until it is known what follows:
 *
 * - another key that is no shortcut, or a click: the guest gets the presses first;
 * - a shortcut: the guest gets neither the presses nor the releases;
 * - the release: the guest gets both;
 * - nothing: a single Ctrl or Alt reaches the guest after KEYBOARD_WITHHELD.
 *
 * Keys have QEMU's numbers, see window/key-codes.h. This module does no I/O.
 */

/* Time for which a single Ctrl or Alt is withheld, in milliseconds. */
#define KEYBOARD_WITHHELD 300

/* No time for keyboard_deadline(). */
#define KEYBOARD_NEVER INT64_MAX

/* Left and right Ctrl and Alt. */
#define KEYBOARD_MODIFIERS 4

typedef struct Keyboard {
	void (*send)(void *context, uint8_t code, bool is_down);
	void *context;
	uint8_t held[256 / 8];                /* one bit for each key that the guest has as down */
	uint8_t withheld[KEYBOARD_MODIFIERS]; /* that are down, in the order of their presses */
	size_t withheld_count;
	bool is_used;       /* a shortcut has used the withheld keys */
	bool is_forwarding; /* the next shortcut is for the guest */
	int64_t flush_at;   /* when the withheld keys reach the guest, or KEYBOARD_NEVER */
} Keyboard;

/* send: receives what the guest gets. */
void keyboard_init(Keyboard *keyboard, void (*send)(void *context, uint8_t code, bool is_down),
		   void *context);

/*
 * Handles a press. Returns true if it is a shortcut of the window, which the caller then executes.
 *
 * is_letter: the key is a shortcut of the window if Ctrl and Alt are down.
 * now: in milliseconds.
 */
bool keyboard_press(Keyboard *keyboard, uint8_t code, bool is_letter, int64_t now);

/* Tests whether the key, like Shift, only changes the meaning of others. */
bool keyboard_is_modifier(uint8_t code);

/* Handles a press that the desktop repeats because the key stays down. */
void keyboard_repeat(Keyboard *keyboard, uint8_t code);

void keyboard_release(Keyboard *keyboard, uint8_t code);

/* Sends the withheld keys, before a click. */
void keyboard_flush(Keyboard *keyboard);

/* Passes the next combination of keys to the guest, whatever it is. */
void keyboard_forward_next(Keyboard *keyboard);

/* Releases all keys in the guest, because the window has lost the keyboard. */
void keyboard_release_all(Keyboard *keyboard);

/* Returns when keyboard_pass_time() has something to do, in milliseconds, or KEYBOARD_NEVER. */
int64_t keyboard_deadline(const Keyboard *keyboard);
void keyboard_pass_time(Keyboard *keyboard, int64_t now);

#endif
