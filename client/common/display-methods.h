/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_DISPLAY_METHODS_H
#define CLIENT_COMMON_DISPLAY_METHODS_H

#include <systemd/sd-bus.h>

/*
 * The rows of sd-bus's tables for the interfaces of QEMU's display that have more than one server:
 * vail-qemu is a client of QEMU and a server of viewers, and viewers have the same listeners.
 */

#define DISPLAY_METHOD(name, arguments, results, handler) \
	SD_BUS_METHOD(name, arguments, results, handler, SD_BUS_VTABLE_UNPRIVILEGED)

/* org.qemu.Display1.Clipboard, which is the same at both ends. */
#define DISPLAY_CLIPBOARD_METHODS(on_register, on_unregister, on_grab, on_release, on_request) \
	DISPLAY_METHOD("Register", "", "", on_register),                                       \
		DISPLAY_METHOD("Unregister", "", "", on_unregister),                           \
		DISPLAY_METHOD("Grab", "uuas", "", on_grab),                                   \
		DISPLAY_METHOD("Release", "u", "", on_release),                                \
		DISPLAY_METHOD("Request", "uas", "say", on_request)

/* The methods that AudioOutListener and AudioInListener share. */
#define DISPLAY_SOUND_METHODS(on_init, on_fini, on_set_enabled, on_set_volume) \
	DISPLAY_METHOD("Init", "tybbuyuub", "", on_init),                      \
		DISPLAY_METHOD("Fini", "t", "", on_fini),                      \
		DISPLAY_METHOD("SetEnabled", "tb", "", on_set_enabled),        \
		DISPLAY_METHOD("SetVolume", "tbay", "", on_set_volume)

/* The property that names further interfaces, of an object that has none. */
#define DISPLAY_NO_INTERFACES \
	SD_BUS_PROPERTY("Interfaces", "as", display_no_interfaces, 0, SD_BUS_VTABLE_PROPERTY_CONST)

/* Appends the value of that property. */
int display_no_interfaces(sd_bus *bus, const char *path, const char *interface,
			  const char *property, sd_bus_message *reply, void *context,
			  sd_bus_error *error);

#endif
