/* SPDX-License-Identifier: MIT */
#ifndef QEMU_DISPLAY_H
#define QEMU_DISPLAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

#include "console.h"

/* QEMU's D-Bus display (org.qemu.Display1), peer to peer: what the VM is called, and its consoles.
 */

/*
 * A console that is listened to, on a connection of its own. QEMU takes one listener, and lets go
 * of it a moment after the connection was closed; so a new one may have to be offered more than
 * once.
 */
typedef struct DisplayConsole {
	Console console;
	char path[48];         /* of QEMU's object */
	sd_bus *bus;           /* NULL: not listened to */
	bool is_offered;       /* QEMU has not answered yet whether it takes the listener */
	unsigned int refusals; /* in a row */
} DisplayConsole;

typedef struct Display {
	sd_bus *bus;
	char *name; /* the VM's */
	char *uuid;
	DisplayConsole *consoles;
	size_t console_count;
} Display;

/* Begins to speak on the socket, which is taken. Returns false when a sentence was said. */
bool display_init(Display *display, int socket);
void display_deinit(Display *display);

/* Finds the graphic consoles, whose surfaces are the agent's to share. Returns false when a
 * sentence was said. */
bool display_find_consoles(Display *display, Agent *agent);

/* Listens to each console that is not listened to. To be called before each display_poll_for(). */
void display_listen(Display *display);

/* What display_process() waits for: 1 + console_count descriptors. Returns for how many
 * milliseconds at most; -1: for ever. */
int display_poll_for(const Display *display, struct pollfd *descriptors);

/* The shorter of two such times. */
static inline int sooner(int milliseconds, int others)
{
	if (milliseconds < 0 || (others >= 0 && others < milliseconds))
		return others;
	return milliseconds;
}

/* Hears what QEMU says. Returns false when it says nothing more. */
bool display_process(Display *display);

#endif
