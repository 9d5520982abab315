/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_CANVAS_H
#define CLIENT_VAIL_VIEW_WINDOW_CANVAS_H

#include <SDL.h>
#include <stdbool.h>

#include "client/common/cursor-place.h"
#include "client/vail-view/framebuffer.h"
#include "client/vail-view/placement.h"

/*
 * Draws what a window shows: the picture, the guest's cursor on it, and a sentence over both. Only
 * canvas_draw() draws, and only if something has changed.
 */

/* An image on the graphics card. All zero if there is none. */
typedef struct Layer {
	SDL_Texture *texture;
	Size size;
	uint32_t format;   /* SDL_PixelFormatEnum */
	bool is_bottom_up; /* as the framebuffer, so it is shown upside down */
} Layer;

typedef struct Canvas {
	SDL_Renderer *renderer;
	Layer picture;
	Layer cursor;
	CursorPlace place; /* of the cursor */
	Layer text;        /* the sentence, drawn for text_columns */
	size_t text_columns;
	char *sentence; /* NULL for none */
	bool is_note;   /* the sentence is below, and otherwise over a dark picture */
	bool is_actual; /* one pixel of the picture is one of the window; otherwise scaled to fit */
	bool has_changed; /* since it was drawn */
	int text_factor;  /* pixels of the window for a pixel of the text */
} Canvas;

/* Returns false if the window cannot be drawn on; see SDL_GetError(). */
bool canvas_init(Canvas *canvas, SDL_Window *window);
void canvas_deinit(Canvas *canvas);

/*
 * Shows a frame.
 *
 * is_whole: all of it is new; otherwise only the fresh ranges of the framebuffer are.
 *
 * Returns false if it cannot be shown; see SDL_GetError().
 */
bool canvas_set_picture(Canvas *canvas, const Framebuffer *framebuffer, bool is_whole);
void canvas_remove_picture(Canvas *canvas);

/* The same for the cursor, and its place. */
bool canvas_set_cursor(Canvas *canvas, const Framebuffer *framebuffer, const CursorPlace *place);
void canvas_remove_cursor(Canvas *canvas);

/*
 * Shows the sentence, or none if it is NULL. Returns whether that is another than before.
 *
 * is_note: shows it at the lower edge; otherwise in the middle, and the picture gets dark.
 */
bool canvas_say(Canvas *canvas, const char *sentence, bool is_note);

/* Returns where the picture appears. */
Box canvas_picture_box(const Canvas *canvas);

/* Switches between the picture's own size and scaling. */
void canvas_set_actual(Canvas *canvas, bool is_actual);

/* Draws, if something has changed. */
void canvas_draw(Canvas *canvas);

/* Returns the size of the window in pixels. */
Size canvas_size(const Canvas *canvas);

#endif
