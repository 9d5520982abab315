/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_VIEWER_H
#define CLIENT_VAIL_VIEW_VIEWER_H

#include <stdbool.h>
#include <stdint.h>

#include "client/common/fleet-search.h"
#include "client/vail-view/clock.h"
#include "client/vail-view/follower.h"
#include "client/vail-view/pictures.h"
#include <vail.h>

/*
 * Registers this process for a VM, and follows its picture and, if that is asked for, its cursor.
 * Reconnects if the connection to vaild is lost.
 */

/* Buffer size for the reason of VIEWER_FAILED. */
#define FAILURE_SIZE 512

typedef enum ViewerState {
	VIEWER_WATCHING,
	VIEWER_RECONNECTING, /* vaild is unreachable, or does not know the VM yet; see retry_at */
	VIEWER_ENDED,        /* the VM has ended */
	VIEWER_FAILED,       /* for good; the reason was logged */
} ViewerState;

typedef struct Viewer {
	const char *guid;
	const char *machine; /* the VM as the user has named it */
	Pictures pictures;   /* all that are shared */
	Follower picture;    /* without a name until the first one is known */
	Follower cursor;     /* without a name as long as the picture has none */
	bool with_cursor;    /* the cursor is followed */
	bool is_current;     /* the watch has reported all pictures */
	struct vail *vail;   /* for calls */
	struct vail *watch;  /* for events; NULL before the first watch */
	ViewerState state;
	char failure[FAILURE_SIZE]; /* the reason of VIEWER_FAILED, without a period */
	FleetMove move;             /* the search for a VM that has ended */
	char *moved;                /* a sentence if the VM has moved to another host, or NULL */
	bool is_in_quarantine;      /* that is the reason */
	bool was_registered;        /* registered once, so a lost connection is retried */
	uint64_t rights_changes;    /* times that the rights of this process may have changed */
	uint64_t shares;            /* times that an object was shared, or an agent came */
	char context[VAIL_HANDLE_SIZE]; /* that it has created in vaild; "" if none */
	int64_t retry_at;               /* next attempt to reconnect, in now_milliseconds() */
} Viewer;

/*
 * Registers for the VM and starts to watch it. Returns false after it has logged an error. The
 * caller calls viewer_deinit() in either case.
 *
 * path: see vail_new().
 * guid, machine: of the VM, and what messages call it; must outlive the viewer.
 * name: of the objects to show; NULL for the name of the first object that can be shown.
 * with_cursor: follow the picture's cursor.
 */
bool viewer_init(Viewer *viewer, const char *path, const char *guid, const char *machine,
		 const char *name, bool with_cursor);
void viewer_deinit(Viewer *viewer);

/*
 * Handles pending events, and reconnects to vaild if retry_at has passed. Does not change the
 * pixels of the framebuffer.
 */
void viewer_process(Viewer *viewer);

/* Tries again after VIEWER_FAILED, because the reason may have gone. */
void viewer_retry(Viewer *viewer);

/*
 * Shows another object if it is the newest, and reads the stale pixels. Returns true if the
 * screen's framebuffer has a new frame.
 */
bool viewer_next_frame(Viewer *viewer);

/* The same for the cursor. */
bool viewer_next_cursor(Viewer *viewer);

/*
 * Logs that the VM has ended. From then on, viewer_process() searches for the host that it has
 * moved to, if that is why, and logs it.
 */
void viewer_log_end(Viewer *viewer);

/* Waits for the end of this search. */
void viewer_finish_search(Viewer *viewer);

/* Buffer size for viewer_describe_wait(). */
#define WAIT_MESSAGE_SIZE (PICTURES_NAMES_SIZE + 400)

/* Writes what the viewer waits for, or why it does no longer, as a sentence without a period. */
void viewer_describe_wait(const Viewer *viewer, char ret_sentence[WAIT_MESSAGE_SIZE]);

#endif
