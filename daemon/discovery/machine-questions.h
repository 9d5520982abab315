/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DISCOVERY_MACHINE_QUESTIONS_H
#define DAEMON_DISCOVERY_MACHINE_QUESTIONS_H

#include "daemon/discovery/machine-bus.h"

/*
 * Asks systemd-machined for its machines and their properties. Only machine-bus.c uses this, which
 * owns the connection.
 */

#define MACHINED         "org.freedesktop.machine1"
#define MACHINED_PATH    "/org/freedesktop/machine1"
#define MACHINED_MANAGER "org.freedesktop.machine1.Manager"

/* Sets the state, and tells the owner of the bus. error: negative errno, or 0. */
void machine_bus_set_state(MachineBus *bus, MachineBusState state, int error);

/* Tries again after a while, and after twice that time if that fails, too. */
void machine_bus_retry_later(MachineBus *bus);

/*
 * Sends a call that does not start its destination, and takes over the message. Without ret_slot
 * the reply comes as long as the connection exists. Returns a negative errno on failure.
 */
int machine_bus_send(MachineBus *bus, sd_bus_message *call, sd_bus_message_handler_t on_reply,
		     void *context, sd_bus_slot **ret_slot);

/*
 * Asks for a list, unless one is awaited: machined sends its signals and replies in order, so a
 * reply after a signal knows what that signal is about.
 */
void machine_bus_list(MachineBus *bus);

/* Cancels all calls to machined. */
void machine_bus_cancel_calls(MachineBus *bus);

#endif
