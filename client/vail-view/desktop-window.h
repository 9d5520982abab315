/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_DESKTOP_WINDOW_H
#define CLIENT_VAIL_VIEW_DESKTOP_WINDOW_H

#include <stdbool.h>

/*
 * Shows a VM's screen in a window. Without the library for windows, no-window.c replaces the folder
 * window/.
 */

typedef struct WindowRequest {
	const char *machine; /* the VM, as typed */
	const char *guid;
	const char *name;   /* of the objects to show; NULL for the first one */
	const char *socket; /* see vail_new() */
	bool no_clipboard;  /* the guest's clipboard stays apart from the desktop's */
	bool no_sound;      /* the guest is not heard */
	bool microphone;    /* the guest hears the user */
} WindowRequest;

/* Shows the window until it is closed. Logs errors. Returns the exit status. */
int desktop_window_run(const WindowRequest *request);

#endif
