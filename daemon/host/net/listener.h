/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_NET_LISTENER_H
#define DAEMON_HOST_NET_LISTENER_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/host/turns.h"

/*
 * Accepts connections. If fds have run out, closes a spare fd to accept the connection, and then
 * closes the newest connection of the user with the most fds. One user can therefore not stop
 * others from connecting.
 */
typedef struct Listener {
	struct Server *server;
	int socket;
	int lock;     /* held while the daemon owns the path */
	int spare;    /* -1 until it can be opened again */
	bool is_ours; /* created by the daemon, not passed by systemd */
	bool paused;
	TurnOwner turn_owner; /* accepting has turns like a user, so that no flood of it delays
				 users */
	Task task;
	struct event event;
	struct event recover_event; /* ends a pause after a second at the latest */
	unsigned int shed_count;    /* connections closed because fds ran out */
	uint64_t shed_reported;     /* time of the last log line about that, in microseconds */
} Listener;

/*
 * Listens on the configured path, or on passed_socket, the socket from systemd, unless it is -1.
 * Takes ownership of that socket. Returns 0, or a negative errno after logging the error;
 * -EADDRINUSE if another daemon serves the path.
 */
int listener_open(Listener *listener, struct Server *server, int passed_socket);
void listener_close(Listener *listener);

/* Resumes accepting. Call when fds may be free again. */
void listener_recover(Listener *listener);

#endif
