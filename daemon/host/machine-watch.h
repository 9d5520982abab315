/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_MACHINE_WATCH_H
#define DAEMON_HOST_MACHINE_WATCH_H

#include <event2/event_struct.h>

#include "daemon/core/event.h"
#include "daemon/discovery/machine-bus.h"

/*
 * Lists the VMs that systemd-machined knows. The daemon starts and serves without waiting for them.
 *
 * The unit needs no permission for this: the socket of the bus has a path, and machined tells every
 * user what machines it has.
 */
typedef struct MachineWatch {
	struct Server *server;
	MachineBus bus;
	struct event work_event; /* added while there is work */
	size_t refused;          /* VMs that were not added, for lack of resources */
	bool is_waiting;         /* a VM must end before a machine can be added */
} MachineWatch;

void machine_watch_init(MachineWatch *watch, struct Server *server);
void machine_watch_deinit(MachineWatch *watch);

/* Asks for the machines, at the start and at each reload. Returns at once. */
void machine_watch_refresh(MachineWatch *watch);

/* Looks again at the machines if the end of a VM has made room for one of them. */
void machine_watch_event(MachineWatch *watch, const Event *event);

#endif
