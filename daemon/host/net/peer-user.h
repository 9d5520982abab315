/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_NET_PEER_USER_H
#define DAEMON_HOST_NET_PEER_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/core/account.h"
#include "daemon/core/tree.h"
#include "daemon/host/turns.h"

/*
 * The resources of the host that one payer uses: its connections, their buffered bytes, its fds
 * that are still being closed, and its time on the event loop. The operators among a uid's
 * processes are one payer, and all others of that uid are another. An entry exists while its payer
 * holds anything, or has used more time than others.
 */
typedef struct Connection Connection;
typedef struct FdCloser FdCloser;
typedef struct CallerSearch CallerSearch;
struct ConnectionWaits;

typedef struct PeerUser {
	uid_t uid;
	bool is_operator;
	struct PeerUsers *users;
	TurnOwner turn_owner;
	TAILQ_HEAD(, Connection) connections; /* newest first */
	size_t connection_count;
	size_t buffered; /* bytes of input and output */

	TAILQ_HEAD(, CallerSearch) searches; /* see caller-search.c */

	TAILQ_HEAD(, ConnectionWaits) storing; /* see fdstore-wait.c */
	TAILQ_ENTRY(PeerUser) of_storing;      /* if any connection is in storing */

	/* The closer's state: fds that wait for their close, and running children. */
	int *waiting;
	size_t waiting_count;
	size_t waiting_room;
	unsigned int closes_under_way;
	uint64_t last_close;  /* start of the newest child; microseconds on CLOCK_MONOTONIC */
	FdCloser *closer;     /* set once it has closed an fd */
	Task closing;         /* starts a child; queued while fds wait for one */
	bool retries_closing; /* in FdCloser.retries */
	TAILQ_ENTRY(PeerUser) retry;

	bool is_unused; /* in PeerUsers.unused */
	TAILQ_ENTRY(PeerUser) unused;
	RB_ENTRY(PeerUser) by_payer;
} PeerUser;

typedef RB_HEAD(PeerUserTree, PeerUser) PeerUserTree;

typedef struct PeerUsers {
	PeerUserTree tree;
	Turns *turns;
	TAILQ_HEAD(, PeerUser) unused; /* entries that hold nothing, but have used more time */
} PeerUsers;

void peer_users_init(PeerUsers *users, Turns *turns);
void peer_users_deinit(PeerUsers *users);

/* Returns the payer's entry, creating it if necessary; NULL if out of memory. */
PeerUser *peer_user_get(PeerUsers *users, const Payer *payer);

/* Frees the entry, now or later, if it holds nothing any more. */
void peer_user_put(PeerUser *user);

/* Iterate over all entries in ascending order of their uids. Return NULL at the end. */
PeerUser *peer_users_first(PeerUsers *users);
PeerUser *peer_user_next(PeerUser *user);

/*
 * Returns the entry with the most fds, counting connections and fds that wait for their close.
 * Ignores entries without connections. Returns NULL if there is no connection.
 */
PeerUser *peer_users_heaviest(PeerUsers *users);

#endif
