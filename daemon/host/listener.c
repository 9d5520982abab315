/* SPDX-License-Identifier: MIT */
#include "listener.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "descriptor.h"
#include "log.h"
#include "peer.h"
#include "server.h"

#define ACCEPTS_PER_TURN 64

static int open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Shuts the newest connection of the uid that has most. Returns false when there is none. */
static bool shed_connection(struct Server *server)
{
	Owner *heaviest = owners_heaviest(&server->owners);

	if (!heaviest)
		return false;
	log_warning("out of descriptors: closing the newest of %zu connections of uid=%u",
		    heaviest->connection_count, heaviest->uid);
	connection_shut(TAILQ_FIRST(&heaviest->connections));
	return true;
}

static void listener_pause(Listener *listener)
{
	if (listener->paused)
		return;
	listener->paused = true;
	event_del(&listener->event);
}

void listener_recover(Listener *listener)
{
	if (listener->socket < 0)
		return;
	if (listener->spare < 0)
		listener->spare = open_spare();
	if (!listener->paused || listener->spare < 0)
		return;
	listener->paused = false;
	event_add(&listener->event, NULL);
}

/*
 * Makes room for one descriptor, and for the spare again: by a connection that is shut. Where its
 * close is left to a child, the spare comes back when the child is done; until then, without a
 * spare, there is nothing left to accept with.
 */
static void listener_make_room(Listener *listener)
{
	descriptor_close(&listener->spare);
	bool shed = shed_connection(listener->server);

	listener->spare = open_spare();
	if (listener->spare < 0 && !shed)
		listener_pause(listener);
}

/* Returns false when no further connection can be accepted now. */
static bool listener_accept(Listener *listener)
{
	int socket = accept4(listener->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (socket < 0 && errno_is_exhaustion(errno)) {
		if (listener->spare < 0) {
			listener_pause(listener);
			return false;
		}
		descriptor_close(&listener->spare);
		socket = accept4(listener->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		listener_make_room(listener);
	}
	if (socket < 0)
		return errno == ECONNABORTED || errno == EINTR;
	if (connection_open(listener->server, socket) < 0)
		listener_make_room(listener);
	return true;
}

static void on_connect(evutil_socket_t descriptor, short what, void *context)
{
	(void)descriptor;
	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN && listener_accept(context); i++)
		;
}

/* From here on the kernel tells who sent what; and, where it can, keeps descriptors out. */
static int prepare_socket(Listener *listener)
{
	const int on = 1, off = 0;

	if (setsockopt(listener->socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	listener->server->connections.senders_are_stopped =
		setsockopt(listener->socket, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) == 0;
	return 0;
}

/* Holds a lock beside the socket, so that of two daemons one does not start. */
static int take_lock(Listener *listener, const char *path)
{
	char lock_path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 8];

	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	listener->lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (listener->lock < 0)
		return -errno;
	if (flock(listener->lock, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
	return 0;
}

static int bind_and_listen(Listener *listener, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	int error = take_lock(listener, path);
	if (error < 0)
		return error;
	listener->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener->socket < 0)
		return -errno;
	error = prepare_socket(listener);
	if (error < 0)
		return error;
	unlink(path);              /* the lock is ours: whoever made it is gone */
	mode_t mask = umask(0111); /* who may do what is decided per call */
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
	listener->socket = SD_LISTEN_FDS_START;
	int flags = fcntl(listener->socket, F_GETFL);

	if (flags < 0 || fcntl(listener->socket, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return prepare_socket(listener);
}

int listener_open(Listener *listener, struct Server *server)
{
	const char *path = server->options.socket_path;

	*listener = (Listener){ .server = server, .socket = -1, .lock = -1, .spare = open_spare() };
	int error = sd_listen_fds(true) > 0 ? adopt_passed_socket(listener)
					    : bind_and_listen(listener, path);
	if (error == -EADDRINUSE)
		log_error("%s: another vaild serves this socket; stop it, or choose another path "
			  "with --socket",
			  path);
	else if (error < 0)
		log_error("%s: cannot listen here: %s", path, strerror(-error));
	if (error < 0)
		return error;
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
	if (listener->socket >= 0 && event_initialized(&listener->event))
		event_del(&listener->event);
	descriptor_close(&listener->socket);
	descriptor_close(&listener->spare);
	descriptor_close(&listener->lock);
}
