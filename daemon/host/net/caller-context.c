/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/caller-context.h"

#include <stdlib.h>

#include "daemon/host/process/graphics-context.h"
#include "daemon/host/server.h"

/* The search for a connection's request, which waits for it if it takes longer than a turn. */
struct CallerSearch {
	Task task;
	Connection *connection;
	bool has_ended;
	ContextSearch search;
};

/* Searches until the turn has ended. Returns true if the search has not ended. */
static bool search_in_turn(CallerSearch *caller)
{
	const Turns *turns = &caller->connection->server->turns;

	do
		caller->has_ended = context_search_step(&caller->search);
	while (!caller->has_ended && !turns_has_ended(turns));
	return !caller->has_ended;
}

static bool run_search(Task *task)
{
	CallerSearch *caller = container_of(task, CallerSearch, task);
	bool goes_on = search_in_turn(caller);

	if (!goes_on)
		connection_queue(caller->connection);
	return goes_on;
}

static CallerSearch *search_new(Connection *connection)
{
	struct Server *server = connection->server;
	CallerSearch *caller = calloc(1, sizeof(*caller));

	if (!caller)
		return NULL;
	caller->task = TASK_INIT(run_search);
	caller->connection = connection;
	context_search_begin(&caller->search, connection->process, &server->closer,
			     connection->user);
	return caller;
}

Lookup connection_find_graphics_context(Connection *connection, GraphicsContextKind *ret_kind)
{
	CallerSearch *caller = connection->search;

	if (!connection->process)
		return LOOKUP_GONE;
	if (!caller) {
		caller = connection->search = search_new(connection);
		if (!caller)
			return LOOKUP_EXHAUSTED;
		if (search_in_turn(caller))
			turns_queue(&connection->server->turns, &connection->user->turn_owner,
				    &caller->task);
	}
	if (!caller->has_ended)
		return LOOKUP_PENDING;
	*ret_kind = caller->search.kind;
	return caller->search.lookup;
}

void connection_end_search(Connection *connection)
{
	CallerSearch *caller = connection->search;

	if (!caller)
		return;
	turns_remove(&connection->server->turns, &caller->task);
	context_search_cancel(&caller->search);
	free(caller);
	connection->search = NULL;
}
