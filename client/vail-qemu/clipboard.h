/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CLIPBOARD_H
#define CLIENT_VAIL_QEMU_CLIPBOARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "client/vail-qemu/channel-clipboard.h"
#include "client/vail-qemu/display.h"

/*
 * The clipboard that a guest shares with its viewers. QEMU accepts one peer, which is vail-qemu. Of
 * the viewers that have registered, the one that had input last has the clipboard. The guest gets
 * the text of that viewer. No other viewer hears of the guest's text, or may request it.
 *
 * QEMU waits for the reply when the guest requests a text, and the guest stands still meanwhile.
 * So vail-qemu asks a viewer for its text at once, and offers it to QEMU when it is there.
 */

/* The side whose text is in the guest's clipboard. */
typedef enum ClipboardContent {
	CLIPBOARD_EMPTY,
	CLIPBOARD_OF_GUEST,
	CLIPBOARD_OF_VIEWER, /* the text of the first viewer was offered to QEMU */
} ClipboardContent;

typedef enum ClipboardState {
	CLIPBOARD_APART,   /* QEMU was not asked, or has not agreed */
	CLIPBOARD_JOINING, /* QEMU has not replied */
	CLIPBOARD_JOINED,
	CLIPBOARD_REFUSED,
} ClipboardState;

typedef struct Clipboard {
	const Display *display;
	ClipboardState state;
	bool has_retried;
	bool has_logged;     /* why QEMU has not agreed */
	char *peer;          /* QEMU's own name on a message bus; NULL if it is the only peer */
	sd_bus_slot *object; /* what QEMU calls */
	sd_bus_slot *reply;  /* the reply that is awaited */
	ClipboardContent content;
	uint32_t next_serial; /* of the next grab; the side with the lower serial loses a race */
	ChannelClipboards viewers; /* that have registered; the one that had input last is first */
} Clipboard;

/* The display must outlive the clipboard. */
void clipboard_init(Clipboard *clipboard, const Display *display);

/* Leaves QEMU's clipboard. All viewers must have been removed. */
void clipboard_deinit(Clipboard *clipboard);

/* Asks QEMU to become its peer, without waiting for the reply, unless it is one or has asked. */
void clipboard_join(Clipboard *clipboard);

/* Tests whether no reply of QEMU to clipboard_join() is awaited. */
bool clipboard_is_settled(const Clipboard *clipboard);

/* Add a viewer that has registered, and remove it. */
void clipboard_add(Clipboard *clipboard, ChannelClipboard *viewer);
void clipboard_remove(Clipboard *clipboard, ChannelClipboard *viewer);

/* Gives the clipboard to the viewer, because it has had input. */
void clipboard_prefer(Clipboard *clipboard, ChannelClipboard *viewer);

/* Tests whether the viewer may request the guest's text now. */
bool clipboard_has_text_for(const Clipboard *clipboard, const ChannelClipboard *viewer);

/*
 * Offers the viewer's text to QEMU if the viewer has the clipboard. Takes the offer back if it has
 * no text any more.
 */
void clipboard_offer(Clipboard *clipboard, const ChannelClipboard *viewer);

/*
 * Requests the guest's text. The handler gets QEMU's reply, unless the slot is released before.
 * Returns a negative errno on failure.
 */
int clipboard_request(const Clipboard *clipboard, sd_bus_message_handler_t handler, void *context,
		      sd_bus_slot **ret_slot);

#endif
