/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_DISPLAY_H
#define CLIENT_VAIL_QEMU_DISPLAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

#include "client/vail-qemu/console-properties.h"
#include "client/vail-qemu/console.h"
#include "client/vail-qemu/display-link.h"

/* A client of QEMU's D-Bus display (org.qemu.Display1): the VM's properties and its consoles. */

/*
 * A console and its listener, which has a separate connection. QEMU accepts one listener, and drops
 * it only some time after the connection was closed. So it may refuse a new listener at first, and
 * the registration is retried.
 */
typedef struct DisplayConsole {
	Console console;
	char path[48];                  /* of the console's D-Bus object */
	sd_bus *bus;                    /* the listener's connection; NULL without a listener */
	bool is_registering;            /* QEMU has not replied to RegisterListener yet */
	bool is_accepted;               /* QEMU has accepted a listener, now or before */
	unsigned int refusals;          /* number of refusals in a row */
	ConsoleProperties properties;   /* complete if display_knows_properties() */
	unsigned int unread_properties; /* number of replies that are missing */
} DisplayConsole;

typedef struct Display {
	DisplayLink link;
	char *uuid; /* of the VM */
	DisplayConsole *consoles;
	size_t console_count;
	bool has_asked;          /* for the consoles' properties */
	bool has_logged_silence; /* the lack of a screen has been logged */
	int64_t silence_at;      /* when to log it, in milliseconds; 0 for never */
} Display;

/*
 * Reads the VM's UUID. Takes ownership of the open link. Like the two functions below, it waits at
 * most WAIT_LIMIT for each reply, and returns false after it has logged an error. The display must
 * be deinitialised in either case.
 */
bool display_init(Display *display, const DisplayLink *link);
void display_deinit(Display *display);

/* Reads the VM's name, which the caller frees. Without -name, QEMU gives its own name. */
bool display_read_name(const Display *display, char **ret);

/*
 * Finds the graphic consoles and adds their surfaces to the agent, which must outlive the display.
 */
bool display_find_consoles(Display *display, Agent *agent);

/*
 * Asks QEMU once for the properties of all consoles, without waiting for the replies. Only display
 * channels need them.
 */
void display_ask_for_properties(Display *display);

/* Tests whether QEMU has replied. A property that it refused to give is 0. */
bool display_knows_properties(const Display *display);

/* Registers missing listeners. Call before each display_poll_for(). */
void display_listen(Display *display);

/*
 * Fills in 1 + console_count fds to poll before display_process(). Returns the timeout in
 * milliseconds, or -1 for none.
 */
int display_poll_for(const Display *display, struct pollfd *poll_fds);

/* Returns the shorter of two timeouts for poll(). */
static inline int shorter_timeout(int one, int other)
{
	if (one < 0 || (other >= 0 && other < one))
		return other;
	return one;
}

/* Handles input from QEMU. Returns false if QEMU has closed the display. */
bool display_process(Display *display);

#endif
