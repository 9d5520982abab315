/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_DBUS_TIME_H
#define CLIENT_COMMON_DBUS_TIME_H

#include <systemd/sd-bus.h>

/*
 * Returns the milliseconds until sd_bus_process() must be called, or -1 for none. It is 0 if
 * messages have been read that were not processed.
 */
int dbus_time_left(sd_bus *bus);

#endif
