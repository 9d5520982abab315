/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_VIEWER_H
#define CLIENT_VAIL_VIEW_VIEWER_H

#include <stdbool.h>
#include <stdint.h>

#include "client/vail-view/pictures.h"
#include "client/vail-view/screen.h"
#include <vail.h>

/*
 * Registers this process for a VM and shows the object that the VM has shared or updated last under
 * one name. A guest with several buffers shares each of them under the same name.
 * Reconnects if the connection to vaild is lost.
 */

/*
 * Objects that are open at the same time. A guest that flips between buffers shares each of them,
 * and opening one for each frame would fill the journal with audit records.
 */
#define SCREENS_MAX 4

typedef enum ViewerState {
	VIEWER_WATCHING,
	VIEWER_RECONNECTING, /* vaild is unreachable, or does not know the VM yet; see retry_at */
	VIEWER_ENDED,        /* the VM has ended */
	VIEWER_FAILED,       /* for good; the reason was logged */
} ViewerState;

typedef struct Viewer {
	const char *guid;
	char *name;         /* of the objects to show; NULL until the first one is known */
	Pictures pictures;  /* all that are shared */
	bool has_shown;     /* an object of the name was open */
	bool is_current;    /* the watch has reported all of them */
	struct vail *vail;  /* for calls */
	struct vail *watch; /* for events; NULL before the first watch */
	ViewerState state;
	bool was_registered;              /* registered once, so a lost connection is retried */
	char context[VAIL_HANDLE_SIZE];   /* that it has created in vaild; "" if none */
	int64_t retry_at;                 /* next attempt to reconnect, in now_milliseconds() */
	char wanted[VAIL_HANDLE_SIZE];    /* handle of the current object of the name; "" if none */
	double wanted_at;                 /* when that was shared or updated last */
	char remark[SCREEN_MESSAGE_SIZE]; /* the last remark, which is not repeated */
	Screen screens[SCREENS_MAX];      /* that are open, in no order */
	Screen *screen;                   /* the one that is shown; NULL if there is none */
	bool has_switched;                /* it was not shown before, and is a new frame */
	uint64_t switches;                /* number of times that another screen was shown */
} Viewer;

/*
 * Registers for the VM and starts to watch it. Returns false after it has logged an error. The
 * caller calls viewer_deinit() in either case.
 *
 * path: see vail_new().
 * guid: must outlive the viewer.
 * name: of the objects to show; NULL for the name of the first object that can be shown.
 */
bool viewer_init(Viewer *viewer, const char *path, const char *guid, const char *name);
void viewer_deinit(Viewer *viewer);

/*
 * Handles pending events, and reconnects to vaild if retry_at has passed. Does not change the
 * pixels of the framebuffer.
 */
void viewer_process(Viewer *viewer);

/*
 * Shows another object if it is the newest, and reads the stale pixels. Returns true if the
 * screen's framebuffer has a new frame.
 */
bool viewer_next_frame(Viewer *viewer);

/* Buffer size for viewer_describe_wait(). */
#define WAIT_MESSAGE_SIZE (PICTURES_NAMES_SIZE + 400)

/* Writes what the viewer waits for, as a sentence without a period. */
void viewer_describe_wait(const Viewer *viewer, char ret_sentence[WAIT_MESSAGE_SIZE]);

/* Returns the time on CLOCK_MONOTONIC in milliseconds. */
int64_t now_milliseconds(void);

#endif
