/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/connection.h"

#include <assert.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/api/dispatch.h"
#include "daemon/api/reply.h"
#include "daemon/host/log/log.h"
#include "daemon/host/net/caller-search.h"
#include "daemon/host/net/peer.h"
#include "daemon/host/net/send.h"
#include "daemon/host/server.h"
#include "proto/fd-util.h"

/* --- the end of a connection ----------------------------------------------------------------- */

void connection_shut(Connection *connection)
{
	struct Server *server = connection_server(connection);
	PeerUser *user = connection->user;

	if (connection->socket < 0)
		return;
	event_del(&connection->event);
	connection_stop_timeout(connection);
	turns_remove(&server->turns, &connection->task);
	connection_end_waits(connection);
	connection_drop_unsent(connection);
	session_deinit(&connection->session);
	user->buffered -= connection->buffered;
	connection->buffered = 0;
	TAILQ_REMOVE(&user->connections, connection, link);
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
	Connection *connection = container_of(timeout, PartialMessage, timeout)->connection;

	/* No output is unsent while such a timeout runs. */
	if (!session_lingers(&connection->session)) {
		Buffer output = BUFFER_INIT;

		session_write_timeout(&connection->session, &output);
		send_output(connection, &output);
		buffer_deinit(&output);
	}
	connection_shut(connection);
}

static void on_free_dead(evutil_socket_t fd, short what, void *context)
{
	Connections *connections = context;
	Service *service = &connections->server->service;
	Connection *connection;

	(void)fd;
	(void)what;
	while ((connection = TAILQ_FIRST(&connections->dead))) {
		TAILQ_REMOVE(&connections->dead, connection, link);
		store_forget_guests(&service->store, &connection->caller);
		broker_connection_closed(service->broker, &connection->caller);
		upkeep_after_change(&connections->server->upkeep);
		connection_credentials_deinit(&connection->caller.credentials);
		free(connection);
	}
}

void connection_watch_ready(Session *session)
{
	connection_queue(container_of(session, Connection, session));
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
	bool takes = caller_may_share(&connection_server(connection)->service, &connection->caller);
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
	Payer payer = { 0 };
	PeerUser *user = NULL;

	if (peer_uid(socket, &payer.uid) == 0) {
		payer.uid = subordinate_ids_owner(&server->subordinate_ids, payer.uid);
		user = peer_user_get(&server->users, &payer);
	}
	if (!user) {
		log_error("out of memory: cannot close socket %d, which stays open", socket);
		return;
	}
	discard_socket(server, user, socket);
	peer_user_put(user);
}

static void connection_start(Connection *connection)
{
	struct Server *server = connection_server(connection);

	TAILQ_INSERT_HEAD(&connection->user->connections, connection, link);
	connection->user->connection_count++;
	connection_update_fd_passing(connection);
	service_manager_changed(&server->manager);
	connection->task = TASK_INIT(connection_run);
	if (!connection_begin_to_read(connection))
		return;
	connection_account_buffered(connection);
	peer_user_shed_buffered(connection->user);
}

static Connection *connection_new(struct Server *server, int socket)
{
	static const int on = 1, send_buffer = LIMIT_SEND_BUFFER;
	Connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	/* Current kernels inherit this from the listener; older ones do not. */
	setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	/* By default the replies that a client does not read take 240 KB of kernel memory. */
	setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
	session_init(&connection->session, &server->service, &connection->caller);
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
	struct Server *server = connection_server(connection);
	Caller *caller = &connection->caller;
	Failure failure;

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
					       &server->subordinate_ids, &connection->caller,
					       &connection->process)
			       : -ENOMEM;

	if (error == -ESRCH) { /* none of its messages would be acted on */
		connection_give_up(server, socket);
		connection_abandon(connection);
		return 0;
	}
	if (error == 0) {
		settings_grant(&server->service.settings, &connection->caller);
		const Payer payer = payer_of(&connection->caller);
		connection->user = peer_user_get(&server->users, &payer);
		error = connection->user ? 0 : -ENOMEM;
	}
	if (error == 0 && connection_admit(connection))
		connection_start(connection);
	else if (connection)
		connection_abandon(connection);
	return error;
}

Lookup connection_read_groups(Connection *connection)
{
	int error = peer_read_groups(connection->socket, &connection->caller);

	connection_account_buffered(connection);
	return error < 0 ? LOOKUP_EXHAUSTED : LOOKUP_FOUND;
}

/* --- all of them ----------------------------------------------------------------------------- */

void connections_init(Connections *connections, struct Server *server)
{
	*connections = (Connections){ .server = server };
	TAILQ_INIT(&connections->dead);
	message_timeouts_init(&connections->message_timeouts, server->base, &server->host,
			      LIMIT_PARTIAL_MESSAGE_SECONDS, on_message_timeout);
	message_timeouts_init(&connections->linger_timeouts, server->base, &server->host,
			      LIMIT_LINGER_SECONDS, on_message_timeout);
	event_assign(&connections->free_event, server->base, -1, 0, on_free_dead, connections);
}

void connections_deinit(Connections *connections)
{
	PeerUser *heaviest;

	while ((heaviest = peer_users_heaviest(&connections->server->users)))
		connection_shut(TAILQ_FIRST(&heaviest->connections));
	on_free_dead(-1, 0, connections);
	message_timeouts_deinit(&connections->message_timeouts);
	message_timeouts_deinit(&connections->linger_timeouts);
	event_del(&connections->free_event);
	buffer_deinit(&connections->spare_input);
	buffer_deinit(&connections->spare_output);
}

void connections_update_fd_passing(Connections *connections, const Event *event)
{
	PeerUser *user;
	Connection *connection;

	for (user = peer_users_first(&connections->server->users); user;
	     user = peer_user_next(user))
		TAILQ_FOREACH (connection, &user->connections, link)
			if (event_may_change_sharing(event, &connection->caller))
				connection_update_fd_passing(connection);
}

void connections_reclassify(Connections *connections)
{
	struct Server *server = connections->server;
	PeerUser *user;
	Connection *connection;

	for (user = peer_users_first(&server->users); user; user = peer_user_next(user))
		TAILQ_FOREACH (connection, &user->connections, link)
			settings_grant(&server->service.settings, &connection->caller);
}
