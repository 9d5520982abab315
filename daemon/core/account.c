/* SPDX-License-Identifier: MIT */
#include "daemon/core/account.h"

#include <assert.h>
#include <stdlib.h>

static int account_compare(const Account *a, const Account *b)
{
	return payer_compare(&a->payer, &b->payer);
}

TREE_GENERATE(AccountTree, Account, by_payer, account_compare)

void accounts_init(Accounts *accounts, const Limits *limits)
{
	*accounts = (Accounts){ .tree = RB_INITIALIZER(&accounts->tree), .limits = *limits };
}

void accounts_deinit(Accounts *accounts)
{
	assert(RB_EMPTY(&accounts->tree));
	for (int kind = 0; kind < LIMIT_MAX; kind++)
		assert(accounts->used[kind] == 0);
	(void)accounts;
}

static Account *account_find(Accounts *accounts, const Payer *payer)
{
	return RB_FIND(AccountTree, &accounts->tree, &(Account){ .payer = *payer });
}

static Account *account_find_or_add(Accounts *accounts, const Payer *payer)
{
	Account *account = account_find(accounts, payer);

	if (account)
		return account;
	account = calloc(1, sizeof(*account));
	if (!account)
		return NULL;
	account->payer = *payer;
	RB_INSERT(AccountTree, &accounts->tree, account);
	return account;
}

static void account_free_if_unused(Accounts *accounts, Account *account)
{
	for (int kind = 0; kind < LIMIT_MAX; kind++)
		if (account->used[kind] > 0)
			return;
	RB_REMOVE(AccountTree, &accounts->tree, account);
	free(account);
}

static void account_add(Accounts *accounts, Account *account, LimitKind kind, uint64_t count)
{
	account->used[kind] += count;
	accounts->used[kind] += count;
	if (account->payer.is_operator)
		accounts->used_by_operators[kind] += count;
}

static void account_subtract(Accounts *accounts, Account *account, LimitKind kind, uint64_t count)
{
	assert(account->used[kind] >= count && accounts->used[kind] >= count);
	account->used[kind] -= count;
	accounts->used[kind] -= count;
	if (account->payer.is_operator)
		accounts->used_by_operators[kind] -= count;
	account_free_if_unused(accounts, account);
}

static NTSTATUS quota_exceeded(Failure *failure, const char *subject, const char *name,
			       const char *remedy, uint64_t maximum, uint64_t used)
{
	failure_set(failure, STATUS_QUOTA_EXCEEDED, "quota",
		    "%s would exceed its limit %s; %s, or ask an administrator to raise the limit",
		    subject, name, remedy);
	failure->limit = name;
	failure->maximum = maximum;
	failure->used = used;
	return failure->status;
}

static bool has_operator_share(LimitKind kind)
{
	return kind == LIMIT_CONNECTIONS || kind == LIMIT_STORE_ENTRIES;
}

/*
 * Returns the units that are reserved for all operators together. Some of the quarantines are, too,
 * because members of the quarantine group can impose as many as they like.
 */
static uint64_t operator_reserve(const Limits *limits, LimitKind kind)
{
	uint64_t host_wide = limits->host_wide[kind];

	/* Rounded up, so that operators have at least one whatever the limit is. */
	if (kind == LIMIT_QUARANTINES)
		return host_wide / LIMIT_OPERATOR_SHARE + (host_wide % LIMIT_OPERATOR_SHARE != 0);
	return has_operator_share(kind) ? host_wide / LIMIT_OPERATOR_SHARE : 0;
}

/* Returns the units that one operator may always have, whatever the limit per uid is. */
static uint64_t operator_minimum(const Limits *limits, LimitKind kind)
{
	uint64_t reserve = has_operator_share(kind) ? operator_reserve(limits, kind) : 0;

	if (kind == LIMIT_CONNECTIONS)
		return LIMIT_OPERATOR_CONNECTIONS;
	/* The service manager drops fds beyond its room, so these limits are never exceeded. */
	return reserve < LIMIT_OPERATOR_CONNECTIONS ? reserve : LIMIT_OPERATOR_CONNECTIONS;
}

uint64_t limits_per_uid(const Limits *limits, const Payer *payer, LimitKind kind)
{
	uint64_t minimum = payer->is_operator ? operator_minimum(limits, kind) : 0;

	return limits->per_uid[kind] > minimum ? limits->per_uid[kind] : minimum;
}

uint64_t limit_maximum_for_others(const Limits *limits, LimitKind kind)
{
	return limits->host_wide[kind] - operator_reserve(limits, kind);
}

NTSTATUS limits_check(const Limits *limits, Failure *failure)
{
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++) {
		if (!has_operator_share(kind))
			continue;
		if (limits->host_wide[kind] < LIMIT_OPERATOR_SHARE)
			return failure_parameter(
				failure, limit_name(kind, false),
				"would lock operators out, because a tenth of it is reserved for "
				"them; set at least %d",
				LIMIT_OPERATOR_SHARE);
		if (limits->per_uid[kind] == 0)
			return failure_parameter(failure, limit_name(kind, true),
						 "would lock operators out; set at least 1");
	}
	for (int per_uid = 0; per_uid < 2; per_uid++)
		if ((per_uid ? limits->per_uid : limits->host_wide)[LIMIT_QUARANTINES] == 0)
			return failure_parameter(failure, limit_name(LIMIT_QUARANTINES, per_uid),
						 "would keep operators from putting VMs in "
						 "quarantine; set at least 1");
	return STATUS_SUCCESS;
}

/* Not a quota, because the fdstore is a resource of the host and belongs to no user. */
static NTSTATUS store_is_full(Failure *failure)
{
	return failure_set(failure, STATUS_INSUFFICIENT_RESOURCES, "store",
			   "the daemon's file descriptor store is full; unshare some objects, or "
			   "wait until some processes exit");
}

/*
 * Checks whether more units of kind stay within the payer's limit and the total. account is the
 * payer's, or NULL if it has none yet.
 */
static NTSTATUS limits_allow(const Accounts *accounts, const Account *account, const Payer *payer,
			     LimitKind kind, uint64_t more, Failure *failure)
{
	uint64_t used = account ? account->used[kind] : 0;
	uint64_t per_uid = limits_per_uid(&accounts->limits, payer, kind);
	uint64_t host_wide = accounts->limits.host_wide[kind];
	uint64_t for_others = limit_maximum_for_others(&accounts->limits, kind);
	uint64_t reserve = host_wide - for_others;

	if (accounts->is_restoring)
		return STATUS_SUCCESS;
	if (used > per_uid || more > per_uid - used)
		return quota_exceeded(failure, "your user", limit_name(kind, true), "release some",
				      per_uid, used);
	if (!payer->is_operator)
		host_wide = for_others;
	else if (more <= reserve && accounts->used_by_operators[kind] <= reserve - more)
		return STATUS_SUCCESS;
	else if (kind == LIMIT_CONNECTIONS && used + more <= LIMIT_OPERATOR_CONNECTIONS)
		return STATUS_SUCCESS;
	if (accounts->used[kind] <= host_wide && more <= host_wide - accounts->used[kind])
		return STATUS_SUCCESS;
	if (kind == LIMIT_STORE_ENTRIES)
		return store_is_full(failure);
	return quota_exceeded(failure, "the host", limit_name(kind, false),
			      "wait until some are released", host_wide, used);
}

/* Other limits of a single entity are those of a GPU process. */
static bool is_vm_limit(LimitKind kind)
{
	return kind == LIMIT_OBJECTS || kind == LIMIT_OBJECT_MEBIBYTES || kind == LIMIT_DISPLAYS;
}

NTSTATUS limit_check_entity(const Accounts *accounts, LimitKind kind, uint64_t count, uint64_t more,
			    Failure *failure)
{
	uint64_t maximum = accounts->limits.per_entity[kind];

	if (accounts->is_restoring || !limit_entity_name(kind) ||
	    (count <= maximum && more <= maximum - count))
		return STATUS_SUCCESS;
	return quota_exceeded(failure, is_vm_limit(kind) ? "this VM" : "this GPU process",
			      limit_entity_name(kind), "release some", maximum, count);
}

NTSTATUS charge_check(Accounts *accounts, const Payer *payer, LimitKind kind, Failure *failure)
{
	if (payer->is_daemon)
		return STATUS_SUCCESS;
	return limits_allow(accounts, account_find(accounts, payer), payer, kind, 1, failure);
}

NTSTATUS charge_take(Charge *charge, Accounts *accounts, const Payer *payer, LimitKind kind,
		     Failure *failure)
{
	NTSTATUS status = charge_check(accounts, payer, kind, failure);

	if (status != STATUS_SUCCESS)
		return status;
	return charge_restore(charge, accounts, payer, kind, failure);
}

NTSTATUS charge_restore(Charge *charge, Accounts *accounts, const Payer *payer, LimitKind kind,
			Failure *failure)
{
	if (payer->is_daemon)
		return STATUS_SUCCESS;
	Account *account = account_find_or_add(accounts, payer);
	if (!account)
		return failure_no_memory(failure);
	account_add(accounts, account, kind, 1);
	*charge = (Charge){ .account = account, .kind = kind };
	return STATUS_SUCCESS;
}

void charge_return(Charge *charge, Accounts *accounts)
{
	Account *account = charge->account;

	if (!account)
		return;
	account_subtract(accounts, account, charge->kind, 1);
	*charge = CHARGE_INIT;
}

/*
 * Returns the account that pays for further units: the one already charged, else the payer's.
 * Returns NULL if the payer has no account yet.
 */
static Account *tally_account(const Tally *tally, Accounts *accounts, const Payer *payer)
{
	return tally->count > 0 ? tally->account : account_find(accounts, payer);
}

/* The first payer decides: units are charged to an account unless that payer is the daemon. */
static bool tally_is_charged(const Tally *tally, const Payer *payer)
{
	return tally->count > 0 ? tally->account != NULL : !payer->is_daemon;
}

/* Checks all limits for more units. */
static NTSTATUS tally_allows(const Tally *tally, Accounts *accounts, const Payer *payer,
			     uint64_t more, Failure *failure)
{
	NTSTATUS status = limit_check_entity(accounts, tally->kind, tally->count, more, failure);

	if (status != STATUS_SUCCESS || !tally_is_charged(tally, payer))
		return status;
	const Account *account = tally_account(tally, accounts, payer);
	return limits_allow(accounts, account, account ? &account->payer : payer, tally->kind, more,
			    failure);
}

NTSTATUS tally_check(const Tally *tally, Accounts *accounts, const Payer *payer, Failure *failure)
{
	return tally_allows(tally, accounts, payer, 1, failure);
}

NTSTATUS tally_take_many(Tally *tally, Accounts *accounts, const Payer *payer, uint64_t count,
			 Failure *failure)
{
	NTSTATUS status = tally_allows(tally, accounts, payer, count, failure);

	if (status != STATUS_SUCCESS || count == 0)
		return status;
	if (tally_is_charged(tally, payer)) {
		if (!tally->account)
			tally->account = account_find_or_add(accounts, payer);
		if (!tally->account)
			return failure_no_memory(failure);
		account_add(accounts, tally->account, tally->kind, count);
	}
	tally->count += count;
	return STATUS_SUCCESS;
}

NTSTATUS tally_take(Tally *tally, Accounts *accounts, const Payer *payer, Failure *failure)
{
	return tally_take_many(tally, accounts, payer, 1, failure);
}

void tally_return(Tally *tally, Accounts *accounts, uint64_t count)
{
	Account *account = tally->account;

	assert(tally->count >= count);
	tally->count -= count;
	if (!account)
		return;
	if (tally->count == 0)
		tally->account = NULL;
	account_subtract(accounts, account, tally->kind, count);
}

uint64_t accounts_used(Accounts *accounts, const Payer *payer, LimitKind kind)
{
	const Account *account = account_find(accounts, payer);

	return account ? account->used[kind] : 0;
}

void accounts_find_fullest(const Accounts *accounts, const Account *ret_fullest[LIMIT_MAX])
{
	Account *account;

	for (int kind = 0; kind < LIMIT_MAX; kind++)
		ret_fullest[kind] = NULL;
	RB_FOREACH (account, AccountTree, (AccountTree *)&accounts->tree)
		for (int kind = 0; kind < LIMIT_MAX; kind++)
			if (account->used[kind] >
			    (ret_fullest[kind] ? ret_fullest[kind]->used[kind] : 0))
				ret_fullest[kind] = account;
}

void accounts_check(const Accounts *accounts)
{
	uint64_t sums[LIMIT_MAX] = { 0 }, of_operators[LIMIT_MAX] = { 0 };
	Account *account;

	RB_FOREACH (account, AccountTree, (AccountTree *)&accounts->tree) {
		uint64_t any = 0;
		for (int kind = 0; kind < LIMIT_MAX; kind++) {
			sums[kind] += account->used[kind];
			if (account->payer.is_operator)
				of_operators[kind] += account->used[kind];
			any |= account->used[kind];
		}
		assert(any != 0);
	}
	for (int kind = 0; kind < LIMIT_MAX; kind++) {
		assert(sums[kind] == accounts->used[kind]);
		assert(of_operators[kind] == accounts->used_by_operators[kind]);
	}
}
