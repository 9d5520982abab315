/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_NET_FDSTORE_WAIT_H
#define DAEMON_HOST_NET_FDSTORE_WAIT_H

#include <event2/event_struct.h>

#include "daemon/host/net/peer-user.h"
#include "daemon/host/persist/fd-store.h"
#include "daemon/host/upkeep.h"

/*
 * Lets requests wait until the service manager has room for messages, because send() blocks the
 * event loop until then. Otherwise a user could delay all others by sharing objects.
 */
typedef struct FdstoreWaits {
	struct event_base *base;
	const FdStore *store;
	struct event event;           /* added while anybody waits */
	TAILQ_HEAD(, PeerUser) users; /* that have connections waiting */
	Upkeep *upkeep;
	bool upkeep_waits;
} FdstoreWaits;

void fdstore_waits_init(FdstoreWaits *waits, struct event_base *base, const FdStore *store,
			Upkeep *upkeep);
void fdstore_waits_deinit(FdstoreWaits *waits);

/*
 * Tests whether the service manager has room for a message. If not, the connection, or the upkeep
 * of the persistence, gets a turn when it has. One connection of each user gets it at a time, so
 * that no user delays another by the number of its connections.
 */
bool fdstore_is_ready(FdstoreWaits *waits, Connection *connection);
bool fdstore_is_ready_for_upkeep(FdstoreWaits *waits);

/* Ends the wait, if any. Call when its request has been answered, or the connection closes. */
void fdstore_end_wait(FdstoreWaits *waits, struct ConnectionWaits *request);

#endif
