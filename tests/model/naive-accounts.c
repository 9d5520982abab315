/* SPDX-License-Identifier: MIT */
/* The accounts of the naive address spaces: a counter for each payer and kind of limit. */
#include "tests/model/naive-space.h"

uint64_t naive_accounts_used(const NaiveAccounts *books, LimitKind kind)
{
	uint64_t sum = 0;

	for (int uid = 0; uid < NAIVE_UID_MAX; uid++)
		sum += books->used[uid][0][kind] + books->used[uid][1][kind];
	return sum;
}

static bool refuse(NaiveAnswer *answer, const char *limit, uint64_t maximum, uint64_t used)
{
	answer->status = STATUS_QUOTA_EXCEEDED;
	answer->limit = limit;
	answer->maximum = maximum;
	answer->used = used;
	return false;
}

bool naive_tally_allows(const NaiveTally *tally, const NaiveAccounts *books, const Payer *payer,
			NaiveAnswer *answer, uint64_t *events)
{
	bool is_charged = tally->count > 0 ? tally->is_charged : !payer->is_daemon;
	const Payer *pays = tally->count > 0 ? &tally->payer : payer;
	const Limits *limits = &books->limits;

	if (tally->count >= limits->per_entity[tally->kind]) {
		events[NAIVE_LIMIT_OF_OWNER]++;
		return refuse(answer, limit_entity_name(tally->kind),
			      limits->per_entity[tally->kind], tally->count);
	}
	if (!is_charged)
		return true;
	uint64_t used = books->used[pays->uid][pays->is_operator][tally->kind];
	if (used >= limits->per_uid[tally->kind]) {
		events[NAIVE_LIMIT_OF_UID]++;
		return refuse(answer, limit_name(tally->kind, true), limits->per_uid[tally->kind],
			      used);
	}
	if (naive_accounts_used(books, tally->kind) >= limits->host_wide[tally->kind]) {
		events[NAIVE_LIMIT_OF_ALL]++;
		return refuse(answer, limit_name(tally->kind, false),
			      limits->host_wide[tally->kind], used);
	}
	return true;
}

void naive_tally_take(NaiveTally *tally, NaiveAccounts *books, const Payer *payer)
{
	if (tally->count == 0) {
		tally->is_charged = !payer->is_daemon;
		tally->payer = *payer;
	}
	tally->count++;
	if (tally->is_charged)
		books->used[tally->payer.uid][tally->payer.is_operator][tally->kind]++;
}

void naive_tally_return(NaiveTally *tally, NaiveAccounts *books, uint64_t count)
{
	tally->count -= count;
	if (tally->is_charged)
		books->used[tally->payer.uid][tally->payer.is_operator][tally->kind] -= count;
}
