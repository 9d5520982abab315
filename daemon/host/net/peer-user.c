/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/peer-user.h"

#include <assert.h>
#include <stdlib.h>

static int compare_uids(const Owner *a, const Owner *b)
{
	return compare_numbers(a->uid, b->uid);
}

TREE_GENERATE(OwnerTree, Owner, by_uid, compare_uids)

void owners_init(Owners *owners)
{
	RB_INIT(&owners->tree);
}

static void owner_free(Owner *owner)
{
	RB_REMOVE(OwnerTree, &owner->owners->tree, owner);
	free(owner->waiting);
	free(owner);
}

void owners_deinit(Owners *owners)
{
	Owner *owner, *next;

	RB_FOREACH_SAFE (owner, OwnerTree, &owners->tree, next) {
		assert(TAILQ_EMPTY(&owner->connections));
		owner_free(owner);
	}
}

Owner *owner_get(Owners *owners, uid_t uid)
{
	Owner *owner = RB_FIND(OwnerTree, &owners->tree, &(Owner){ .uid = uid });

	if (owner)
		return owner;
	owner = calloc(1, sizeof(*owner));
	if (!owner)
		return NULL;
	owner->uid = uid;
	owner->owners = owners;
	TAILQ_INIT(&owner->connections);
	RB_INSERT(OwnerTree, &owners->tree, owner);
	return owner;
}

void owner_put(Owner *owner)
{
	if (TAILQ_EMPTY(&owner->connections) && owner->waiting_count == 0 &&
	    owner->closes_under_way == 0 && !owner->closing_due)
		owner_free(owner);
}

Owner *owners_first(Owners *owners)
{
	return RB_MIN(OwnerTree, &owners->tree);
}

Owner *owner_next(Owner *owner)
{
	return RB_NEXT(OwnerTree, NULL, owner);
}

static size_t owner_weight(const Owner *owner)
{
	return owner->connection_count > 0 ? owner->connection_count + owner->waiting_count : 0;
}

Owner *owners_heaviest(Owners *owners)
{
	Owner *owner, *heaviest = NULL;

	RB_FOREACH (owner, OwnerTree, &owners->tree)
		if (owner_weight(owner) > (heaviest ? owner_weight(heaviest) : 0))
			heaviest = owner;
	return heaviest;
}
