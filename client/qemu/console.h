/* SPDX-License-Identifier: MIT */
#ifndef QEMU_CONSOLE_H
#define QEMU_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent.h"
#include "surface.h"

/*
 * What stands behind the image in the memory of a cursor, from the first byte after its last row:
 * where on the screen it is. Host byte order.
 */
typedef struct CursorPlace {
	int32_t x; /* of the left upper corner, in pixels of the screen */
	int32_t y;
	int32_t is_visible;
	int32_t hot_x; /* the hot spot, in pixels of the cursor */
	int32_t hot_y;
} CursorPlace;

/*
 * One of QEMU's graphic consoles: its screen, "console N", and once the guest has defined one its
 * cursor, "console N cursor". Knows no D-Bus: what QEMU says comes as plain values, which are
 * looked at here before they are believed.
 */
typedef struct Console {
	uint32_t number;
	Agent *agent;
	Surface screen;
	Surface cursor;
	struct vail_memory *copy; /* of the screen, where QEMU passes bytes; NULL where memory */
	bool is_stale;            /* the copy is of another mode than QEMU's screen: ask anew */
	struct vail_memory *cursor_memory;
	CursorPlace place;
} Console;

/* Pixels that came by value. */
typedef struct Pixels {
	uint32_t width;
	uint32_t height;
	uint32_t stride; /* in bytes */
	uint32_t format; /* pixman's */
	const uint8_t *data;
	size_t size;
} Pixels;

/* Memory that came as a descriptor: one plane. */
typedef struct SharedPixels {
	int descriptor; /* stays the caller's */
	uint32_t offset;
	uint32_t width;
	uint32_t height;
	uint32_t stride;
	uint32_t format; /* DRM's; 0: one that it does not know */
	uint64_t modifier;
} SharedPixels;

void console_init(Console *console, uint32_t number, Agent *agent);
void console_deinit(Console *console);

/* The screen is in this memory from now on. */
void console_show_memory(Console *console, const SharedPixels *pixels);

/* The screen is this. It is copied. */
void console_show_pixels(Console *console, const Pixels *pixels);

/* A part of the screen, with its left upper corner at x and y, is this from now on. It is copied.
 */
void console_copy_pixels(Console *console, int32_t x, int32_t y, const Pixels *pixels);

/* QEMU's screen has this size now. It does not always say so with the bytes. */
void console_check_size(Console *console, uint32_t width, uint32_t height);

/* Something has been drawn into the screen's memory: x, y, width, height. */
void console_damage(Console *console, const int32_t rectangle[static 4]);

/* There is nothing to be seen. */
void console_disable(Console *console);

/* The cursor looks like this; pixman's a8r8g8b8, without gaps between rows. */
void console_define_cursor(Console *console, int32_t hot_x, int32_t hot_y, const Pixels *pixels);
void console_move_cursor(Console *console, int32_t x, int32_t y, bool is_visible);

#endif
