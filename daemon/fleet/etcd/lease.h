/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_ETCD_LEASE_H
#define DAEMON_FLEET_ETCD_LEASE_H

#include "daemon/fleet/etcd/transport.h"

/*
 * The lease of the client: granted once etcd is reached, and kept alive three times in its TTL. It
 * counts as lost at the time when the last answered keepalive was sent, plus the TTL. etcd cannot
 * have ended it earlier, however slow the answer was.
 */

typedef struct Lease {
	Exchange exchange;
	int64_t id;      /* 0 for none */
	int64_t sent_at; /* of the exchange that runs */
	int64_t ttl;     /* milliseconds, as etcd has granted them */
	int64_t ends_at;
	int64_t due_at; /* of the next keepalive, or of the next attempt to get a lease */
	int64_t pause;  /* before the next attempt, in milliseconds */
	char why[256];  /* the last reason for having no lease; "" while one is held */
} Lease;

void lease_init(Lease *lease);
void lease_deinit(Lease *lease);

/* Tests whether the lease is held at the time. */
bool lease_is_held(const Lease *lease, int64_t time);

/* Reports a lease that has ended, and sends the next request when it is due. */
void lease_wake(Lease *lease);

/* The client is connected again: keeps the lease alive at once. */
void lease_connected(Lease *lease);

/* etcd has said that the lease does not exist. */
void lease_lose(Lease *lease, const char *why);

int64_t lease_deadline(const Lease *lease);

#endif
