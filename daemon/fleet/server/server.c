/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/server/server.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/child/socket-drain.h"
#include "daemon/fleet/server/caller.h"
#include "proto/fd-util.h"
#include "proto/framing.h"

#define RECEIVE_SIZE 8192

/* Seconds before the end of a connection is tried again, when memory or processes have run out. */
#define END_RETRY 1

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

typedef struct Connection {
	FleetServer *server;
	int socket;
	pid_t pid;
	FleetCaller caller;
	Frame frame;
	Buffer input;
	Buffer output;
	bool is_foreign;  /* another process has sent a part of the first message */
	bool ends;        /* close when the output is sent */
	uint64_t request; /* number of the request that is answered later; 0 for none */
	char terminator;  /* of its answer */
	bool is_listing;  /* the next reply of a list goes on at rest */
	FleetCursor rest;
	struct event *event; /* of the socket, with a timeout */
	uint64_t deadline;   /* of the partial message or its answer, in milliseconds; 0 for none */
	TAILQ_ENTRY(Connection) link;
} Connection;

struct FleetServer {
	struct event_base *base;
	FleetServerSettings settings;
	FleetService service;
	char *path; /* of the socket that the server has made, or NULL */
	int listening;
	struct event *accept;
	TAILQ_HEAD(, Connection) connections;
	size_t count;
	uint64_t last_request;
};

/* --- connections ----------------------------------------------------------------------------- */

/* Closes the socket, which can block if fds wait in it. */
static void connection_free(Connection *connection)
{
	FleetServer *server = connection->server;

	TAILQ_REMOVE(&server->connections, connection, link);
	server->count--;
	if (connection->event)
		event_free(connection->event);
	fd_close(&connection->socket);
	buffer_deinit(&connection->input);
	buffer_deinit(&connection->output);
	free(connection);
}

static void connection_serve(Connection *connection);
static void on_ready(evutil_socket_t fd, short what, void *context);

/*
 * Ends the connection. Fds that were sent and not received are closed by a child process, because
 * their last close can block for ever. If there is no child, the socket stays open, and this is
 * tried again.
 */
static void connection_end(Connection *connection)
{
	static const struct timeval retry = { .tv_sec = END_RETRY };

	if (socket_end(connection->socket)) {
		connection_free(connection);
		return;
	}
	connection->request = 0;
	if (connection->event)
		event_free(connection->event);
	connection->event = evtimer_new(connection->server->base, on_ready, connection);
	if (!connection->event || event_add(connection->event, &retry) != 0)
		connection_free(connection);
}

/* The kernel tells the sender of received bytes here. There is no room for fds. */
typedef union Control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(struct ucred))];
} Control;

/* Receives with recvmsg(), and sets *ret_message. Returns the same. */
static ssize_t receive(int socket, void *data, size_t size, int flags, Control *control,
		       struct msghdr *ret_message)
{
	struct iovec bytes = { data, size };

	*ret_message = (struct msghdr){ .msg_iov = &bytes,
					.msg_iovlen = 1,
					.msg_control = control,
					.msg_controllen = sizeof(*control) };
	ssize_t received = recvmsg(socket, ret_message, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	ret_message->msg_iov = NULL;
	return received;
}

/* Answers that no method takes fds, and ends the connection after that. */
static void connection_refuse_fds(Connection *connection)
{
	answer_error(STATUS_INVALID_PARAMETER,
		     "fds came with the message, but no method of vaild-fleet takes any; send none",
		     frame_terminator(&connection->frame), &connection->output);
	connection->ends = true;
}

/*
 * Receives bytes with their sender. Looks at them first, because the kernel would close fds that
 * came with them here, and that can block. Returns false at the end of the connection.
 */
static bool connection_receive(Connection *connection)
{
	Buffer *input = &connection->input;
	struct ucred sender = { .pid = 0 };
	struct msghdr message;
	Control control;

	if (!buffer_reserve(input, RECEIVE_SIZE))
		return false;
	ssize_t size = receive(connection->socket, buffer_tail(input), RECEIVE_SIZE, MSG_PEEK,
			       &control, &message);
	if (size > 0 && (message.msg_flags & MSG_CTRUNC)) {
		connection_refuse_fds(connection);
		return true;
	}
	/* Not more than was seen: fds may have come with the next bytes. */
	if (size > 0)
		size = receive(connection->socket, buffer_tail(input), (size_t)size, 0, &control,
			       &message);
	if (size < 0)
		return errno == EAGAIN || errno == EINTR;
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS)
		memcpy(&sender, CMSG_DATA(header), sizeof(sender));
	connection->is_foreign |= sender.pid == 0 || sender.pid != connection->pid;
	input->end += (size_t)size;
	return size > 0;
}

/* Sends what can be sent now. Returns false if the connection is lost. */
static bool connection_send(Connection *connection)
{
	while (buffer_size(&connection->output) > 0) {
		ssize_t size = send(connection->socket, buffer_head(&connection->output),
				    buffer_size(&connection->output), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (size < 0)
			return errno == EAGAIN || errno == EINTR;
		buffer_consume(&connection->output, (size_t)size);
		if (buffer_size(&connection->output) == 0)
			connection->deadline = 0;
	}
	buffer_shrink(&connection->output);
	return !connection->ends;
}

/* Looks at the clock, by which replies say how old they are. */
static void prepare_answer(FleetServer *server)
{
	server->settings.check(server->settings.context);
	server->service.now = server->settings.now();
}

/* Notes how the answer goes on. Each reply has its own deadline. */
static void connection_note(Connection *connection, Answer answer)
{
	connection->is_listing = answer == ANSWER_CONTINUES;
	connection->ends |= answer == ANSWER_NO_MEMORY;
	connection->deadline = 0;
}

static void connection_continue(Connection *connection)
{
	FleetServer *server = connection->server;

	prepare_answer(server);
	connection_note(connection, answer_rest(&server->service, &connection->rest,
						connection->terminator, &connection->output));
}

static void connection_answer(Connection *connection, const FrameMessage *message)
{
	FleetServer *server = connection->server;
	uint64_t request = ++server->last_request;
	const JsonText text = { .start = message->text, .length = message->length };

	connection->request = request;
	connection->terminator = message->terminator;
	prepare_answer(server);
	Answer answer = answer_message(&server->service, &connection->caller, text,
				       connection->is_foreign, message->terminator, request,
				       &connection->output, &connection->rest);
	if (answer != ANSWER_LATER)
		connection->request = 0;
	connection_note(connection, answer);
	buffer_consume(&connection->input, message->size);
	/* The rest of the input has the same sender or senders. */
	if (buffer_size(&connection->input) == 0)
		connection->is_foreign = false;
}

/*
 * Answers one message after another, each when the answer to the last one has been sent. Of a list,
 * this writes one reply.
 */
static void connection_run(Connection *connection)
{
	if (connection->is_listing && buffer_size(&connection->output) == 0)
		connection_continue(connection);
	while (!connection->ends && !connection->is_listing && connection->request == 0 &&
	       buffer_size(&connection->output) == 0) {
		FrameMessage message;
		const char *error;

		switch (frame_next(&connection->frame, &connection->input, false, &message,
				   &error)) {
		case FRAME_MESSAGE:
			connection_answer(connection, &message);
			break;
		case FRAME_LATE_NUL:
			break;
		case FRAME_INCOMPLETE:
			return;
		case FRAME_MALFORMED:
			answer_error(STATUS_INVALID_PARAMETER, error,
				     frame_terminator(&connection->frame), &connection->output);
			connection->ends = true;
			break;
		}
	}
}

static void on_ready(evutil_socket_t fd, short what, void *context)
{
	Connection *connection = context;

	(void)fd;
	if (what & EV_TIMEOUT || (what & EV_READ && !connection_receive(connection))) {
		connection_end(connection);
		return;
	}
	connection_serve(connection);
}

/*
 * Finds how long to wait for the rest of a message or of its answer. There is one deadline for
 * either, however many bytes come or go meanwhile. Returns false if it has passed.
 */
static bool find_patience(Connection *connection, struct timeval *ret_patience)
{
	uint64_t now = connection->server->settings.now();

	if (connection->deadline == 0)
		connection->deadline = now + FLEET_PATIENCE;
	if (now >= connection->deadline)
		return false;
	uint64_t left = connection->deadline - now;
	*ret_patience =
		(struct timeval){ (time_t)(left / 1000), (suseconds_t)(left % 1000 * 1000) };
	return true;
}

/*
 * Waits for what the connection needs next. A peer that neither finishes its message nor reads its
 * answer is not waited for longer than FLEET_PATIENCE. Returns false to end the connection.
 */
static bool connection_wait(Connection *connection)
{
	struct timeval patience;
	bool has_output = buffer_size(&connection->output) > 0 || connection->is_listing;
	bool is_partial = frame_is_partial(&connection->frame);
	short events = has_output ? EV_WRITE : connection->request ? 0 : EV_READ;

	if (connection->event)
		event_free(connection->event);
	connection->event = NULL;
	if (events == 0)
		return true;
	if ((has_output || is_partial) && !find_patience(connection, &patience))
		return false;
	connection->event = event_new(connection->server->base, connection->socket, events,
				      on_ready, connection);
	return connection->event &&
	       event_add(connection->event, has_output || is_partial ? &patience : NULL) == 0;
}

/*
 * Answers what can be answered. Others are served between the replies of a list. Frees the
 * connection if it ends.
 */
static void connection_serve(Connection *connection)
{
	bool is_alive, has_output;

	do {
		connection_run(connection);
		has_output = buffer_size(&connection->output) > 0;
		is_alive = connection_send(connection);
	} while (is_alive && has_output && !connection->is_listing &&
		 buffer_size(&connection->output) == 0);
	if (!is_alive || !connection_wait(connection))
		connection_end(connection);
}

/* --- limits ---------------------------------------------------------------------------------- */

static bool is_stranger(const FleetCaller *caller)
{
	return !caller->is_operator && !caller->is_observer;
}

/* Tests whether the limits allow a connection, which is counted already. Root has the rest. */
static bool has_room(const FleetServer *server, const FleetCaller *caller)
{
	const Connection *connection;
	size_t count = 0, strangers = 0;
	size_t per_uid_max =
		is_stranger(caller) ? FLEET_STRANGERS_PER_UID_MAX : FLEET_CONNECTIONS_PER_UID_MAX;

	if (caller->uid == 0)
		return server->count <= FLEET_CONNECTIONS_MAX;
	TAILQ_FOREACH (connection, &server->connections, link) {
		count += connection->caller.uid == caller->uid;
		strangers += is_stranger(&connection->caller);
	}
	return count <= per_uid_max &&
	       server->count <= FLEET_CONNECTIONS_MAX - FLEET_CONNECTIONS_RESERVED &&
	       (!is_stranger(caller) || strangers <= FLEET_STRANGERS_MAX);
}

static void accept_one(FleetServer *server, int socket)
{
	Connection *connection = calloc(1, sizeof(*connection));
	const int on = 1;

	if (!connection) {
		socket_end(socket);
		close(socket);
		return;
	}
	*connection = (Connection){ .server = server, .socket = socket, .frame = FRAME_INIT };
	TAILQ_INSERT_TAIL(&server->connections, connection, link);
	server->count++;
	/* A byte out of band is received like any other, because it can come with fds, too. */
	setsockopt(socket, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	if (!fleet_caller_identify(socket, server->settings.operators, server->settings.observers,
				   &connection->pid, &connection->caller)) {
		connection_end(connection);
		return;
	}
	if (!has_room(server, &connection->caller)) {
		answer_error(STATUS_QUOTA_EXCEEDED,
			     "vaild-fleet has too many connections; close some, or try again later",
			     '\n', &connection->output);
		connection->ends = true;
	}
	connection_serve(connection);
}

static void on_connect(evutil_socket_t fd, short what, void *context)
{
	FleetServer *server = context;
	int socket = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (socket >= 0)
		accept_one(server, socket);
}

/* --- the server ------------------------------------------------------------------------------ */

static int make_socket(FleetServer *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = server->settings.path;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	server->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (server->listening < 0)
		return -errno;
	unlink(path);
	mode_t mask = umask(0111); /* access is decided per call */
	int error = bind(server->listening, (struct sockaddr *)&address, sizeof(address)) < 0
			    ? -errno
			    : 0;
	umask(mask);
	if (error < 0)
		return error;
	server->path = strdup(path);
	return listen(server->listening, SOMAXCONN) < 0 ? -errno : 0;
}

/* Makes the kernel tell the sender of all bytes, and drop fds if it can. */
static int begin_to_listen(FleetServer *server)
{
	const int on = 1, off = 0;
	int error = server->listening < 0 ? make_socket(server) : 0;

	if (error < 0)
		return error;
	if (setsockopt(server->listening, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	setsockopt(server->listening, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
	server->accept = event_new(server->base, server->listening, EV_READ | EV_PERSIST,
				   on_connect, server);
	return server->accept && event_add(server->accept, NULL) == 0 ? 0 : -ENOMEM;
}

FleetServer *fleet_server_new(struct event_base *base, const FleetServerSettings *settings,
			      int *ret_error)
{
	FleetServer *server = calloc(1, sizeof(*server));

	*ret_error = -ENOMEM;
	if (!server)
		return NULL;
	*server = (FleetServer){
		.base = base,
		.settings = *settings,
		.listening = settings->listening,
		.service = { .index = settings->index,
			     .version = settings->version,
			     .change = settings->change,
			     .measure = settings->measure,
			     .is_viewer = settings->is_viewer,
			     .context = settings->context,
			     .parser = json_parser_new() },
	};
	TAILQ_INIT(&server->connections);
	*ret_error = server->service.parser ? begin_to_listen(server) : -ENOMEM;
	if (*ret_error == 0)
		return server;
	fleet_server_free(server);
	return NULL;
}

void fleet_server_free(FleetServer *server)
{
	if (!server)
		return;
	while (!TAILQ_EMPTY(&server->connections)) {
		socket_end(TAILQ_FIRST(&server->connections)->socket);
		connection_free(TAILQ_FIRST(&server->connections));
	}
	if (server->accept)
		event_free(server->accept);
	fd_close(&server->listening);
	if (server->path)
		unlink(server->path);
	free(server->path);
	json_parser_free(server->service.parser);
	free(server);
}

void fleet_server_changed(FleetServer *server, uint64_t request, const char *why)
{
	Connection *connection;

	TAILQ_FOREACH (connection, &server->connections, link)
		if (connection->request == request)
			break;
	if (!connection)
		return;
	connection->request = 0;
	connection->ends |= !answer_change(why, connection->terminator, &connection->output);
	connection_serve(connection);
}
