/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/peer-user.h"

#include <assert.h>
#include <stdlib.h>

static int compare_payers(const PeerUser *a, const PeerUser *b)
{
	int order = compare_numbers(a->uid, b->uid);

	return order != 0 ? order : compare_numbers(a->is_operator, b->is_operator);
}

TREE_GENERATE(PeerUserTree, PeerUser, by_payer, compare_payers)

void peer_users_init(PeerUsers *users, Turns *turns)
{
	*users = (PeerUsers){ .tree = RB_INITIALIZER(&users->tree), .turns = turns };
	TAILQ_INIT(&users->unused);
}

static void peer_user_set_unused(PeerUser *user, bool is_unused)
{
	if (user->is_unused && !is_unused)
		TAILQ_REMOVE(&user->users->unused, user, unused);
	else if (!user->is_unused && is_unused)
		TAILQ_INSERT_TAIL(&user->users->unused, user, unused);
	user->is_unused = is_unused;
}

static void peer_user_free(PeerUser *user)
{
	peer_user_set_unused(user, false);
	turns_remove(user->users->turns, &user->closing);
	RB_REMOVE(PeerUserTree, &user->users->tree, user);
	free(user->waiting);
	free(user);
}

void peer_users_deinit(PeerUsers *users)
{
	PeerUser *user, *next;

	RB_FOREACH_SAFE (user, PeerUserTree, &users->tree, next) {
		assert(TAILQ_EMPTY(&user->connections) && TAILQ_EMPTY(&user->searches));
		peer_user_free(user);
	}
}

/* Frees entries that hold nothing and are even by now. Two at a time keep up with new entries. */
static void free_unused(PeerUsers *users)
{
	PeerUser *user, *next;
	unsigned int looked_at = 0;

	TAILQ_FOREACH_SAFE (user, &users->unused, unused, next) {
		if (++looked_at > 2)
			break;
		if (turn_owner_is_even(users->turns, &user->turn_owner))
			peer_user_free(user);
	}
}

static PeerUser *peer_user_new(PeerUsers *users, const Payer *payer)
{
	PeerUser *user = calloc(1, sizeof(*user));

	free_unused(users);
	if (!user)
		return NULL;
	user->uid = payer->uid;
	user->is_operator = payer->is_operator;
	user->users = users;
	turn_owner_init(&user->turn_owner);
	TAILQ_INIT(&user->connections);
	TAILQ_INIT(&user->searches);
	TAILQ_INIT(&user->storing);
	RB_INSERT(PeerUserTree, &users->tree, user);
	return user;
}

PeerUser *peer_user_get(PeerUsers *users, const Payer *payer)
{
	const PeerUser key = { .uid = payer->uid, .is_operator = payer->is_operator };
	PeerUser *user = RB_FIND(PeerUserTree, &users->tree, (PeerUser *)&key);

	if (!user)
		return peer_user_new(users, payer);
	peer_user_set_unused(user, false);
	return user;
}

void peer_user_put(PeerUser *user)
{
	if (!TAILQ_EMPTY(&user->connections) || !TAILQ_EMPTY(&user->searches) ||
	    user->waiting_count > 0 || user->closes_under_way > 0 || user->closing.owner ||
	    user->retries_closing)
		return;
	if (turn_owner_is_even(user->users->turns, &user->turn_owner))
		peer_user_free(user);
	else
		peer_user_set_unused(user, true);
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
