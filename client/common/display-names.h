/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_DISPLAY_NAMES_H
#define CLIENT_COMMON_DISPLAY_NAMES_H

/* D-Bus names of QEMU's display, for vail-qemu, which serves it, and for viewers. */

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

/* The listener for sound, on a connection of its own. */
#define DISPLAY_SOUND_LISTENER      DISPLAY_PREFIX ".AudioOutListener"
#define DISPLAY_SOUND_LISTENER_PATH DISPLAY_ROOT "/AudioOutListener"

/* The same for the microphone: the window records, and the guest reads. */
#define DISPLAY_MICROPHONE      DISPLAY_PREFIX ".AudioInListener"
#define DISPLAY_MICROPHONE_PATH DISPLAY_ROOT "/AudioInListener"

/* The selection that is shared: the clipboard itself, and not what is merely selected. */
#define CLIPBOARD_SELECTION 0u

#endif
