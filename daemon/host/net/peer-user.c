/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/peer-user.h"

#include <assert.h>
#include <stdlib.h>

static int compare_uids(const PeerUser *a, const PeerUser *b)
{
	return compare_numbers(a->uid, b->uid);
}

TREE_GENERATE(PeerUserTree, PeerUser, by_uid, compare_uids)

void peer_users_init(PeerUsers *users)
{
	RB_INIT(&users->tree);
}

static void peer_user_free(PeerUser *user)
{
	RB_REMOVE(PeerUserTree, &user->users->tree, user);
	free(user->waiting);
	free(user);
}

void peer_users_deinit(PeerUsers *users)
{
	PeerUser *user, *next;

	RB_FOREACH_SAFE (user, PeerUserTree, &users->tree, next) {
		assert(TAILQ_EMPTY(&user->connections));
		peer_user_free(user);
	}
}

PeerUser *peer_user_get(PeerUsers *users, uid_t uid)
{
	PeerUser *user = RB_FIND(PeerUserTree, &users->tree, &(PeerUser){ .uid = uid });

	if (user)
		return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	user->users = users;
	TAILQ_INIT(&user->connections);
	RB_INSERT(PeerUserTree, &users->tree, user);
	return user;
}

void peer_user_put(PeerUser *user)
{
	if (TAILQ_EMPTY(&user->connections) && user->waiting_count == 0 &&
	    user->closes_under_way == 0 && !user->closing_due)
		peer_user_free(user);
}

PeerUser *peer_users_first(PeerUsers *users)
{
	return RB_MIN(PeerUserTree, &users->tree);
}

PeerUser *peer_user_next(PeerUser *user)
{
	return RB_NEXT(PeerUserTree, NULL, user);
}

static size_t peer_user_weight(const PeerUser *user)
{
	return user->connection_count > 0 ? user->connection_count + user->waiting_count : 0;
}

PeerUser *peer_users_heaviest(PeerUsers *users)
{
	PeerUser *user, *heaviest = NULL;

	RB_FOREACH (user, PeerUserTree, &users->tree)
		if (peer_user_weight(user) > (heaviest ? peer_user_weight(heaviest) : 0))
			heaviest = user;
	return heaviest;
}
