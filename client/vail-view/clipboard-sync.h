/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_CLIPBOARD_SYNC_H
#define CLIENT_VAIL_VIEW_CLIPBOARD_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "client/common/clipboard-text.h"

/*
 * Decides which texts pass between the clipboards of the desktop and of the guest:
 *
 * - nothing passes while the window has no focus, so that the guest neither sees what the user
 * copies for other programs, nor replaces it;
 * - with the focus, the guest is offered the desktop's text, and may request what was offered last;
 * - with the focus, the guest's text replaces the desktop's;
 * - of two texts that were copied while the window had no focus, the desktop's counts;
 * - a text that has come from one side is not offered to it again.
 *
 * When the window registers, the agent announces a text that the guest has already. That
 * announcement crosses the window's first offer, which is then repeated. So the desktop's text
 * counts here, too.
 *
 * Both sides number their grabs together. A grab of the guest with a lower number than the window's
 * last one has crossed it, and is ignored. This module does no I/O.
 */

/* The desktop's text. */
typedef enum DesktopText {
	DESKTOP_TEXT_NONE,     /* none, or one that is no text */
	DESKTOP_TEXT_VALID,    /* see clipboard_text_is_valid() */
	DESKTOP_TEXT_TOO_LONG, /* longer than CLIPBOARD_TEXT_MAX */
	DESKTOP_TEXT_LATE,     /* the program that has it did not reply, so that nothing changes */
	DESKTOP_TEXT_UNKNOWN,  /* the focus was lost meanwhile, so that it does not count */
} DesktopText;

/* The functions through which the module acts. All get the context. */
typedef struct ClipboardSyncOwner {
	/* Reads the desktop's text. The text is set only if it is valid; the caller frees it. */
	DesktopText (*read_desktop)(void *context, ClipboardText *ret_text);
	/* Replaces the desktop's text. */
	void (*write_desktop)(void *context, const ClipboardText *text);
	/* Tells the agent that the window has a text, and that it has none any more. */
	void (*send_grab)(void *context, uint32_t serial);
	void (*send_release)(void *context);
	/* Requests the guest's text. clipboard_sync_guest_text() follows. */
	void (*request_text)(void *context);
	/* Tells the user why a text does not pass. sentence: static. */
	void (*say)(void *context, const char *sentence);
} ClipboardSyncOwner;

typedef struct ClipboardSync {
	const ClipboardSyncOwner *owner;
	void *context;
	bool is_linked; /* the agent has registered the window */
	bool has_focus;
	uint32_t next_serial; /* of the next grab of either side */
	ClipboardText known;  /* that both sides have seen, or that was offered */
	bool is_offered;      /* the guest may request that text */
	bool is_first; /* that offer came with the registration, and nobody has asked for it yet */
	bool is_too_long;    /* the desktop's text, as was said */
	bool guest_has_text; /* which the desktop has not got yet */
	bool is_requested;   /* clipboard_sync_guest_text() will follow */
	bool is_stale;       /* the text that was requested has been replaced */
} ClipboardSync;

/* owner: must outlive the module. */
void clipboard_sync_init(ClipboardSync *sync, const ClipboardSyncOwner *owner, void *context);

/* Begins when the agent has registered the window. */
void clipboard_sync_link(ClipboardSync *sync);

/* Ends: forgets all texts. No clipboard_sync_guest_text() follows any more. */
void clipboard_sync_unlink(ClipboardSync *sync);

/* The window has got or lost the focus, or neither. */
void clipboard_sync_set_focus(ClipboardSync *sync, bool has_focus);

/* The desktop's text may have changed. */
void clipboard_sync_note_desktop(ClipboardSync *sync);

/* ---- The agent ---- */

/* The guest has copied, with a text if it has one. */
void clipboard_sync_guest_grab(ClipboardSync *sync, uint32_t serial, bool has_text);

/* The guest has no text any more. */
void clipboard_sync_guest_release(ClipboardSync *sync);

/* Numbers begin again with 0, because the guest's own agent has started again. */
void clipboard_sync_guest_reset(ClipboardSync *sync);

/* The reply to request_text(). text: NULL if it has failed. */
void clipboard_sync_guest_text(ClipboardSync *sync, const ClipboardText *text);

/* The agent requests a text. Returns the one that the guest may have now, or NULL. */
const ClipboardText *clipboard_sync_requested(ClipboardSync *sync);

#endif
