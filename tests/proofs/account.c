/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic of accounts, daemon/core/account.c.
 *
 * Proved, for one step from any state: a charge or tally adds exactly its units to one account and
 * to the totals, or nothing if it is refused. What it adds stays within the limits of the user, of
 * the host (for others than operators) and of the entity, unless the daemon restores. A return
 * takes exactly the same units back. No number overflows or falls below zero, other kinds and other
 * accounts do not change, and an account without units is freed. If the totals are the sums of the
 * accounts before a step, they are afterwards, because both change by the same number.
 *
 * Assumed of the state before: an account uses at most what all use together, and that is less than
 * 2^60. A count is less than 2^60; the largest that a caller can ask for is 2^43, the mebibytes of
 * a file. Memory may be exhausted at every allocation.
 *
 * Bound: the tree holds one account or none, besides the totals of all other accounts, which are
 * any number. A list of two replaces libbsd's tree. One step from any state is enough for any
 * number of steps.
 */
#include <stdlib.h>

#include "daemon/core/account.h"
#include "tests/proofs/proof.h"

#define NUMBER_MAX (UINT64_C(1) << 60)

Limits nondet_limits(void);
Payer nondet_payer(void);

typedef struct Units {
	uint64_t of_kind[LIMIT_MAX];
} Units;

Units nondet_units(void);

/* The state before a step: accounts, one of them charged, and the use of all others. */
static Accounts accounts;
static Account *account;

const Limits limits_default;

const char *limit_name(LimitKind kind, bool per_uid)
{
	(void)kind;
	(void)per_uid;
	return "limit";
}

const char *limit_entity_name(LimitKind kind)
{
	return kind == LIMIT_USER_RANGES || kind == LIMIT_OBJECTS ? "limit" : NULL;
}

static LimitKind any_kind(void)
{
	int kind = nondet_int();

	assume(kind >= 0 && kind < LIMIT_MAX);
	return (LimitKind)kind;
}

static uint64_t any_count(void)
{
	uint64_t count = nondet_uint64();

	assume(count < NUMBER_MAX);
	return count;
}

/* Sets up any state in which the payer's account has one unit of the kind or more. */
static Charge any_state(const Payer *payer, LimitKind kind)
{
	Charge charge = CHARGE_INIT;
	Failure failure;
	Limits limits = nondet_limits();

	accounts_init(&accounts, &limits);
	assume(!payer->is_daemon);
	assume(charge_restore(&charge, &accounts, payer, kind, &failure) == STATUS_SUCCESS);
	account = charge.account;
	for (int i = 0; i < LIMIT_MAX; i++) {
		uint64_t used = any_count(), others = any_count();

		assume(used <= NUMBER_MAX - others);
		account->used[i] = used;
		accounts.used[i] = used + others;
	}
	assume(account->used[kind] >= 1);
	accounts.is_restoring = nondet_bool();
	return charge;
}

/* Tests that only this kind has changed. */
static bool others_are_same(const Units *before, const uint64_t *now, LimitKind kind)
{
	int other = any_kind();

	return other == (int)kind || before->of_kind[other] == now[other];
}

static Units units_of(const uint64_t *used)
{
	Units units;

	for (int i = 0; i < LIMIT_MAX; i++)
		units.of_kind[i] = used[i];
	return units;
}

/* Operators have a reserve, which they keep even if a reload lowers the limit below what is used.
 */
static bool is_within_host(const Payer *payer, LimitKind kind)
{
	return payer->is_operator || accounts.used[kind] <= accounts.limits.host_wide[kind];
}

PROOF(account_take)
{
	LimitKind kind = any_kind();
	const Payer payer = nondet_payer();
	any_state(&payer, kind);
	const Units before = units_of(account->used), total = units_of(accounts.used);
	Tally tally = TALLY_INIT(kind);
	uint64_t count = any_count(), had = any_count();
	Failure failure;

	assume(had <= before.of_kind[kind]);
	tally.account = had > 0 ? account : NULL;
	tally.count = had;
	NTSTATUS status = tally_take_many(&tally, &accounts, &payer, count, &failure);
	uint64_t added = status == STATUS_SUCCESS ? count : 0;

	assert(tally.count == had + added);
	assert(account->used[kind] == before.of_kind[kind] + added);
	assert(accounts.used[kind] == total.of_kind[kind] + added);
	assert(others_are_same(&before, account->used, kind));
	assert(others_are_same(&total, accounts.used, kind));
	if (added > 0 && !accounts.is_restoring) {
		assert(account->used[kind] <=
		       limits_per_uid(&accounts.limits, &account->payer, kind));
		assert(is_within_host(&payer, kind));
		if (limit_entity_name(kind))
			assert(tally.count <= accounts.limits.per_entity[kind]);
	}
}

PROOF(account_charge)
{
	LimitKind kind = any_kind();
	const Payer payer = nondet_payer(), other = nondet_payer();
	any_state(&payer, kind);
	const Units before = units_of(account->used), total = units_of(accounts.used);
	Charge charge = CHARGE_INIT;
	Failure failure;
	NTSTATUS status = charge_take(&charge, &accounts, &other, kind, &failure);

	if (status != STATUS_SUCCESS || other.is_daemon) {
		assert(charge.account == NULL);
		assert(account->used[kind] == before.of_kind[kind]);
		assert(accounts.used[kind] == total.of_kind[kind]);
		return;
	}
	assert(accounts.used[kind] == total.of_kind[kind] + 1);
	if (charge.account != account)
		assert(charge.account->used[kind] == 1 &&
		       account->used[kind] == before.of_kind[kind]);
	else
		assert(account->used[kind] == before.of_kind[kind] + 1);
	assert(accounts.is_restoring ||
	       charge.account->used[kind] <=
		       limits_per_uid(&accounts.limits, &charge.account->payer, kind));
	assert(accounts.is_restoring || is_within_host(&other, kind));

	charge_return(&charge, &accounts);
	assert(charge.account == NULL);
	assert(account->used[kind] == before.of_kind[kind]);
	assert(accounts.used[kind] == total.of_kind[kind]);
}

PROOF(account_return)
{
	LimitKind kind = any_kind();
	const Payer payer = nondet_payer();
	any_state(&payer, kind);
	const Units before = units_of(account->used), total = units_of(accounts.used);
	uint64_t had = any_count(), count = any_count();
	Tally tally = { .account = account, .kind = kind, .count = had };

	assume(count <= had && had <= before.of_kind[kind]);
	/* Something else keeps the account, so that it can be looked at. */
	assume(before.of_kind[kind == 0] > 0);
	tally_return(&tally, &accounts, count);

	assert(tally.count == had - count);
	assert((tally.account == NULL) == (had == count));
	assert(account->used[kind] == before.of_kind[kind] - count);
	assert(accounts.used[kind] == total.of_kind[kind] - count);
	assert(others_are_same(&before, account->used, kind));
	assert(others_are_same(&total, accounts.used, kind));
}
