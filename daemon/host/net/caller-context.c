/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/caller-context.h"

#include <stdlib.h>

#include "daemon/host/server.h"

/*
 * The search for a connection's request. It is in the user's queue until it has ended, and the
 * first of the queue is with the examiner. The connection owns it; if the connection closes first,
 * the queue does.
 */
struct CallerSearch {
	ContextRequest request;
	Connection *connection; /* NULL if it has closed */
	PeerUser *user;
	bool is_asked;
	bool has_ended;
	Lookup lookup; /* the result, if it has ended */
	GraphicsContextKind kind;
	TAILQ_ENTRY(CallerSearch) link;
};

static void search_end(CallerSearch *search, Lookup lookup, GraphicsContextKind kind)
{
	TAILQ_REMOVE(&search->user->searches, search, link);
	search->has_ended = true;
	search->lookup = lookup;
	search->kind = kind;
	if (search->connection)
		connection_queue(search->connection);
	else
		free(search);
}

static void on_answer(ContextRequest *request, Lookup lookup, GraphicsContextKind kind);

/* Asks for the first search of the queue, unless that has been done. */
static void peer_user_search(PeerUser *user)
{
	CallerSearch *search;

	while ((search = TAILQ_FIRST(&user->searches)) && !search->is_asked) {
		const Connection *connection = search->connection;
		const Payer payer = { .uid = user->uid, .is_operator = user->is_operator };

		search->request.answered = on_answer;
		search->is_asked =
			examiner_ask_context(&connection->server->examiner, &search->request,
					     connection->process->pid, connection->process->pidfd,
					     &payer) == LOOKUP_PENDING;
		if (!search->is_asked)
			search_end(search, LOOKUP_EXHAUSTED, 0);
	}
}

static void on_answer(ContextRequest *request, Lookup lookup, GraphicsContextKind kind)
{
	CallerSearch *search = container_of(request, CallerSearch, request);
	PeerUser *user = search->user;

	search_end(search, lookup, kind);
	peer_user_search(user);
	peer_user_put(user);
}

static CallerSearch *search_new(Connection *connection)
{
	CallerSearch *search = calloc(1, sizeof(*search));

	if (!search)
		return NULL;
	search->connection = connection;
	search->user = connection->user;
	TAILQ_INSERT_TAIL(&search->user->searches, search, link);
	return search;
}

Lookup connection_find_graphics_context(Connection *connection, GraphicsContextKind *ret_kind)
{
	if (!connection->process)
		return LOOKUP_GONE;
	if (!connection->search) {
		connection->search = search_new(connection);
		if (!connection->search)
			return LOOKUP_EXHAUSTED;
		peer_user_search(connection->user);
	}
	const CallerSearch *search = connection->search;
	if (!search->has_ended)
		return LOOKUP_PENDING;
	*ret_kind = search->kind;
	return search->lookup;
}

void connection_end_search(Connection *connection)
{
	CallerSearch *search = connection->search;

	if (!search)
		return;
	connection->search = NULL;
	search->connection = NULL;
	if (search->is_asked && !search->has_ended)
		return; /* freed with its answer */
	if (!search->has_ended)
		TAILQ_REMOVE(&search->user->searches, search, link);
	free(search);
}
