/* SPDX-License-Identifier: MIT */
#ifndef VIEW_SCREEN_H
#define VIEW_SCREEN_H

#include <stdbool.h>

#include "framebuffer.h"
#include "vail.h"

/* One shared object that is open, and what was last read of it. All zero: none is open. */
typedef struct Screen {
	struct vail_object *object;
	Framebuffer framebuffer;
} Screen;

/* Room for a sentence of what is in the way. */
#define SCREEN_MESSAGE_SIZE 256

/*
 * Opens the object. Returns STATUS_SUCCESS, and otherwise nothing is open: STATUS_NOT_SUPPORTED,
 * with a sentence, for what cannot be shown, or else as vail_open_object().
 */
NTSTATUS screen_open(Screen *screen, struct vail *vail, const char *handle,
		     char ret_message[SCREEN_MESSAGE_SIZE]);

/* Closes it, where one is open, and tells vaild; the framebuffer is empty then. */
void screen_close(Screen *screen, struct vail *vail);

/* Whether it is this object that is open. */
bool screen_has(const Screen *screen, const char *handle);

/* Whether something is to be read. */
bool screen_is_damaged(const Screen *screen);

/* Reads what is damaged. Returns false, with a sentence, when it cannot be read; then it is damaged
 * as before. */
bool screen_read(Screen *screen, char ret_message[SCREEN_MESSAGE_SIZE]);

#endif
