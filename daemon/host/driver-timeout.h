/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_DRIVER_TIMEOUT_H
#define DAEMON_HOST_DRIVER_TIMEOUT_H

#include <event2/event_struct.h>

#include "daemon/core/broker.h"

/*
 * Ends restored adapters whose drivers do not register them again in time, and restored display
 * channels whose agents do not serve them again.
 */
typedef struct DriverTimeout {
	Broker *broker;
	struct event event;
} DriverTimeout;

void driver_timeout_init(DriverTimeout *wait, struct event_base *base);

/* Starts the timer. Call when the restore is complete. */
void driver_timeout_begin(DriverTimeout *wait, Broker *broker);
void driver_timeout_deinit(DriverTimeout *wait);

#endif
