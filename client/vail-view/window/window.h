/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_WINDOW_H
#define CLIENT_VAIL_VIEW_WINDOW_WINDOW_H

#include <SDL.h>
#include <stdbool.h>

#include "client/vail-view/window/canvas.h"

/* The window: its size, title, full screen and keys. */

/* Names what the user asks for with a key, or with the window's close button. */
typedef enum WindowRequested {
	REQUESTED_NOTHING,
	REQUESTED_CLOSE,
	REQUESTED_SAVE,    /* a screenshot */
	REQUESTED_RETRY,   /* to register again */
	REQUESTED_GRAB,    /* the pointer and the keyboard, or to release them */
	REQUESTED_FORWARD, /* to pass the next combination of keys to the guest */
} WindowRequested;

/* Buffer size for the title. */
#define TITLE_SIZE 1024

typedef struct Window {
	SDL_Window *window;
	Canvas canvas;
	char *name;            /* the beginning of the title: the VM, and what of it is shown */
	const char *status;    /* of the input, for the title; static; NULL for none */
	bool is_recording;     /* the microphone is on, as the title says */
	char note[TITLE_SIZE]; /* the last note in the title; "" for none */
	Size given_size;       /* that this program gave it last, in points of the desktop */
} Window;

/*
 * Opens the window. Returns false if there is no desktop or it has no room; see SDL_GetError(). The
 * caller calls window_close() in either case.
 */
bool window_open(Window *window, const char *name);

/* Frees the memory of the window, which stays on the desktop until the process ends. */
void window_close(Window *window);

/* Shows the name, the status, the note unless that is NULL, and the keys in the title. */
void window_set_title(Window *window, const char *note);

/* Changes the status in the title. It must be static; NULL for none. */
void window_set_status(Window *window, const char *status);

/* Says in the title whether the microphone is on. */
void window_set_recording(Window *window, bool is_recording);

/* Shows the sentence in the window, see canvas_say(), and in the title; none if it is NULL. */
void window_say(Window *window, const char *sentence, bool is_note);

/*
 * Shows a frame, see canvas_set_picture(). Resizes the window to a picture of another size, unless
 * the user has resized it.
 */
bool window_set_picture(Window *window, const Framebuffer *framebuffer, bool is_whole);

/* Tests whether the size is the user's choice. Returns it in pixels. */
bool window_user_size(const Window *window, Size *ret_size);

/*
 * Converts a point of the window, in points of the desktop, to the nearest pixel of the picture.
 * Returns false if there is no picture.
 */
bool window_picture_point(const Window *window, int32_t x, int32_t y, Point *ret_point);

/* Handles an event other than keys and the pointer. Returns what the user asks for. */
WindowRequested window_handle(Window *window, const SDL_Event *event);

/* Tests whether the key is a shortcut of the window together with Ctrl and Alt. */
bool window_has_shortcut(const SDL_Keysym *key);

/* Executes a shortcut. Returns what the user asks for with it. */
WindowRequested window_obey(Window *window, const SDL_Keysym *key);

/* Draws the changes, unless nobody can see them. */
void window_draw(Window *window);

#endif
