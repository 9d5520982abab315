/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_LISTEN_FDS_H
#define DAEMON_HOST_PERSIST_LISTEN_FDS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The fds that the service manager passes at start: the listening socket, recognised by its type,
 * and the fds that an earlier daemon has stored, recognised by their names.
 */
typedef struct ListenFd {
	int fd; /* -1 once taken */
	char *name;
} ListenFd;

typedef struct ListenFds {
	ListenFd *items;
	size_t count;
} ListenFds;

/*
 * Call once, at start. Returns 0 or a negative errno. Deinitialising closes all fds that were not
 * taken.
 */
int listen_fds_init(ListenFds *passed);
void listen_fds_deinit(ListenFds *passed);

/* Returns the listening socket, which the caller then owns; -1 if none was passed. */
int listen_fds_take_socket(ListenFds *passed);

#endif
