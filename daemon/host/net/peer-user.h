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
typedef struct Closer Closer;

typedef struct Owner {
	uid_t uid;
	struct Owners *owners;
	TAILQ_HEAD(, Connection) connections; /* newest first */
	size_t connection_count;
	size_t unread; /* bytes */

	/* The closer's state: fds that wait for their close, and running children. */
	int *waiting;
	size_t waiting_count;
	size_t waiting_room;
	unsigned int closes_under_way;
	uint64_t last_close; /* start of the newest child; microseconds on CLOCK_MONOTONIC */
	bool closing_due;    /* in Closer.due */
	TAILQ_ENTRY(Owner) due;

	RB_ENTRY(Owner) by_uid;
} Owner;

typedef RB_HEAD(OwnerTree, Owner) OwnerTree;

typedef struct Owners {
	OwnerTree tree;
} Owners;

void owners_init(Owners *owners);
void owners_deinit(Owners *owners);

/* Returns the uid's entry, creating it if necessary; NULL if out of memory. */
Owner *owner_get(Owners *owners, uid_t uid);

/* Frees the entry if it holds nothing any more. */
void owner_put(Owner *owner);

/* Iterate over all entries in ascending order of their uids. Return NULL at the end. */
Owner *owners_first(Owners *owners);
Owner *owner_next(Owner *owner);

/*
 * Returns the uid with the most fds, counting connections and fds that wait for their close.
 * Ignores uids without connections. Returns NULL if no uid has a connection.
 */
Owner *owners_heaviest(Owners *owners);

#endif
