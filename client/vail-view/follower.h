/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_FOLLOWER_H
#define CLIENT_VAIL_VIEW_FOLLOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "client/common/object-image.h"
#include "client/vail-view/screen.h"
#include <vail.h>

/*
 * Follows the objects that a VM shares under one name, and shows the one that was shared or updated
 * last. A guest with several buffers shares each of them under the same name.
 */

/*
 * Objects that are open at the same time. A guest that flips between buffers shares each of them,
 * and opening one for each frame would fill the journal with audit records.
 */
#define SCREENS_MAX 4

/* The most bytes of all copies of pixels together, so that a sharer cannot fill the memory. */
#define PICTURE_BYTES_MAX ((size_t)OBJECT_IMAGE_SIZE_MAX)
#define CURSOR_BYTES_MAX  ((size_t)4 << 20)

/* Number of different remarks that are logged, because a sharer decides about them. */
#define REMARKS_MAX 50

/* The name of a cursor is that of its picture, and this. */
#define CURSOR_NAME_END " cursor"

typedef struct Follower {
	struct vail *vail;                /* for calls; not owned */
	char *name;                       /* of the objects; NULL until it is known */
	char wanted[VAIL_HANDLE_SIZE];    /* handle of the current object of the name; "" if none */
	double wanted_at;                 /* when that was shared or updated last */
	size_t bytes_max;                 /* PICTURE_BYTES_MAX or CURSOR_BYTES_MAX */
	char remark[SCREEN_MESSAGE_SIZE]; /* the last remark, which is not repeated */
	unsigned int remarks;             /* number of remarks so far */
	Screen screens[SCREENS_MAX];      /* that are open, in no order */
	Screen *screen;                   /* the one that is shown; NULL if there is none */
	bool has_switched;                /* it was not shown before, and is a new frame */
	bool has_shown;                   /* an object of the name was open */
	bool is_whole;                    /* the last frame has replaced all pixels */
	uint64_t switches;                /* number of times that another screen was shown */
} Follower;

/* Closes all objects, before the caller closes the handle. */
void follower_deinit(Follower *follower);

/*
 * Handles VAIL_EVENT_SHARED: wants the object if it has the name, and no object of the name was
 * shared or updated later. Without a name, the first object that can be shown and is no cursor
 * sets it.
 */
void follower_handle_shared(Follower *follower, const VailSharedObject *shared);

/* The same for an object that was listed. If it is open, it is not read again. */
void follower_handle_listed(Follower *follower, const VailSharedObject *shared);

/* Handles VAIL_EVENT_UPDATED. */
void follower_handle_update(Follower *follower, const VailEvent *event);

/*
 * Handles VAIL_EVENT_UNSHARED. Returns true if the object was the wanted one. Then the caller lists
 * the objects, because another of the name may have been shared before: while a VM is handed over,
 * both of its VMMs share their screens.
 */
bool follower_handle_unshared(Follower *follower, const char *handle);

/* Handles the loss of the connection. The picture stays until a watch reports the objects again. */
void follower_handle_loss(Follower *follower);

/*
 * Closes hidden objects until the copies of pixels have at most bytes_max together, first those
 * that were shown longest ago. Keeps the screen that was opened last.
 */
void follower_close_surplus(Follower *follower, const Screen *opened);

/* Closes all objects that are not shown. */
void follower_close_hidden(Follower *follower);

/*
 * Shows the wanted object, or nothing without one. Returns STATUS_SUCCESS, or the failure of
 * vail_open_object() if no event will report it.
 */
NTSTATUS follower_switch(Follower *follower);

/* Reads the stale pixels. Returns true if the screen has a new frame. */
bool follower_read(Follower *follower);

#endif
