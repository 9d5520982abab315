/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CHANNEL_CLIPBOARD_H
#define CLIENT_VAIL_QEMU_CHANNEL_CLIPBOARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "client/common/clipboard-text.h"

struct Clipboard;

/*
 * The clipboard on one channel: checks what its viewer sends, and asks the viewer for its text as
 * soon as it has one. See clipboard.h.
 */
typedef struct ChannelClipboard {
	struct Clipboard *clipboard; /* NULL if the channel has none */
	sd_bus *bus;                 /* to the viewer; not owned */
	bool is_registered;
	bool owes_reset;         /* the viewer has to hear of channel_clipboard_tell_reset() */
	bool owes_text;          /* it has to hear whether the guest has a text */
	uint32_t serial;         /* of the last grab of either side */
	ClipboardText text;      /* of the viewer */
	sd_bus_slot *fetch;      /* the reply with the text that is awaited; NULL if none is */
	sd_bus_message *request; /* of the viewer for the guest's text; NULL if none waits */
	sd_bus_slot *answer;     /* QEMU's reply to that */
	TAILQ_ENTRY(ChannelClipboard) entries;
} ChannelClipboard;

typedef TAILQ_HEAD(ChannelClipboards, ChannelClipboard) ChannelClipboards;

/*
 * Adds the clipboard to the viewer's bus. The structure must be zero, or deinitialised. Returns 0
 * or a negative errno.
 */
int channel_clipboard_serve(ChannelClipboard *viewer, sd_bus *bus, struct Clipboard *clipboard);
void channel_clipboard_deinit(ChannelClipboard *viewer);

/* The viewer has pressed something. */
void channel_clipboard_note_input(ChannelClipboard *viewer);

/*
 * Tells the viewer what has waited until it read. Call it each turn. Then a viewer that does not
 * read has at most one of each of the calls below waiting.
 */
void channel_clipboard_process(ChannelClipboard *viewer);

/* ---- For clipboard.c ---- */

/* Tells the viewer that the guest has a text. The viewer's own text is void. */
void channel_clipboard_tell_grab(ChannelClipboard *viewer);

/* Tells the viewer that there is no text of the guest any more. */
void channel_clipboard_tell_release(ChannelClipboard *viewer);

/* Tells the viewer that serials begin again with 0. */
void channel_clipboard_tell_reset(ChannelClipboard *viewer);

#endif
