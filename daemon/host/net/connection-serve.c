/* SPDX-License-Identifier: MIT */
/* Serving a connection: its events, its turns, and the bytes in and out. */
#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

#include "daemon/host/log/log.h"
#include "daemon/host/net/caller-search.h"
#include "daemon/host/net/connection.h"
#include "daemon/host/net/receive.h"
#include "daemon/host/net/send.h"
#include "daemon/host/server.h"
#include "proto/fd-util.h"

/* Buffers larger than this are freed after use instead of being reused. */
#define SPARE_SIZE_MAX (128u << 10)

/* Interval for checking whether the user's pending closes have finished. */
static const struct timeval closes_pause = { .tv_usec = 1000 };

/* Events of a connection that waits for its turn, before it stops waiting for events. */
#define USELESS_EVENTS_MAX 8

static void on_ready(evutil_socket_t fd, short what, void *context);

/* --- buffers --------------------------------------------------------------------------------- */

/* Lends the spare buffer to a buffer that has no memory. */
static void buffer_borrow(Buffer *buffer, Buffer *spare)
{
	if (buffer->data)
		return;
	*buffer = *spare;
	*spare = BUFFER_INIT;
}

/* Returns the memory to the spare. Remaining bytes move to a new allocation of their size. */
static void buffer_return(Buffer *buffer, Buffer *spare)
{
	size_t size = buffer_size(buffer);
	Buffer remaining = BUFFER_INIT;

	if (!buffer->data)
		return;
	if (spare->data || buffer->capacity > SPARE_SIZE_MAX) {
		buffer_shrink(buffer);
		return;
	}
	if (size > 0 && !buffer_append(&remaining, buffer_head(buffer), size))
		return; /* out of memory: keep the large one */
	buffer->start = buffer->end = 0;
	*spare = *buffer;
	*buffer = remaining;
}

/* Returns the output of the turn: that which is unsent, or the spare one. */
static Buffer *connection_output(Connection *connection)
{
	return connection->unsent ? connection->unsent
				  : &connection_server(connection)->connections.spare_output;
}

void connection_drop_unsent(Connection *connection)
{
	if (connection->unsent)
		buffer_deinit(connection->unsent);
	free(connection->unsent);
	connection->unsent = NULL;
}

/* Moves unsent bytes from the spare buffer to the connection. Returns false if out of memory. */
static bool connection_take_unsent(Connection *connection, Buffer *spare)
{
	Buffer *unsent = calloc(1, sizeof(*unsent));

	if (!unsent)
		return false;
	connection->unsent = unsent;
	if (buffer_append(unsent, buffer_head(spare), buffer_size(spare)))
		return true;
	*unsent = *spare; /* out of memory: keep the large one */
	*spare = BUFFER_INIT;
	return true;
}

/* Keeps the output of the turn that is unsent. Returns false if out of memory. */
static bool connection_keep_unsent(Connection *connection)
{
	Buffer *spare = &connection_server(connection)->connections.spare_output;
	bool is_kept = true;

	if (connection->unsent && buffer_size(connection->unsent) == 0)
		connection_drop_unsent(connection);
	if (connection->unsent)
		buffer_shrink(connection->unsent);
	else if (buffer_size(spare) > 0)
		is_kept = connection_take_unsent(connection, spare);
	buffer_truncate(spare, 0);
	if (spare->capacity > SPARE_SIZE_MAX)
		buffer_deinit(spare);
	return is_kept;
}

static size_t unsent_size(const Connection *connection)
{
	return connection->unsent ? buffer_size(connection->unsent) : 0;
}

void connection_account_buffered(Connection *connection)
{
	const Session *session = &connection->session;
	/* Groups count as well, because a process can have 65536 of them. */
	const Groups *groups = &connection->caller.credentials.groups;
	uint32_t buffered =
		(uint32_t)(unsent_size(connection) + stream_unread(session->stream) +
			   buffer_size(&session->input) + groups->count * sizeof(*groups->ids));

	connection->user->buffered = connection->user->buffered - connection->buffered + buffered;
	connection->buffered = buffered;
}

void peer_user_shed_buffered(PeerUser *user)
{
	Connection *connection, *fullest = NULL;

	if (user->buffered <= LIMIT_BUFFERED_PER_UID)
		return;
	TAILQ_FOREACH (connection, &user->connections, link)
		if (!fullest || connection->buffered > fullest->buffered)
			fullest = connection;
	assert(fullest);
	log_warning("uid=%u has %zu bytes in memory: closing the connection of pid=%d, "
		    "which has %u",
		    user->uid, user->buffered, (int)fullest->caller.pid, fullest->buffered);
	connection_shut(fullest);
}

/* --- turns ----------------------------------------------------------------------------------- */

void connection_queue(Connection *connection)
{
	turns_queue(&connection_server(connection)->turns, &connection->user->turn_owner,
		    &connection->task);
}

/* Waits for events, besides the connection's turn. Closes the connection if out of memory. */
static void connection_wait_for(Connection *connection, short what)
{
	if (connection->waits_for == what)
		return;
	event_del(&connection->event);
	event_assign(&connection->event, connection_server(connection)->base, connection->socket,
		     (short)(what | EV_PERSIST), on_ready, connection);
	event_priority_set(&connection->event, 1);
	connection->waits_for = what;
	if (event_add(&connection->event, what == EV_TIMEOUT ? &closes_pause : NULL) == 0)
		return;
	log_error("out of memory: cannot wait for the requests of pid=%d; closing its connection",
		  (int)connection->caller.pid);
	connection_shut(connection);
}

static void on_ready(evutil_socket_t fd, short what, void *context)
{
	Connection *connection = context;

	(void)fd;
	connection->ready |= what;
	/* Until its turn comes, further events say nothing new. Some cost less than two system
	 * calls. */
	if (connection->task.owner && ++connection->useless_events > USELESS_EVENTS_MAX) {
		event_del(&connection->event);
		connection->waits_for = 0;
	}
	connection_queue(connection);
}

bool connection_begin_to_read(Connection *connection)
{
	event_assign(&connection->event, connection_server(connection)->base, connection->socket, 0,
		     on_ready, connection);
	connection_wait_for(connection, EV_READ);
	return connection->socket >= 0;
}

/* --- receiving ------------------------------------------------------------------------------- */

/*
 * Stops reading until some of the user's closes have finished. Used as long as the closes make
 * progress.
 */
static void connection_await_closes(Connection *connection)
{
	buffer_return(&connection->session.input,
		      &connection_server(connection)->connections.spare_input);
	connection_wait_for(connection, EV_TIMEOUT);
}

/*
 * Reports that the user's closes are stuck, and closes the connection together with the fds queued
 * in it.
 */
static void connection_refuse_fds(Connection *connection)
{
	Session *session = &connection->session;
	Buffer output = BUFFER_INIT;
	Failure failure;

	failure_closes_under_way(&failure);
	if (nul_is_queued(connection->socket))
		session_note_nul(session);
	session_write_last(session, &failure, &output);
	send_output(connection, &output);
	buffer_deinit(&output);
	connection_shut(connection);
}

/* Receives bytes into the session. Returns false if none came or the connection was closed. */
static bool connection_receive(Connection *connection, size_t most)
{
	Connections *connections = &connection_server(connection)->connections;
	Session *session = &connection->session;
	InputMetadata metadata;

	connection->is_behind = false;
	buffer_borrow(&session->input, &connections->spare_input);
	size_t before = buffer_size(&session->input);
	switch (receive(connection, most, &session->input, &metadata)) {
	case RECEIVED_BYTES:
		/* If the peer is dead, another process has reused its pid. */
		metadata.foreign |=
			!connection->process || !host_process_is_alive(connection->process);
		session_arrived(session, &metadata);
		connection->is_behind = buffer_size(&session->input) - before >= RECEIVE_SIZE;
		return true;
	case RECEIVED_END:
		/* The queue is empty, and the peer cannot add to it any more. */
		connection->may_hold_fds = false;
		session_end_of_input(session);
		return true;
	case RECEIVED_NOTHING:
		buffer_return(&session->input, &connections->spare_input);
		connection_wait_for(connection, EV_READ);
		return false;
	case RECEIVED_TOO_MANY_FDS:
		if (fd_closer_is_stuck(&connection_server(connection)->closer, connection->user))
			connection_refuse_fds(connection);
		else
			connection_await_closes(connection);
		return false;
	case RECEIVED_ERROR:
		break;
	}
	connection_shut(connection);
	return false;
}

ConnectionWaits *connection_get_waits(Connection *connection)
{
	if (!connection->waits) {
		connection->waits = calloc(1, sizeof(*connection->waits));
		if (connection->waits)
			connection->waits->connection = connection;
	}
	return connection->waits;
}

void connection_end_waits(Connection *connection)
{
	if (!connection->waits)
		return;
	connection_end_search(connection);
	fdstore_end_wait(&connection_server(connection)->fdstore_waits, connection->waits);
	gpu_looks_end_wait(connection->waits);
	free(connection->waits);
	connection->waits = NULL;
}

/* --- serving --------------------------------------------------------------------------------- */

/* Answers requests, or sends events of a watch, until the turn has ended. */
static void connection_answer(Connection *connection)
{
	Connections *connections = &connection_server(connection)->connections;
	Session *session = &connection->session;

	session->service->turn_ends = connection_server(connection)->turns.ends;
	Buffer *output = connection_output(connection);
	if (session_pump(session, output) != SESSION_WAITS)
		connection_end_waits(connection);
	if (!send_output(connection, output))
		session->state = SESSION_BROKEN;
	else if (session->state == SESSION_BROKEN)
		log_warning(
			"pid=%d uid=%u does not read the events it watches: closing its connection",
			(int)connection->caller.pid, connection->caller.credentials.uid);
	buffer_return(&session->input, &connections->spare_input);
	if (!connection_keep_unsent(connection))
		session->state = SESSION_BROKEN;
	connection_account_buffered(connection);
	upkeep_after_change(&connection_server(connection)->upkeep);
}

void connection_stop_timeout(Connection *connection)
{
	if (connection->partial)
		message_timeout_stop(&connection->partial->timeout);
	free(connection->partial);
	connection->partial = NULL;
}

/*
 * Starts or stops the timeout of a partial message. Returns false if out of memory; a message
 * without a timeout would stay for ever.
 */
static bool connection_update_timeout(Connection *connection, bool is_sent)
{
	Connections *connections = &connection_server(connection)->connections;
	Session *session = &connection->session;
	MessageTimeouts *timeouts = session_lingers(session) ? &connections->linger_timeouts
							     : &connections->message_timeouts;

	/* A client that does not read its replies is not read either, so its message may wait. */
	if (!is_sent || !session_has_partial_message(session)) {
		connection_stop_timeout(connection);
		return true;
	}
	if (!connection->partial) {
		connection->partial = calloc(1, sizeof(*connection->partial));
		if (!connection->partial)
			return false;
		connection->partial->connection = connection;
	}
	message_timeout_start(timeouts, &connection->partial->timeout, session->message_count);
	return true;
}

/* Serves the connection. Returns true if there is more to do for it. */
static bool connection_serve(Connection *connection)
{
	const Session *session = &connection->session;
	PeerUser *user = connection->user;

	connection_answer(connection);
	bool is_sent = !connection->unsent;
	SessionState state = session->state;
	bool waits = is_sent && (state == SESSION_WATCHES || state == SESSION_WAITS);

	if (state == SESSION_BROKEN || (state == SESSION_FINISHED && is_sent) ||
	    !connection_update_timeout(connection, is_sent)) {
		connection_shut(connection);
		return false;
	}
	/*
	 * Nothing is read while output is pending: a client that does not read its replies cannot
	 * send more requests. While a request or a watch waits, only a hangup matters.
	 */
	connection_wait_for(connection, waits ? EV_READ | EV_ET : is_sent ? EV_READ : EV_WRITE);
	if (connection->socket < 0)
		return false;
	bool goes_on = state == SESSION_PAUSED || (state == SESSION_READS && connection->is_behind);
	peer_user_shed_buffered(user);
	return is_sent && goes_on;
}

/* Sends pending output. Returns true if so little is left that requests can be answered. */
static bool connection_send(Connection *connection)
{
	if (!send_output(connection, connection->unsent)) {
		connection_shut(connection);
		return false;
	}
	connection_account_buffered(connection);
	if (unsent_size(connection) <= LIMIT_UNREAD_PAUSE / 2 ||
	    stream_is_dropped(connection->session.stream))
		return true;
	connection_wait_for(connection, EV_WRITE);
	return false;
}

/* Returns true if the peer has closed both directions. */
static bool connection_has_hung_up(const Connection *connection)
{
	return fd_poll(connection->socket, 0) & (POLLHUP | POLLERR);
}

bool connection_run(Task *task)
{
	Connection *connection = container_of(task, Connection, task);
	SessionState state = connection->session.state;
	short ready = connection->ready;

	connection->ready = 0;
	connection->useless_events = 0;
	examiner_forget(&connection_server(connection)->examiner);
	if (connection->unsent) {
		if (!connection_send(connection))
			return false;
	} else if (state == SESSION_READS) {
		if (!connection_receive(connection, RECEIVE_SIZE))
			return false;
	} else if (ready & EV_READ && session_waits_to_send(&connection->session)) {
		if (connection_has_hung_up(connection)) {
			connection_shut(connection);
			return false;
		}
		/* Requests behind the NUL are read when the watch has ended. */
		if (state == SESSION_WATCHES && session_awaits_nul(&connection->session) &&
		    nul_is_next(connection->socket) && !connection_receive(connection, 1))
			return false;
	}
	return connection_serve(connection);
}
