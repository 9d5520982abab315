/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_DRIVER_TIMEOUT_H
#define DAEMON_HOST_DRIVER_TIMEOUT_H

#include <event2/event_struct.h>

#include "daemon/core/broker.h"

/* Ends restored adapters whose drivers do not register them again in time. */
typedef struct DriverWait {
	Broker *broker;
	struct event event;
} DriverWait;

void driver_wait_init(DriverWait *wait, struct event_base *base);

/* Starts the timer. Call when the restore is complete. */
void driver_wait_begin(DriverWait *wait, Broker *broker);
void driver_wait_deinit(DriverWait *wait);

#endif
