/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_ETCD_CHANGES_H
#define DAEMON_FLEET_ETCD_CHANGES_H

#include "daemon/fleet/etcd/transport.h"

/* The changes in progress. Only the first one is being sent, so that they keep their order. */

typedef struct Change Change;

typedef struct Changes {
	Exchange exchange;
	TAILQ_HEAD(, Change) waiting; /* the first ones run if the exchange does */
	size_t running;               /* the number of those */
	TAILQ_HEAD(, Change) settled; /* EtcdDone has to be called */
	size_t count;                 /* of both */
} Changes;

void changes_init(Changes *changes);
void changes_deinit(Changes *changes);

/* Calls EtcdDone for settled changes, and sends the next changes. */
void changes_wake(Changes *changes);

/* Settles all changes. Those that run may have happened. */
void changes_break(Changes *changes, const char *why);

/* Returns the time at which changes_wake() is due: now or never. */
int64_t changes_deadline(const Changes *changes);

#endif
