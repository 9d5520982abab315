/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DISCOVERY_MACHINE_BUS_H
#define DAEMON_DISCOVERY_MACHINE_BUS_H

#include <event2/event_struct.h>
#include <systemd/sd-bus.h>

#include "daemon/discovery/machine-table.h"

/*
 * Follows the machines of systemd-machined over the system bus. Everything is asynchronous: nothing
 * waits for the bus or for machined, not even to connect. If the bus goes away, or machined does
 * not answer a question, it is tried again after 1 s, and then after twice the time, up to 32 s.
 *
 * machined exits when it has no machines, and the bus starts it when somebody calls it. Calls from
 * here do not start it: while it does not run, nobody has registered a machine.
 */

#define MACHINE_BUS_SOCKET "/run/dbus/system_bus_socket"

/* Calls of one MachineBus that wait for their replies, at most. */
#define MACHINE_BUS_CALLS_MAX 16

typedef enum MachineBusState {
	MACHINE_BUS_ABSENT,      /* no socket: the host has no system bus */
	MACHINE_BUS_FAILED,      /* cannot connect, or the bus has closed the connection */
	MACHINE_BUS_CONNECTING,  /* the bus has not answered yet */
	MACHINE_BUS_FOREIGN,     /* the bus is in another pid namespace, so its pids mean nothing */
	MACHINE_BUS_NO_MACHINED, /* machined is not installed */
	MACHINE_BUS_REFUSED,     /* machined refuses to list the machines, or does not answer */
	MACHINE_BUS_IDLE,        /* machined does not run */
	MACHINE_BUS_LISTING,     /* machined has not answered all questions yet */
	MACHINE_BUS_LISTED,      /* the table is complete */
	MACHINE_BUS_STATE_MAX,
} MachineBusState;

typedef struct MachineBus MachineBus;

/* A call that waits for its reply. */
typedef struct MachineBusCall {
	MachineBus *bus;
	sd_bus_slot *slot; /* NULL if there is no such call */
	char name[MACHINE_NAME_SIZE];
} MachineBusCall;

struct MachineBus {
	struct event_base *base;
	const char *socket_path;
	/* Called when the state or the table may have changed. Must not deinitialise the bus. */
	void (*changed)(void *context);
	void *context;

	MachineTable table;
	MachineBusState state;
	int error;            /* negative errno if the state is FAILED or REFUSED */
	sd_bus *connection;   /* NULL if there is none */
	size_t foreign;       /* messages of strangers that this turn has read */
	bool is_paused;       /* nothing is read until a pause ends */
	bool is_ready;        /* the bus has answered, and its signals are subscribed to */
	bool is_installed;    /* the bus could start machined */
	char owner[256];      /* the unique name of machined on the bus, or "" */
	sd_bus_slot *listing; /* NULL unless a list is awaited */
	MachineBusCall calls[MACHINE_BUS_CALLS_MAX]; /* for the properties of machines */
	unsigned int retry_seconds;
	struct event io_event;
	struct event retry_event;
};

/* socket_path must outlive the bus. Does not connect yet. */
void machine_bus_init(MachineBus *bus, struct event_base *base, const char *socket_path,
		      void (*changed)(void *context), void *context);
void machine_bus_deinit(MachineBus *bus);

/* Connects now, or asks machined for everything again. Call at the start and at each reload. */
void machine_bus_refresh(MachineBus *bus);

#endif
