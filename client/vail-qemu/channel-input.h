/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CHANNEL_INPUT_H
#define CLIENT_VAIL_QEMU_CHANNEL_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "client/vail-qemu/channel-clipboard.h"
#include "client/vail-qemu/display.h"

/* Numbers of keys as in QEMU's Keyboard.Press: scan codes of a PC, with 0x80 for extended ones. */
#define INPUT_KEYS 256

/* Left, middle, right, wheel up and down, two at the side, wheel left and right. */
#define INPUT_BUTTONS 9

/* Simultaneous touches, as in QEMU. */
#define INPUT_TOUCHES 10

/* The largest motion, and the largest screen, in pixels. */
#define INPUT_MOTION_MAX 32767
#define INPUT_SIZE_MAX   32768u

/*
 * The input of one viewer to one console: checks it, passes it to QEMU, and knows what the viewer
 * holds down.
 */
typedef struct ChannelInput {
	const Display *display;
	const DisplayConsole *console;
	ChannelClipboard *clipboard;  /* of the channel */
	uint8_t keys[INPUT_KEYS / 8]; /* one bit for each key that is held down */
	uint16_t buttons;
	uint16_t touches;
	double touch_x[INPUT_TOUCHES]; /* where the touch was last, in pixels */
	double touch_y[INPUT_TOUCHES];
} ChannelInput;

/*
 * Adds the keyboard, the mouse and, if QEMU has one, the touch screen to the console's object on
 * the viewer's bus. Returns 0 or a negative errno.
 */
int channel_input_serve(sd_bus *bus, ChannelInput *input);

/* Handles Console.SetUIInfo. The context is a ChannelInput. */
int channel_input_set_ui_info(sd_bus_message *message, void *context, sd_bus_error *error);

/* Releases in QEMU what the viewer holds down. */
void channel_input_release_all(ChannelInput *input);

#endif
