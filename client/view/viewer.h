/* SPDX-License-Identifier: MIT */
#ifndef VIEW_VIEWER_H
#define VIEW_VIEWER_H

#include <stdbool.h>
#include <stdint.h>

#include "macros.h"
#include "screen.h"
#include "vail.h"

/*
 * A registered process that follows what a VM shares under one name: each object of this name takes
 * the place of the one before. It survives the loss of vaild.
 */

typedef enum ViewerState {
	VIEWER_WATCHES,
	VIEWER_LOST,   /* vaild is away, or has not brought the VM in again; tried at retry_at */
	VIEWER_ENDED,  /* the VM has ended */
	VIEWER_FAILED, /* it was said why */
} ViewerState;

typedef struct Viewer {
	const char *guid;
	char *name;         /* what is followed; NULL as long as that is open */
	struct vail *vail;  /* for calls */
	struct vail *watch; /* for events */
	ViewerState state;
	bool was_registered;              /* so that vaild going is no reason to end */
	int64_t retry_at;                 /* by now_milliseconds() */
	char wanted[VAIL_HANDLE_SIZE];    /* the newest object of the name; "": there is none */
	char remark[SCREEN_MESSAGE_SIZE]; /* what was last said, so that it is said once */
	Screen screen;
} Viewer;

/* Registers and begins to watch. Returns false when it was said why that does not work; the viewer
 * is to be deinited in any case. path: as for vail_new(); guid: stays the caller's; name: NULL for
 * that of the first object that can be shown. */
bool viewer_init(Viewer *viewer, const char *path, const char *guid, const char *name);
void viewer_deinit(Viewer *viewer);

/* Takes all events that are there, and tries to come back to vaild where it is time for that. The
 * framebuffer's pixels stay as they are. */
void viewer_process(Viewer *viewer);

/* Opens what is to be shown, where that is another object than before, and reads what has changed.
 * Returns whether there is a new frame in the screen's framebuffer. */
bool viewer_next_frame(Viewer *viewer);

/* Says it on stderr, behind the name of the program. */
_printf_(1, 2) void say(const char *format, ...);

int64_t now_milliseconds(void);

#endif
