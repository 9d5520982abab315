/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/listener.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/host/log/log.h"
#include "daemon/host/net/peer.h"
#include "daemon/host/persist/lock-file.h"
#include "daemon/host/server.h"
#include "proto/fd-util.h"

static int open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Logs at most once a second, even if every new connection closes another. */
static void listener_report_shed(Listener *listener, const PeerUser *user)
{
	const Host *host = &listener->server->host;
	uint64_t now = host->now(host->self);

	listener->shed_count++;
	if (now - listener->shed_reported < 1000000)
		return;
	log_warning("out of file descriptors: closed the newest of %zu connection%s of uid=%u; %u "
		    "closed so far",
		    user->connection_count, user->connection_count == 1 ? "" : "s", user->uid,
		    listener->shed_count);
	listener->shed_reported = now;
}

/* Closes the newest connection of the user with the most fds. */
static void listener_shed(Listener *listener)
{
	PeerUser *heaviest = peer_users_heaviest(&listener->server->users);

	if (!heaviest)
		return;
	listener_report_shed(listener, heaviest);
	connection_shut(TAILQ_FIRST(&heaviest->connections));
}

static void listener_pause(Listener *listener)
{
	static const struct timeval at_most = { .tv_sec = 1 };

	if (listener->paused)
		return;
	listener->paused = true;
	event_del(&listener->event);
	event_add(&listener->recover_event, &at_most);
}

void listener_recover(Listener *listener)
{
	if (listener->socket < 0 || !listener->paused)
		return;
	if (listener->spare < 0)
		listener->spare = open_spare();
	listener->paused = false;
	event_del(&listener->recover_event);
	event_add(&listener->event, NULL);
}

static void on_recover(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	listener_recover(context);
}

/*
 * Opens the spare fd again. If a child closes the fds that were shed, they are free only when the
 * child exits. Until then, for at most a second, the listener pauses, so that one shed connection
 * is not followed by all others. Returns true if accepting may continue.
 */
static bool listener_reopen_spare(Listener *listener)
{
	if (listener->spare < 0)
		listener->spare = open_spare();
	if (listener->spare < 0)
		listener_pause(listener);
	return !listener->paused;
}

/*
 * Serves an accepted socket. If there are no fds to identify the peer, closes the spare fd and
 * sheds a connection to make room.
 */
static void listener_serve(Listener *listener, int socket)
{
	if (connection_accept(listener->server, socket) == 0)
		return;
	fd_close(&listener->spare);
	listener_shed(listener);
	if (connection_accept(listener->server, socket) < 0)
		connection_give_up(listener->server, socket);
}

/* Accepts one connection. Returns false if no further one can be accepted now. */
static bool listener_accept(Listener *listener)
{
	int socket = accept4(listener->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (socket < 0 && errno_is_exhaustion(errno)) {
		fd_close(&listener->spare);
		socket = accept4(listener->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (socket < 0) { /* out of memory or files: shedding more does not help */
			listener_reopen_spare(listener);
			listener_pause(listener);
			return false;
		}
		listener_shed(listener);
	}
	if (socket >= 0)
		listener_serve(listener, socket);
	else if (errno == EAGAIN)
		return false;
	return listener_reopen_spare(listener);
}

/* Accepts connections until the turn has ended. Returns true if more may be waiting. */
static bool run_accept(Task *task)
{
	Listener *listener = container_of(task, Listener, task);

	do
		if (!listener_accept(listener))
			return false;
	while (!turns_has_ended(&listener->server->turns));
	return true;
}

static void on_connect(evutil_socket_t fd, short what, void *context)
{
	Listener *listener = context;

	(void)fd;
	(void)what;
	turns_queue(&listener->server->turns, &listener->turn_owner, &listener->task);
}

/*
 * Makes the kernel report the sender of all bytes and, if it has SO_PASSRIGHTS, drop fds. Returns 0
 * or a negative errno.
 */
static int prepare_socket(Listener *listener)
{
	const int on = 1, off = 0;

	if (setsockopt(listener->socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	setsockopt(listener->socket, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
	return 0;
}

/*
 * Fills in the address. Prefers the absolute path, but a relative one that the user gave may be
 * short enough where that is too long.
 */
static bool make_address(const ServerOptions *options, struct sockaddr_un *address)
{
	const char *path = options->socket_path;

	if (strlen(path) >= sizeof(address->sun_path))
		path = options->given_socket_path;
	if (strlen(path) >= sizeof(address->sun_path))
		return false;
	address->sun_family = AF_UNIX;
	strcpy(address->sun_path, path);
	return true;
}

static int bind_and_listen(Listener *listener)
{
	const ServerOptions *options = &listener->server->options;
	const char *path = options->socket_path;
	struct sockaddr_un address = { 0 };

	if (!make_address(options, &address))
		return -ENAMETOOLONG;
	listener->lock = lock_file_take(path);
	if (listener->lock < 0)
		return listener->lock;
	listener->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener->socket < 0)
		return -errno;
	int error = prepare_socket(listener);
	if (error < 0)
		return error;
	unlink(path);              /* the lock is held, so the file is stale */
	mode_t mask = umask(0111); /* access is decided per call */
	error = bind(listener->socket, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno
											 : 0;
	umask(mask);
	if (error == 0 && listen(listener->socket, SOMAXCONN) < 0)
		error = -errno;
	listener->is_ours = error == 0;
	return error;
}

static int adopt_passed_socket(Listener *listener)
{
	int flags = fcntl(listener->socket, F_GETFL);

	if (flags < 0 || fcntl(listener->socket, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return prepare_socket(listener);
}

int listener_open(Listener *listener, struct Server *server, int passed_socket)
{
	const char *path = server->options.socket_path;

	*listener = (Listener){
		.server = server,
		.socket = passed_socket,
		.lock = -1,
		.spare = open_spare(),
		.task = TASK_INIT(run_accept),
	};
	turn_owner_init(&listener->turn_owner);
	int error = passed_socket >= 0 ? adopt_passed_socket(listener) : bind_and_listen(listener);
	if (error == -EADDRINUSE)
		log_error("%s: another vaild serves this socket; stop it, or choose another path "
			  "with --socket",
			  path);
	else if (error < 0)
		log_error("%s: cannot listen here: %s; make a folder in which vaild may create the "
			  "socket, or choose another path with --socket",
			  path, strerror(-error));
	if (error < 0)
		return error;
	event_assign(&listener->recover_event, server->base, -1, 0, on_recover, listener);
	event_assign(&listener->event, server->base, listener->socket, EV_READ | EV_PERSIST,
		     on_connect, listener);
	return event_add(&listener->event, NULL) < 0 ? -ENOMEM : 0;
}

void listener_close(Listener *listener)
{
	if (!listener->server)
		return;
	if (listener->is_ours)
		unlink(listener->server->options.socket_path);
	if (listener->socket >= 0 && event_initialized(&listener->event)) {
		turns_remove(&listener->server->turns, &listener->task);
		event_del(&listener->event);
		event_del(&listener->recover_event);
	}
	fd_close(&listener->socket);
	fd_close(&listener->spare);
	fd_close(&listener->lock);
}
