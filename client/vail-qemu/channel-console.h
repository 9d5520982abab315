/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CHANNEL_CONSOLE_H
#define CLIENT_VAIL_QEMU_CHANNEL_CONSOLE_H

#include <stddef.h>

#include "client/vail-qemu/channel.h"

/* One console of a display channel, as its viewer sees it on D-Bus. */

/*
 * Puts console i of the channel's display on the bus, limited to the rights of the channel. Returns
 * 0 or a positive number, or a negative errno.
 */
int channel_console_serve(Channel *channel, size_t i);

/*
 * Tells the viewer of a change of each property that it may read. Returns 0 or a positive number,
 * or a negative errno.
 */
int channel_console_tell_changes(ChannelConsole *console);

#endif
