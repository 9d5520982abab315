/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CONSOLE_H
#define CLIENT_VAIL_QEMU_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/common/cursor-place.h"
#include "client/vail-qemu/agent.h"
#include "client/vail-qemu/redraw.h"
#include "client/vail-qemu/screen-buffers.h"
#include "client/vail-qemu/surface.h"

/*
 * One of QEMU's graphic consoles: its screen, "console N", and its cursor, "console N cursor", if
 * the guest has defined one. Does not use D-Bus itself. The functions validate all values that come
 * from QEMU.
 *
 * A screen is shared in the opaque form of its format, because a guest may leave anything in the
 * alpha of its screen. A cursor keeps its alpha.
 */
typedef struct Console {
	uint32_t number;
	Agent *agent;
	ScreenBuffers screen;
	Redraw redraw;               /* of the screen's current buffer, if it is QEMU's memory */
	bool is_known;               /* QEMU has shown or disabled the screen */
	bool is_off;                 /* QEMU has disabled the screen */
	unsigned int unseen_updates; /* since then */
	bool is_dmabuf;              /* QEMU has shown the screen last as a dma-buf */
	bool may_release;            /* QEMU may disable the former buffer, which it has replaced */
	bool may_be_on;              /* QEMU has disabled a dma-buf, and may show another one */
	bool drops_dmabufs;          /* QEMU has shown one without sending it */
	bool is_stale;               /* QEMU shows another screen; a new listener gets it */
	ScreenBuffers cursor;
	uint64_t cursors; /* number of times that the guest has defined a cursor */
	CursorPlace place;
} Console;

/* An image passed as bytes. */
typedef struct Pixels {
	uint32_t width;
	uint32_t height;
	uint32_t stride; /* in bytes */
	uint32_t format; /* pixman format */
	const uint8_t *data;
	size_t size;
} Pixels;

/* An image passed as memory, with one plane. */
typedef struct SharedPixels {
	int fd; /* fd; owned by the caller */
	uint32_t offset;
	uint32_t width;
	uint32_t height;
	uint32_t stride;
	uint32_t format; /* DRM fourcc; 0 if DRM has no name for QEMU's format */
	uint64_t modifier;
	bool is_bottom_up; /* the bottom row of the picture comes first in memory */
} SharedPixels;

/* The agent must outlive the console. */
void console_init(Console *console, uint32_t number, Agent *agent);
void console_deinit(Console *console);

/*
 * Shares this memory as the screen. Duplicates the fd. Memory that was shown recently is shown
 * again under the same handle.
 */
void console_show_memory(Console *console, const SharedPixels *pixels);

/*
 * The same for a dma-buf. If it replaces another screen, the next console_disable() without a
 * redraw before it is ignored. QEMU's virtio-gpu with blob=on shows the guest's next buffer, and
 * then releases the former one; its D-Bus display tells that like a screen that is off.
 */
void console_show_dmabuf(Console *console, const SharedPixels *pixels);

/* Replaces the content of the screen by a copy of the pixels. */
void console_show_pixels(Console *console, const Pixels *pixels);

/* Copies the pixels into the screen, with their top left corner at x and y. */
void console_copy_pixels(Console *console, int32_t x, int32_t y, const Pixels *pixels);

/*
 * Compares the copy with the size of QEMU's screen, and sets is_stale if they differ. QEMU may
 * change the mode without passing new pixels.
 */
void console_check_size(Console *console, uint32_t width, uint32_t height);

/*
 * Handles a redraw of a rectangle of the screen (x, y, width, height), counted from the top left
 * corner of the picture. Marks the pixels that differ as changed.
 */
void console_redraw(Console *console, const int32_t rectangle[static 4]);

/*
 * Hides the screen. QEMU 10 drops a dma-buf that it has not sent yet when it releases the former
 * one. So if it draws after it has disabled a dma-buf, the next redraw sets is_stale. From then on,
 * no console_disable() is ignored.
 */
void console_disable(Console *console);

/*
 * Tests whether QEMU has shown the screen or said that it is off, and does not draw on a screen
 * that is off. QEMU does so if it cannot export the screen. A few updates may be late.
 */
bool console_is_heard(const Console *console);

/*
 * Sets the image of the cursor. The pixels must be in pixman's a8r8g8b8, without gaps between rows.
 */
void console_define_cursor(Console *console, int32_t hot_x, int32_t hot_y, const Pixels *pixels);
void console_move_cursor(Console *console, int32_t x, int32_t y, bool is_visible);

#endif
