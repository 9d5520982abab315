/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_NET_PEER_USER_H
#define DAEMON_HOST_NET_PEER_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/core/tree.h"

/*
 * The resources that one uid holds outside core: its connections, its unread output, and its fds
 * that are still being closed. Exists while it holds any of them.
 */
typedef struct Connection Connection;
typedef struct FdCloser FdCloser;

typedef struct PeerUser {
	uid_t uid;
	struct PeerUsers *users;
	TAILQ_HEAD(, Connection) connections; /* newest first */
	size_t connection_count;
	size_t unread; /* bytes */

	/* The closer's state: fds that wait for their close, and running children. */
	int *waiting;
	size_t waiting_count;
	size_t waiting_room;
	unsigned int closes_under_way;
	uint64_t last_close; /* start of the newest child; microseconds on CLOCK_MONOTONIC */
	bool closing_due;    /* in FdCloser.due */
	TAILQ_ENTRY(PeerUser) due;

	RB_ENTRY(PeerUser) by_uid;
} PeerUser;

typedef RB_HEAD(PeerUserTree, PeerUser) PeerUserTree;

typedef struct PeerUsers {
	PeerUserTree tree;
} PeerUsers;

void peer_users_init(PeerUsers *users);
void peer_users_deinit(PeerUsers *users);

/* Returns the uid's entry, creating it if necessary; NULL if out of memory. */
PeerUser *peer_user_get(PeerUsers *users, uid_t uid);

/* Frees the entry if it holds nothing any more. */
void peer_user_put(PeerUser *user);

/* Iterate over all entries in ascending order of their uids. Return NULL at the end. */
PeerUser *peer_users_first(PeerUsers *users);
PeerUser *peer_user_next(PeerUser *user);

/*
 * Returns the uid with the most fds, counting connections and fds that wait for their close.
 * Ignores uids without connections. Returns NULL if no uid has a connection.
 */
PeerUser *peer_users_heaviest(PeerUsers *users);

#endif
