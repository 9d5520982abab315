/* SPDX-License-Identifier: MIT */
#ifndef SYSTEM_PLAY_QEMU_H
#define SYSTEM_PLAY_QEMU_H

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "tool.h"

/* What play-qemu.c is made of: QEMU's monitor, and its display with its consoles. */

#define QEMU_XRGB 0x20020888u /* pixman's x8r8g8b8, of the memory of consoles */

/* A console, and who listens to it. */
typedef struct QemuConsole {
	unsigned int number;
	const char *type; /* "Graphic" or "Text" */
	uint32_t width;   /* as it tells */
	uint32_t height;
	int memory; /* of the screen; -1: none */
	uint32_t map_width;
	uint32_t map_height;
	uint8_t *pixels;         /* the memory, mapped */
	uint32_t drawings;       /* how often something was drawn */
	sd_bus *listener;        /* NULL: nobody listens */
	bool takes_maps;         /* the listener has said so */
	unsigned long listeners; /* that were taken and have said what they take, in all */
	unsigned long refusals;  /* of listeners that are still to come */
	unsigned long ignored;   /* of them, who are not answered */
	unsigned long waiting;   /* calls that the listener has not answered */
	unsigned long errors;    /* answers that were errors */
} QemuConsole;

#define QEMU_CONSOLES_MAX 16

typedef struct QemuDisplay {
	sd_event *event;
	const char *name;
	const char *uuid;
	sd_bus *bus; /* NULL: nobody has joined */
	QemuConsole consoles[QEMU_CONSOLES_MAX];
	size_t console_count;
} QemuDisplay;

/* Ends the program when the result is a negative errno. Returns it otherwise. */
int qemu_check(int result, const char *what);

/* Speaks D-Bus with whoever has the other end of the socket, which is taken. An earlier one's
 * connection is closed, as QEMU does. */
void qemu_display_join(QemuDisplay *display, int socket);

/* Tells who has joined that the console has this size now. */
void qemu_console_resize(QemuDisplay *display, QemuConsole *console, uint32_t width,
			 uint32_t height);

/* New memory for a screen of this size, in rows without gaps; shows it to the listener. */
void qemu_console_map(QemuDisplay *display, QemuConsole *console, uint32_t width, uint32_t height);

/*
 * Draws into a rectangle, a pattern that is another each time, and says so. Two pixels or more
 * begin with the time, of CLOCK_MONOTONIC in nanoseconds.
 */
void qemu_console_update(QemuConsole *console, const int32_t rectangle[static 4]);

/* A call to the listener, to be filled in; NULL where nobody listens. */
sd_bus_message *qemu_listener_call(QemuConsole *console, const char *method);

/* Sends it. Its answer is counted when it comes. */
void qemu_listener_send(QemuConsole *console, sd_bus_message *call);

void qemu_listener_close(QemuConsole *console);

/* Serves the monitor at the path from now on. */
void qemu_monitor_serve(QemuDisplay *display, const char *path);

#endif
