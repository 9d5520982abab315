/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/fdstore-wait.h"

#include <event2/event.h>

#include "daemon/host/net/connection.h"
#include "proto/fd-util.h"

/* Retry after a second, because the fd store may have connected again. */
static const struct timeval retry = { .tv_sec = 1 };

static bool anybody_waits(const FdstoreWaits *waits)
{
	return waits->upkeep_waits || !TAILQ_EMPTY(&waits->users);
}

static void stop_waiting(FdstoreWaits *waits, PeerUser *user, ConnectionWaits *request)
{
	TAILQ_REMOVE(&user->storing, request, of_storing);
	request->waits_for_fdstore = false;
	if (TAILQ_EMPTY(&user->storing))
		TAILQ_REMOVE(&waits->users, user, of_storing);
}

/* Lets the first connection of each user try again. */
static void on_room(evutil_socket_t fd, short what, void *context)
{
	FdstoreWaits *waits = context;
	PeerUser *user, *next;

	(void)fd;
	(void)what;
	TAILQ_FOREACH_SAFE (user, &waits->users, of_storing, next) {
		ConnectionWaits *first = TAILQ_FIRST(&user->storing);

		stop_waiting(waits, user, first);
		connection_queue(first->connection);
	}
	if (waits->upkeep_waits)
		upkeep_persistence(waits->upkeep);
	waits->upkeep_waits = false;
	if (anybody_waits(waits))
		event_add(&waits->event, &retry);
}

void fdstore_waits_init(FdstoreWaits *waits, struct event_base *base, const FdStore *store,
			Upkeep *upkeep)
{
	*waits = (FdstoreWaits){ .base = base, .store = store, .upkeep = upkeep };
	TAILQ_INIT(&waits->users);
	event_assign(&waits->event, base, -1, 0, on_room, waits);
}

void fdstore_waits_deinit(FdstoreWaits *waits)
{
	event_del(&waits->event);
}

/* Returns false, with the event added, if there is no room. */
static bool has_room(FdstoreWaits *waits)
{
	int notify = waits->store->notify;

	if (notify < 0 || fd_poll(notify, POLLOUT) != 0)
		return true;
	if (anybody_waits(waits))
		return false;
	/* The event may still be added for an earlier waiter that has given up. */
	event_del(&waits->event);
	event_assign(&waits->event, waits->base, notify, EV_WRITE, on_room, waits);
	event_priority_set(&waits->event, 1);
	return event_add(&waits->event, &retry) < 0;
}

bool fdstore_is_ready(FdstoreWaits *waits, Connection *connection)
{
	PeerUser *user = connection->user;

	if (has_room(waits))
		return true;
	ConnectionWaits *request = connection_get_waits(connection);
	if (!request)
		return true; /* better slow than never answered */
	if (request->waits_for_fdstore)
		return false;
	if (TAILQ_EMPTY(&user->storing))
		TAILQ_INSERT_TAIL(&waits->users, user, of_storing);
	TAILQ_INSERT_TAIL(&user->storing, request, of_storing);
	request->waits_for_fdstore = true;
	return false;
}

bool fdstore_is_ready_for_upkeep(FdstoreWaits *waits)
{
	bool is_ready = has_room(waits);

	waits->upkeep_waits |= !is_ready;
	return is_ready;
}

void fdstore_end_wait(FdstoreWaits *waits, ConnectionWaits *request)
{
	if (request->waits_for_fdstore)
		stop_waiting(waits, request->connection->user, request);
}
