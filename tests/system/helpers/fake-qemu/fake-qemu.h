/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SYSTEM_HELPERS_FAKE_QEMU_FAKE_QEMU_H
#define TESTS_SYSTEM_HELPERS_FAKE_QEMU_FAKE_QEMU_H

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "tests/support/helper.h"

/* The parts of fake-qemu: QEMU's monitor, and its D-Bus display with consoles. */

#define QEMU_XRGB  0x20020888u /* pixman's x8r8g8b8, the pixel format of all consoles */
#define HEARD_SIZE 65536

/* A console and its listener. */
typedef struct QemuConsole {
	unsigned int number;
	const char *type; /* "Graphic" or "Text" */
	uint32_t width;   /* the Width and Height properties */
	uint32_t height;
	int memory; /* of the screen, or -1 */
	uint32_t map_width;
	uint32_t map_height;
	uint8_t *pixels;         /* mapping of the memory */
	uint32_t drawings;       /* number of drawings */
	sd_bus *listener;        /* NULL without a listener */
	bool takes_maps;         /* the listener has the interface for shared memory */
	unsigned long listeners; /* total number of listeners that named their interfaces */
	unsigned long refusals;  /* number of next listeners to refuse */
	unsigned long ignored;   /* number of next listeners to leave without a reply */
	unsigned long waiting;   /* calls without a reply from the listener */
	unsigned long errors;    /* replies that were errors */
	int is_absolute;         /* the property of the mouse */
	int32_t moved_x;         /* the sum of the mouse's motions */
	int32_t moved_y;
	char heard[HEARD_SIZE]; /* the input so far, without motions */
} QemuConsole;

#define QEMU_CONSOLES_MAX 16

/* The sound that the guest plays or records. */
typedef struct QemuSound {
	const char *path;      /* of the listener */
	const char *interface; /* of the listener */
	sd_bus *listener;      /* NULL without one */
	bool is_waiting;       /* the listener has not replied to a call */
	bool has_failed;       /* its last reply was an error */
	char recorded[32]; /* its last reply to Read: the size and the first byte that is not 0 */
} QemuSound;

/* The clipboard, in place of an agent in the guest. */
typedef struct QemuClipboard {
	sd_bus *bus;         /* of the display's client */
	bool is_registered;  /* a client has registered; like QEMU 7.2, this outlives its connection
			      */
	bool is_clients;     /* the client has grabbed it; otherwise, the guest's text counts */
	char *text;          /* of the guest; NULL if it has none */
	uint32_t serial;     /* of the last grab of either side */
	unsigned long grabs; /* number of grabs by the client */
	unsigned long releases;
	bool is_pasting; /* the client has not replied to a request */
	char pasted[64]; /* the client's reply, or the size if it is long */
} QemuClipboard;

typedef struct QemuDisplay {
	sd_event *event;
	const char *name;
	const char *uuid;
	sd_bus *bus; /* NULL until a client joins */
	unsigned int joins;
	QemuConsole consoles[QEMU_CONSOLES_MAX];
	size_t console_count;
	QemuClipboard clipboard;
	QemuSound sound;
	QemuSound microphone;
} QemuDisplay;

/* Exits with an error if the result is a negative errno; returns it otherwise. */
int qemu_check(int result, const char *what);

/*
 * Serves D-Bus on the socket, which it takes over. Closes the connection of an earlier client, as
 * QEMU does.
 */
void qemu_display_join(QemuDisplay *display, int socket);

/* Changes the console's size properties and notifies the client. */
void qemu_console_resize(QemuDisplay *display, QemuConsole *console, uint32_t width,
			 uint32_t height);

/*
 * Makes new memory for a screen of this size, without gaps between rows. Sends it to the listener.
 */
void qemu_console_map(QemuDisplay *display, QemuConsole *console, uint32_t width, uint32_t height);

/*
 * Draws into the rectangle, with another byte each time. If the rectangle is at least two pixels
 * wide, its first two pixels contain the time (CLOCK_MONOTONIC, nanoseconds). There must be memory.
 */
void qemu_console_draw(QemuConsole *console, const int32_t rectangle[static 4]);

/* Notifies the listener of a redraw. */
void qemu_console_notify(QemuConsole *console, const int32_t rectangle[static 4]);

/* Draws into the rectangle, if there is memory, and notifies the listener. */
void qemu_console_update(QemuConsole *console, const int32_t rectangle[static 4]);

/* Changes the property of the mouse and notifies the client. */
void qemu_console_set_absolute(QemuDisplay *display, QemuConsole *console, bool is_absolute);

/* The parts of a console for its input. */
void qemu_input_serve(sd_bus *bus, QemuConsole *console, const char *path);
void qemu_input_set_absolute(sd_bus *bus, QemuConsole *console, const char *path, bool is_absolute);
int qemu_on_set_ui_info(sd_bus_message *call, void *context, sd_bus_error *error);

/* Returns a new call to the listener without arguments, or NULL without a listener. */
sd_bus_message *qemu_listener_call(QemuConsole *console, const char *method);

/* Sends the call and releases it. The reply is counted when it arrives. */
void qemu_listener_send(QemuConsole *console, sd_bus_message *call);

void qemu_listener_close(QemuConsole *console);

/* Serves the clipboard to a new client of the display. */
void qemu_clipboard_join(QemuDisplay *display);

/* The guest copies a text, and releases it. Notifies the client. */
void qemu_clipboard_copy(QemuClipboard *clipboard, const char *text);
void qemu_clipboard_release(QemuClipboard *clipboard);

/* The guest's agent begins again: serials begin with 0. */
void qemu_clipboard_reset(QemuClipboard *clipboard);

/* The guest pastes. The result is in pasted when is_pasting is clear. */
void qemu_clipboard_paste(QemuClipboard *clipboard);

/* Serves sound and the microphone to a new client of the display. */
void qemu_sound_join(QemuDisplay *display);

/* Returns a new call to the listener for sound, or NULL without a listener. */
sd_bus_message *qemu_sound_call(QemuSound *sound, const char *method);

/* Sends the call and releases it. is_waiting is set until the reply arrives. */
void qemu_sound_send(QemuSound *sound, sd_bus_message *call);

/* Starts a D-Bus connection as the server. Takes over the socket. */
sd_bus *qemu_serve_bus(sd_event *event, int socket);

/* Makes the monitor's socket at the path and serves it. */
void qemu_monitor_serve(QemuDisplay *display, const char *path);

#endif
