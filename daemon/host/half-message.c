/* SPDX-License-Identifier: MIT */
#include "half-message.h"

#include <event2/event.h>

#include "server.h"

static uint64_t connections_now(const Connections *connections)
{
	const Host *host = &connections->server->host;

	return host->now(host->self);
}

static void connections_set_half_timer(Connections *connections)
{
	const Connection *first = TAILQ_FIRST(&connections->half);
	uint64_t now = connections_now(connections);

	if (!first)
		return;
	uint64_t wait = first->half_deadline > now ? first->half_deadline - now : 0;
	struct timeval delay = {
		.tv_sec = (time_t)(wait / 1000000),
		.tv_usec = (suseconds_t)(wait % 1000000),
	};
	event_add(&connections->half_event, &delay);
}

void half_message_set(Connection *connection, bool is_half)
{
	Connections *connections = &connection->server->connections;
	bool is_same = connection->half_message == connection->session.message_count;

	if (connection->is_half && is_half && is_same)
		return; /* its time runs from the message's first byte on */
	if (connection->is_half)
		TAILQ_REMOVE(&connections->half, connection, link);
	connection->is_half = is_half;
	if (!is_half)
		return;
	connection->half_message = connection->session.message_count;
	connection->half_deadline =
		connections_now(connections) + UINT64_C(1000000) * LIMIT_HALF_MESSAGE_SECONDS;
	TAILQ_INSERT_TAIL(&connections->half, connection, link);
	if (TAILQ_FIRST(&connections->half) == connection)
		connections_set_half_timer(connections);
}

static void on_half_message_late(evutil_socket_t descriptor, short what, void *context)
{
	Connections *connections = context;
	Connection *first;

	(void)descriptor;
	(void)what;
	while ((first = TAILQ_FIRST(&connections->half)) &&
	       first->half_deadline <= connections_now(connections))
		connection_shut(first);
	connections_set_half_timer(connections);
}

void half_messages_init(Connections *connections, struct event_base *base)
{
	TAILQ_INIT(&connections->half);
	event_assign(&connections->half_event, base, -1, 0, on_half_message_late, connections);
}

void half_messages_deinit(Connections *connections)
{
	event_del(&connections->half_event);
}
