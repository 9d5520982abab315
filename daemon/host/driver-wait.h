/* SPDX-License-Identifier: MIT */
#ifndef HOST_DRIVER_WAIT_H
#define HOST_DRIVER_WAIT_H

#include <event2/event_struct.h>

#include "broker.h"

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
