/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CHANNEL_RIGHTS_H
#define CLIENT_VAIL_QEMU_CHANNEL_RIGHTS_H

#include <stdbool.h>

/* D-Bus names of QEMU's display. */
#define DISPLAY_ROOT       "/org/qemu/Display1"
#define DISPLAY_PREFIX     "org.qemu.Display1"
#define DISPLAY_VM         DISPLAY_PREFIX ".VM"
#define DISPLAY_CONSOLE    DISPLAY_PREFIX ".Console"
#define DISPLAY_KEYBOARD   DISPLAY_PREFIX ".Keyboard"
#define DISPLAY_MOUSE      DISPLAY_PREFIX ".Mouse"
#define DISPLAY_MULTITOUCH DISPLAY_PREFIX ".MultiTouch"
#define DISPLAY_CLIPBOARD  DISPLAY_PREFIX ".Clipboard"
#define DISPLAY_AUDIO      DISPLAY_PREFIX ".Audio"
#define DISPLAY_PROPERTIES "org.freedesktop.DBus.Properties"

#define DISPLAY_CLIPBOARD_PATH DISPLAY_ROOT "/Clipboard"
#define DISPLAY_AUDIO_PATH     DISPLAY_ROOT "/Audio"

/* The selection that is shared: the clipboard itself, and not what is merely selected. */
#define CLIPBOARD_SELECTION 0u

/*
 * Tests whether a viewer with these rights (VAIL_DISPLAY_VIEW and its siblings) may call this
 * method. What no row of the table names is denied.
 *
 * interface, member: may be NULL, as in a D-Bus message; such a call is denied.
 */
bool channel_allows(unsigned int rights, const char *interface, const char *member);

/* Tests whether the rights allow any method or property of the interface. */
bool channel_has_interface(unsigned int rights, const char *interface);

#endif
