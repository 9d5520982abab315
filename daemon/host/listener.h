/* SPDX-License-Identifier: MIT */
#ifndef HOST_LISTENER_H
#define HOST_LISTENER_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Accepts connections. Out of descriptors, a spare one makes room to accept, and the newest
 * connection of the heaviest uid pays for it: accept never pauses for all because of one.
 */
typedef struct Listener {
	struct Server *server;
	int socket;
	int lock;     /* held for as long as the path is ours */
	int spare;    /* -1 while it is being won back */
	bool is_ours; /* the socket was made here, not passed by systemd */
	bool paused;
	struct event event;
	struct event recover_event; /* from a pause, at the latest */
	unsigned int shed_count;    /* connections that were shut for want of descriptors */
	uint64_t shed_reported;     /* when that was last logged, in microseconds */
} Listener;

/*
 * Listens on the path, or on the socket that systemd passed, which is taken; -1: none. Returns 0,
 * or a negative errno after logging; -EADDRINUSE when another daemon serves the path.
 */
int listener_open(Listener *listener, struct Server *server, int passed_socket);
void listener_close(Listener *listener);

/* Descriptors are free again. */
void listener_recover(Listener *listener);

#endif
