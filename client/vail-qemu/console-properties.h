/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CONSOLE_PROPERTIES_H
#define CLIENT_VAIL_QEMU_CONSOLE_PROPERTIES_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* QEMU's description of a console, its keyboard, its pointer and its touch screen. */
typedef struct ConsoleProperties {
	char label[64];
	char device[64]; /* address of the device, like "pci/0000/01.0" */
	uint32_t head;
	uint32_t width; /* 0 if QEMU has not said it */
	uint32_t height;
	uint32_t modifiers;  /* lights of the keyboard */
	bool is_absolute;    /* the guest's pointer takes positions instead of motions */
	bool has_multitouch; /* QEMU has that interface */
	int32_t max_slots;   /* of the touch screen */
	bool has_size;       /* the last properties_read() has read a width or a height */
} ConsoleProperties;

/*
 * Reads the properties of any interface of the console from an array of names and variants. Ignores
 * unknown names. Returns 0 or a negative errno.
 */
int properties_read(ConsoleProperties *properties, sd_bus_message *message);

#endif
