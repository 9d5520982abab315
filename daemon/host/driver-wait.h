/* SPDX-License-Identifier: MIT */
#ifndef HOST_DRIVER_WAIT_H
#define HOST_DRIVER_WAIT_H

#include <event2/event_struct.h>

#include "broker.h"

/* Tells the core when adapters have waited for their drivers for long enough. */
typedef struct DriverWait {
	Broker *broker;
	struct event event;
} DriverWait;

void driver_wait_init(DriverWait *wait, struct event_base *base);

/* All is restored: from now on time passes for those that wait. */
void driver_wait_begin(DriverWait *wait, Broker *broker);
void driver_wait_deinit(DriverWait *wait);

#endif
