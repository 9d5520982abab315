/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DISCOVERY_MACHINE_REPLY_H
#define DAEMON_DISCOVERY_MACHINE_REPLY_H

#include <systemd/sd-bus.h>

#include "daemon/discovery/machine-table.h"

/* Reads the replies of systemd-machined, and of the bus. Calls nothing but the message's readers.
 */

/*
 * Reads the reply of ListMachines into the table. Returns 0, or a negative errno with the table
 * unchanged if the reply is not a list of machines.
 */
int machine_reply_list(sd_bus_message *reply, MachineTable *table);

/*
 * Reads the properties of a machine. Ignores those that it does not know, or that have another
 * type; but a UID of another type is an unknown one, and never root's. The facts point into the
 * reply. Returns false if the reply does not contain properties.
 */
bool machine_reply_read(sd_bus_message *reply, MachineFacts *ret);

/* Tests whether the reply is a list of names with this one. */
bool machine_reply_has_name(sd_bus_message *reply, const char *name);

#endif
