/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_LISTENER_H
#define CLIENT_VAIL_QEMU_LISTENER_H

#include <systemd/sd-bus.h>

#include "client/vail-qemu/console.h"

/* Implements org.qemu.Display1.Listener: decodes QEMU's calls and passes them to the console. */

/*
 * Adds the listener's object to the bus. The console must outlive the bus. Returns 0 or a negative
 * errno.
 */
int listener_serve(sd_bus *bus, Console *console);

#endif
