/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_SCREEN_H
#define CLIENT_VAIL_VIEW_SCREEN_H

#include <stdbool.h>

#include "client/common/cursor-place.h"
#include "client/vail-view/framebuffer.h"
#include <vail.h>

/* An open shared object and the copy of its pixels. All zero if no object is open. */
typedef struct Screen {
	struct vail_object *object;
	Framebuffer framebuffer;
	bool has_ended;      /* the object may be unshared; the picture stays until the next one */
	uint64_t last_shown; /* a number that is larger for screens that were shown later */
} Screen;

/* Buffer size for the messages below. */
#define SCREEN_MESSAGE_SIZE 256

/*
 * Opens the object. Returns STATUS_SUCCESS; STATUS_NOT_SUPPORTED, with the reason in ret_message,
 * if the object cannot be shown; otherwise as vail_open_object(). On failure, no object is open.
 *
 * bytes_max: the most bytes of the copy of its pixels.
 */
NTSTATUS screen_open(Screen *screen, struct vail *vail, const char *handle, size_t bytes_max,
		     char ret_message[SCREEN_MESSAGE_SIZE]);

/* Closes the object, if one is open, reports that to vaild, and frees the framebuffer. */
void screen_close(Screen *screen, struct vail *vail);

/* Tests whether this object is open. */
bool screen_has(const Screen *screen, const char *handle);

/* Tests whether pixels must be read again. */
bool screen_is_stale(const Screen *screen);

/*
 * Waits for the object's fence and reads the stale pixels. Returns false on failure, with the
 * reason in ret_message; the pixels are then still stale.
 */
bool screen_read(Screen *screen, char ret_message[SCREEN_MESSAGE_SIZE]);

/* Reads the place of a cursor. Returns false if none follows the image. */
bool screen_read_cursor_place(Screen *screen, CursorPlace *ret_place);

#endif
