/* SPDX-License-Identifier: MIT */
#ifndef QEMU_LISTENER_H
#define QEMU_LISTENER_H

#include <systemd/sd-bus.h>

#include "console.h"

/*
 * What QEMU tells a console's listener over D-Bus (org.qemu.Display1.Listener): decoded, and told
 * to the console.
 */

/* Serves the console on the bus. Returns 0 or a negative errno. */
int listener_serve(sd_bus *bus, Console *console);

#endif
