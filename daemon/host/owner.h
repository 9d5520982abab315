/* SPDX-License-Identifier: MIT */
#ifndef HOST_OWNER_H
#define HOST_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tree.h"

/*
 * A uid as the shell around the core sees it: its connections, the output that nobody has read yet,
 * and the descriptors of its that are still being closed. It exists as long as it has any of them.
 */
typedef struct Connection Connection;
typedef struct Closer Closer;

typedef struct Owner {
	uid_t uid;
	struct Owners *owners;
	TAILQ_HEAD(, Connection) connections; /* newest first */
	size_t connection_count;
	size_t unread; /* bytes */

	/* The closer's: descriptors that wait for their close, and closes under way. */
	int *waiting;
	size_t waiting_count;
	size_t waiting_room;
	unsigned int closes_under_way;
	uint64_t last_close; /* when the last of them began; microseconds on CLOCK_MONOTONIC */
	bool closing_due;    /* in the closer's list */
	TAILQ_ENTRY(Owner) due;

	RB_ENTRY(Owner) by_uid;
} Owner;

typedef RB_HEAD(OwnerTree, Owner) OwnerTree;

typedef struct Owners {
	OwnerTree tree;
} Owners;

void owners_init(Owners *owners);
void owners_deinit(Owners *owners);

/* NULL when there is no memory. */
Owner *owner_get(Owners *owners, uid_t uid);

/* Forgets it when it has nothing left. */
void owner_put(Owner *owner);

/* All of them, in the order of their uids. */
Owner *owners_first(Owners *owners);
Owner *owner_next(Owner *owner);

/* The uid that holds most descriptors, in connections and waiting for their close, of those that
 * have a connection; NULL without any. */
Owner *owners_heaviest(Owners *owners);

#endif
