/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/connection.h"

#include <assert.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/api/dispatch.h"
#include "daemon/api/reply.h"
#include "daemon/host/log/log.h"
#include "daemon/host/net/peer.h"
#include "daemon/host/net/receive.h"
#include "daemon/host/net/send.h"
#include "daemon/host/server.h"
#include "proto/fd-util.h"

/* Buffers larger than this are freed after use instead of being reused. */
#define SPARE_SIZE_MAX (128u << 10)

/* Interval for checking whether the user's pending closes have finished. */
static const struct timeval closes_pause = { .tv_usec = 1000 };

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

/* --- the end of a connection ----------------------------------------------------------------- */

static void connection_account_unread(Connection *connection)
{
	uint32_t unread = (uint32_t)(buffer_size(&connection->output) +
				     stream_unread(connection->session.stream));

	connection->user->unread = connection->user->unread - connection->unread + unread;
	connection->unread = unread;
}

/* Adds the connection to the list of connections to pump at the end of the turn, or removes it. */
static void connection_set_ready(Connection *connection, bool is_ready)
{
	ConnectionList *ready = &connection->server->connections.ready;

	if (connection->is_ready && !is_ready)
		TAILQ_REMOVE(ready, connection, link);
	else if (!connection->is_ready && is_ready)
		TAILQ_INSERT_TAIL(ready, connection, link);
	connection->is_ready = is_ready;
}

void connection_shut(Connection *connection)
{
	struct Server *server = connection->server;
	PeerUser *user = connection->user;

	if (connection->socket < 0)
		return;
	event_del(&connection->event);
	message_timeout_stop(&server->connections.message_timeouts, &connection->message_timeout);
	connection_set_ready(connection, false);
	buffer_deinit(&connection->output);
	session_deinit(&connection->session);
	connection_account_unread(connection);
	TAILQ_REMOVE(&user->connections, connection, of_user);
	user->connection_count--;
	if (connection->may_hold_fds) {
		shutdown(connection->socket, SHUT_RDWR);
		fd_closer_close(&server->closer, user, TAKE_FD(connection->socket));
	} else {
		fd_close(&connection->socket);
	}
	peer_user_put(user);
	charge_return(&connection->charge, &server->service.broker->accounts);
	service_manager_changed(&server->manager);
	host_process_unref(connection->process);
	TAILQ_INSERT_TAIL(&server->connections.dead, connection, link);
	event_active(&server->connections.free_event, EV_TIMEOUT, 0);
}

static void on_message_timeout(MessageTimeout *timeout)
{
	connection_shut(container_of(timeout, Connection, message_timeout));
}

static void on_free_dead(evutil_socket_t fd, short what, void *context)
{
	Connections *connections = context;
	Connection *connection;

	(void)fd;
	(void)what;
	while ((connection = TAILQ_FIRST(&connections->dead))) {
		TAILQ_REMOVE(&connections->dead, connection, link);
		broker_connection_closed(connections->server->service.broker, &connection->caller);
		connection_credentials_deinit(&connection->caller.credentials);
		free(connection);
	}
}

/* --- sending --------------------------------------------------------------------------------- */

/*
 * If the user has more than LIMIT_UNREAD_PER_UID bytes unread, closes the connection with most of
 * them.
 */
static void peer_user_shed_unread(PeerUser *user)
{
	Connection *connection, *fullest = NULL;

	if (user->unread <= LIMIT_UNREAD_PER_UID)
		return;
	TAILQ_FOREACH (connection, &user->connections, of_user)
		if (!fullest || connection->unread > fullest->unread)
			fullest = connection;
	assert(fullest);
	log_warning("uid=%u has %zu bytes unread: closing the connection of pid=%d, which has %u",
		    user->uid, user->unread, (int)fullest->caller.pid, fullest->unread);
	connection_shut(fullest);
}

static void connection_wait_for(Connection *connection, short what)
{
	if (connection->waits_for == what)
		return;
	event_del(&connection->event);
	event_assign(&connection->event, connection->server->base, connection->socket,
		     (short)(what | EV_PERSIST), on_ready, connection);
	event_priority_set(&connection->event, 1);
	connection->waits_for = what;
	if (event_add(&connection->event, what == EV_TIMEOUT ? &closes_pause : NULL) < 0)
		log_error("out of memory: cannot wait for events on the connection of pid=%d",
			  (int)connection->caller.pid);
}

/* --- serving --------------------------------------------------------------------------------- */

/* Processes the buffered requests and sends the replies. */
static void connection_serve(Connection *connection)
{
	Connections *connections = &connection->server->connections;
	Session *session = &connection->session;
	PeerUser *user = connection->user;

	connection_set_ready(connection, false);
	buffer_borrow(&connection->output, &connections->spare_output);
	session_pump(session, &connection->output);
	bool alive = send_output(connection);
	buffer_return(&session->input, &connections->spare_input);
	buffer_return(&connection->output, &connections->spare_output);
	connection_account_unread(connection);

	bool is_sent = buffer_size(&connection->output) == 0;
	if (session->state == SESSION_BROKEN)
		log_warning(
			"pid=%d uid=%u does not read the events it watches: closing its connection",
			(int)connection->caller.pid, connection->caller.credentials.uid);
	if (!alive || session->state == SESSION_BROKEN ||
	    (session->state == SESSION_FINISHED && is_sent)) {
		connection_shut(connection);
		return;
	}
	/*
	 * Read nothing while output is pending: a client that does not read its replies cannot send
	 * more requests, and its partial message does not time out meanwhile.
	 */
	bool reads = is_sent && session->state == SESSION_READS;
	bool watches = is_sent && session->state == SESSION_WATCHES;
	if (reads && session_has_partial_message(session))
		message_timeout_start(&connections->message_timeouts, &connection->message_timeout,
				      session->message_count);
	else
		message_timeout_stop(&connections->message_timeouts, &connection->message_timeout);
	connection_wait_for(connection, watches ? EV_READ | EV_ET : is_sent ? EV_READ : EV_WRITE);
	/* The session yielded with requests left: continue in the next turn. */
	if (is_sent && session->state == SESSION_PAUSED)
		event_active(&connection->event, EV_WRITE, 0);
	peer_user_shed_unread(user);
}

/*
 * Stops reading until some of the user's closes have finished. Used as long as the closes make
 * progress.
 */
static void connection_await_closes(Connection *connection)
{
	buffer_return(&connection->session.input, &connection->server->connections.spare_input);
	connection_wait_for(connection, EV_TIMEOUT);
}

/*
 * Reports that the user's closes are stuck, and closes the connection together with the fds queued
 * in it.
 */
static void connection_refuse_fds(Connection *connection)
{
	Buffer *output = &connection->output;
	Writer writer = WRITER_INIT(output);
	Failure failure;

	failure_closes_under_way(&failure);
	reply_failure(&writer, INTERFACE_VAILD, &failure, '\n');
	if (!writer.failed)
		send_output(connection);
	connection_shut(connection);
}

/* Receives bytes into the session. Returns false if none came or the connection was closed. */
static bool connection_receive(Connection *connection)
{
	Connections *connections = &connection->server->connections;
	Session *session = &connection->session;
	InputMetadata metadata;

	buffer_borrow(&session->input, &connections->spare_input);
	switch (receive(connection, &session->input, &metadata)) {
	case RECEIVED_BYTES:
		/* If the peer is dead, another process has reused its pid. */
		metadata.foreign |=
			connection->process && !host_process_is_alive(connection->process);
		session_arrived(session, &metadata);
		return true;
	case RECEIVED_END:
		/* The queue is empty, and the peer cannot add to it any more. */
		connection->may_hold_fds = false;
		session_end_of_input(session);
		return true;
	case RECEIVED_NOTHING:
		buffer_return(&session->input, &connections->spare_input);
		return false;
	case RECEIVED_TOO_MANY_FDS:
		if (fd_closer_is_stuck(connection->user))
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

/* Returns true if the peer has closed both directions. */
static bool connection_has_hung_up(const Connection *connection)
{
	return fd_poll(connection->socket, 0) & (POLLHUP | POLLERR);
}

static void on_ready(evutil_socket_t fd, short what, void *context)
{
	Connection *connection = context;

	(void)fd;
	if (what & EV_WRITE) {
		if (!send_output(connection)) {
			connection_shut(connection);
			return;
		}
		connection_account_unread(connection);
		if (buffer_size(&connection->output) > LIMIT_UNREAD_PAUSE / 2)
			return;
	} else if (connection->session.state == SESSION_WATCHES) {
		/* Requests after a watch stay unread; only a hangup matters. */
		if (connection_has_hung_up(connection))
			connection_shut(connection);
		return;
	} else if (!connection_receive(connection)) {
		return;
	}
	connection_serve(connection);
}

/* --- watches --------------------------------------------------------------------------------- */

void connection_watch_ready(Session *session)
{
	Connection *connection = container_of(session, Connection, session);
	Connections *connections = &connection->server->connections;

	if (connection->is_ready)
		return;
	connection_set_ready(connection, true);
	event_active(&connections->ready_event, EV_TIMEOUT, 0);
}

static void on_watches_ready(evutil_socket_t fd, short what, void *context)
{
	Connections *connections = context;
	Connection *connection;

	(void)fd;
	(void)what;
	while ((connection = TAILQ_FIRST(&connections->ready)))
		connection_serve(connection);
}

/* --- the beginning of a connection ----------------------------------------------------------- */

/*
 * Returns true if clients may have queued fds on the socket: if the kernel lacks SO_PASSRIGHTS, or
 * if the connection was made before the daemon started and the listener, still held by systemd,
 * allowed them.
 */
static bool socket_may_hold_fds(int socket)
{
	int passes;
	socklen_t size = sizeof(passes);

	return getsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &passes, &size) < 0 || passes;
}

/*
 * Updates whether the caller may send fds: only a VMM or an agent may. Kernels with SO_PASSRIGHTS
 * drop the fds of all others.
 */
static void connection_update_fd_passing(Connection *connection)
{
	bool takes = caller_may_share(&connection->server->service, &connection->caller);
	int passes = takes;

	if (takes == connection->takes_fds)
		return;
	connection->takes_fds = takes;
	setsockopt(connection->socket, SOL_SOCKET, SO_PASSRIGHTS, &passes, sizeof(passes));
	/* Fds that were queued while they were allowed may still be there. */
	connection->may_hold_fds |= takes;
}

/* Closes a socket that has no Connection yet. It may have fds queued already. */
static void discard_socket(struct Server *server, PeerUser *user, int socket)
{
	if (socket_may_hold_fds(socket)) {
		shutdown(socket, SHUT_RDWR);
		fd_closer_close(&server->closer, user, socket);
	} else {
		close(socket);
	}
}

/* Sends the failure if the socket accepts it without blocking, then closes the socket. */
static void refuse(struct Server *server, PeerUser *user, int socket, const Failure *failure)
{
	Buffer reply = BUFFER_INIT;
	Writer writer = WRITER_INIT(&reply);

	reply_failure(&writer, INTERFACE_VAILD, failure, '\n');
	if (!writer.failed)
		send(socket, buffer_head(&reply), buffer_size(&reply), MSG_NOSIGNAL | MSG_DONTWAIT);
	buffer_deinit(&reply);
	discard_socket(server, user, socket);
}

void connection_give_up(struct Server *server, int socket)
{
	uid_t uid;
	PeerUser *user = peer_uid(socket, &uid) == 0 ? peer_user_get(&server->users, uid) : NULL;

	if (!user) {
		log_error("out of memory: cannot close socket %d, which stays open", socket);
		return;
	}
	discard_socket(server, user, socket);
	peer_user_put(user);
}

static void connection_start(Connection *connection)
{
	struct Server *server = connection->server;

	session_init(&connection->session, &server->service, &connection->caller);
	TAILQ_INSERT_HEAD(&connection->user->connections, connection, of_user);
	connection->user->connection_count++;
	connection_update_fd_passing(connection);
	service_manager_changed(&server->manager);
	event_assign(&connection->event, server->base, connection->socket, EV_READ | EV_PERSIST,
		     on_ready, connection);
	event_priority_set(&connection->event, 1);
	connection->waits_for = EV_READ;
	if (event_add(&connection->event, NULL) < 0)
		connection_shut(connection);
}

static Connection *connection_new(struct Server *server, int socket)
{
	static const int on = 1;
	Connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	/* Current kernels inherit this from the listener; older ones do not. */
	setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	connection->server = server;
	connection->socket = socket;
	connection->may_hold_fds = socket_may_hold_fds(socket);
	return connection;
}

/* Frees a connection that has not been started. */
static void connection_abandon(Connection *connection)
{
	connection_credentials_deinit(&connection->caller.credentials);
	free(connection);
}

/*
 * Charges the connection to its account and references the process. If the charge is refused, sends
 * the failure, closes the socket and returns false.
 */
static bool connection_admit(Connection *connection)
{
	struct Server *server = connection->server;
	Caller *caller = &connection->caller;
	Failure failure;

	caller->is_operator = settings_make_operator(&server->service.settings, caller);
	const Payer payer = payer_of(caller);
	if (charge_take(&connection->charge, &server->service.broker->accounts, &payer,
			LIMIT_CONNECTIONS, &failure) != STATUS_SUCCESS) {
		refuse(server, connection->user, connection->socket, &failure);
		peer_user_put(connection->user);
		return false;
	}
	if (connection->process)
		host_process_ref(connection->process);
	return true;
}

int connection_accept(struct Server *server, int socket)
{
	Connection *connection = connection_new(server, socket);
	int error = connection ? peer_identify(socket, &server->processes, &server->own_namespace,
					       &connection->caller, &connection->process)
			       : -ENOMEM;

	if (error == 0) {
		connection->user = peer_user_get(&server->users, connection->caller.account);
		error = connection->user ? 0 : -ENOMEM;
	}
	if (error == 0 && connection_admit(connection))
		connection_start(connection);
	else if (connection)
		connection_abandon(connection);
	return error;
}

/* --- all of them ----------------------------------------------------------------------------- */

void connections_init(Connections *connections, struct Server *server)
{
	*connections = (Connections){ .server = server };
	TAILQ_INIT(&connections->ready);
	TAILQ_INIT(&connections->dead);
	message_timeouts_init(&connections->message_timeouts, server->base, &server->host,
			      on_message_timeout);
	event_assign(&connections->ready_event, server->base, -1, 0, on_watches_ready, connections);
	event_assign(&connections->free_event, server->base, -1, 0, on_free_dead, connections);
}

void connections_deinit(Connections *connections)
{
	PeerUser *heaviest;

	while ((heaviest = peer_users_heaviest(&connections->server->users)))
		connection_shut(TAILQ_FIRST(&heaviest->connections));
	on_free_dead(-1, 0, connections);
	message_timeouts_deinit(&connections->message_timeouts);
	event_del(&connections->ready_event);
	event_del(&connections->free_event);
	buffer_deinit(&connections->spare_input);
	buffer_deinit(&connections->spare_output);
}

void connections_update_fd_passing(Connections *connections)
{
	PeerUser *user;
	Connection *connection;

	for (user = peer_users_first(&connections->server->users); user;
	     user = peer_user_next(user))
		TAILQ_FOREACH (connection, &user->connections, of_user)
			connection_update_fd_passing(connection);
}

void connections_reclassify(Connections *connections)
{
	struct Server *server = connections->server;
	PeerUser *user;
	Connection *connection;

	for (user = peer_users_first(&server->users); user; user = peer_user_next(user))
		TAILQ_FOREACH (connection, &user->connections, of_user)
			connection->caller.is_operator = settings_make_operator(
				&server->service.settings, &connection->caller);
}
