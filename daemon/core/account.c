/* SPDX-License-Identifier: MIT */
#include "account.h"

#include <assert.h>
#include <stdlib.h>

static int account_compare(const Account *a, const Account *b)
{
	return compare_numbers(a->uid, b->uid);
}

TREE_GENERATE(AccountTree, Account, by_uid, account_compare)

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

static Account *account_find(Accounts *accounts, uid_t uid)
{
	return RB_FIND(AccountTree, &accounts->tree, &(Account){ .uid = uid });
}

static Account *account_find_or_add(Accounts *accounts, uid_t uid)
{
	Account *account = account_find(accounts, uid);

	if (account)
		return account;
	account = calloc(1, sizeof(*account));
	if (!account)
		return NULL;
	account->uid = uid;
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

static NTSTATUS quota_exceeded(Failure *failure, LimitKind kind, bool per_uid, uint64_t maximum,
			       uint64_t used)
{
	const char *name = limit_name(kind, per_uid);

	failure_set(failure, STATUS_QUOTA_EXCEEDED, "quota",
		    per_uid ? "your user may have no more of these (%s); release some, or ask an "
			      "administrator to raise the limit"
			    : "the host has no more of these to give (%s); wait until some are "
			      "released, or ask an administrator to raise the limit",
		    name);
	failure->limit = name;
	failure->maximum = maximum;
	failure->used = used;
	return failure->status;
}

static NTSTATUS limits_allow(const Accounts *accounts, const Account *account, bool is_operator,
			     LimitKind kind, Failure *failure)
{
	uint64_t used = account ? account->used[kind] : 0;
	uint64_t in_all = accounts->limits.in_all[kind];

	if (used >= accounts->limits.per_uid[kind])
		return quota_exceeded(failure, kind, true, accounts->limits.per_uid[kind], used);
	if (kind == LIMIT_CONNECTIONS && !is_operator)
		in_all -= in_all / LIMIT_OPERATOR_SHARE;
	if (accounts->used[kind] >= in_all)
		return quota_exceeded(failure, kind, false, in_all, used);
	return STATUS_SUCCESS;
}

NTSTATUS charge_check(Accounts *accounts, uid_t uid, bool is_operator, LimitKind kind,
		      Failure *failure)
{
	return limits_allow(accounts, account_find(accounts, uid), is_operator, kind, failure);
}

NTSTATUS charge_take(Charge *charge, Accounts *accounts, uid_t uid, bool is_operator,
		     LimitKind kind, Failure *failure)
{
	NTSTATUS status = charge_check(accounts, uid, is_operator, kind, failure);

	if (status != STATUS_SUCCESS)
		return status;
	return charge_restore(charge, accounts, uid, kind, failure);
}

NTSTATUS charge_restore(Charge *charge, Accounts *accounts, uid_t uid, LimitKind kind,
			Failure *failure)
{
	Account *account = account_find_or_add(accounts, uid);

	if (!account)
		return failure_no_memory(failure);
	account->used[kind]++;
	accounts->used[kind]++;
	*charge = (Charge){ .account = account, .kind = kind };
	return STATUS_SUCCESS;
}

void charge_return(Charge *charge, Accounts *accounts)
{
	Account *account = charge->account;

	if (!account)
		return;
	assert(account->used[charge->kind] > 0 && accounts->used[charge->kind] > 0);
	account->used[charge->kind]--;
	accounts->used[charge->kind]--;
	*charge = CHARGE_INIT;
	account_free_if_unused(accounts, account);
}

uint64_t accounts_used(Accounts *accounts, uid_t uid, LimitKind kind)
{
	const Account *account = account_find(accounts, uid);

	return account ? account->used[kind] : 0;
}

void accounts_check(const Accounts *accounts)
{
	uint64_t sums[LIMIT_MAX] = { 0 };
	Account *account;

	RB_FOREACH (account, AccountTree, (AccountTree *)&accounts->tree) {
		uint64_t any = 0;
		for (int kind = 0; kind < LIMIT_MAX; kind++) {
			sums[kind] += account->used[kind];
			any |= account->used[kind];
		}
		assert(any != 0);
	}
	for (int kind = 0; kind < LIMIT_MAX; kind++)
		assert(sums[kind] == accounts->used[kind]);
}
