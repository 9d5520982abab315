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
	REQUESTED_SAVE,  /* a screenshot */
	REQUESTED_RETRY, /* to register again */
} WindowRequested;

/* Buffer size for the title. */
#define TITLE_SIZE 1024

typedef struct Window {
	SDL_Window *window;
	Canvas canvas;
	char *name;      /* the beginning of the title: the VM, and what of it is shown */
	Size given_size; /* that this program gave it last, in points of the desktop */
} Window;

/*
 * Opens the window. Returns false if there is no desktop or it has no room; see SDL_GetError(). The
 * caller calls window_close() in either case.
 */
bool window_open(Window *window, const char *name);

/* Frees the memory of the window, which stays on the desktop until the process ends. */
void window_close(Window *window);

/* Shows the name, the note unless that is NULL, and the keys in the title. */
void window_set_title(Window *window, const char *note);

/* Shows the sentence over the picture and in the title, or none if it is NULL. */
void window_say(Window *window, const char *sentence);

/*
 * Shows a frame, see canvas_set_picture(). Resizes the window to a picture of another size, unless
 * the user has resized it.
 */
bool window_set_picture(Window *window, const Framebuffer *framebuffer, bool is_whole);

/* Handles an event. Returns what the user asks for. */
WindowRequested window_handle(Window *window, const SDL_Event *event);

/* Draws the changes, unless nobody can see them. */
void window_draw(Window *window);

#endif
