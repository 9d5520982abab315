/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_DESKTOP_CLIPBOARD_H
#define CLIENT_VAIL_VIEW_WINDOW_DESKTOP_CLIPBOARD_H

#include <SDL.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "client/vail-view/clipboard-sync.h"
#include "client/vail-view/notice.h"
#include "client/vail-view/window/guest-channel.h"

/*
 * The desktop's clipboard on the display channel (org.qemu.Display1.Clipboard), as far as the
 * channel has the right to it. clipboard-sync.h decides what passes.
 */
typedef struct DesktopClipboard {
	bool is_wanted;
	GuestChannel *channel;
	SDL_Window *window;
	Notice *notice;
	ClipboardSync sync;

	uint64_t opening;          /* the number of the bus that the slots below belong to */
	sd_bus_slot *object;       /* what the agent calls; NULL without a bus */
	sd_bus_slot *registration; /* the reply that is awaited, and so are the next two */
	sd_bus_slot *request;
	bool is_refused;  /* the agent has no clipboard now */
	bool has_changed; /* the desktop's clipboard, perhaps */
} DesktopClipboard;

/*
 * channel, window, notice: must outlive the clipboard.
 * is_wanted: otherwise, the clipboard does nothing.
 */
void desktop_clipboard_init(DesktopClipboard *clipboard, GuestChannel *channel, SDL_Window *window,
			    Notice *notice, bool is_wanted);
void desktop_clipboard_deinit(DesktopClipboard *clipboard);

/* Handles an event. */
void desktop_clipboard_handle(DesktopClipboard *clipboard, const SDL_Event *event);

/*
 * Begins and ends with the channel, and passes texts on. Call it when the channel was processed,
 * and when all events were handled, so that the focus is known.
 */
void desktop_clipboard_process(DesktopClipboard *clipboard);

#endif
