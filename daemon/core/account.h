/* SPDX-License-Identifier: MIT */
#ifndef CORE_ACCOUNT_H
#define CORE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "failure.h"
#include "limit.h"
#include "tree.h"

/*
 * The books: who uses how much of what. A charge is a value embedded in what it pays for; it is
 * taken while an operation is prepared and returned when the thing goes. An account lives exactly
 * as long as something is charged to it, and the totals are the sums of the accounts.
 */

typedef struct Account {
	uid_t uid;
	uint64_t used[LIMIT_MAX];
	RB_ENTRY(Account) by_uid;
} Account;

typedef RB_HEAD(AccountTree, Account) AccountTree;

typedef struct Accounts {
	AccountTree tree;
	uint64_t used[LIMIT_MAX];
	Limits limits;
	bool is_restoring; /* no limit is asked: what was granted is not lost to a lower one */
} Accounts;

typedef struct Charge {
	Account *account; /* NULL: nothing is charged */
	LimitKind kind;
} Charge;

#define CHARGE_INIT ((Charge){ 0 })

/* Who pays for what an operation takes. */
typedef struct Payer {
	uid_t uid;
	bool is_operator;
	bool is_daemon; /* what the daemon makes for itself is counted, and not charged */
} Payer;

/*
 * Many of one kind that one owner holds, as one value. The first to pay goes on paying until all
 * has been returned.
 */
typedef struct Tally {
	Account *account; /* NULL: nothing is charged */
	LimitKind kind;
	uint64_t count;
} Tally;

#define TALLY_INIT(limit_kind) ((Tally){ .kind = (limit_kind) })

void accounts_init(Accounts *accounts, const Limits *limits);

/* Asserts that every charge came back. */
void accounts_deinit(Accounts *accounts);

/*
 * Charges one of kind to the uid. An operator may use the share of the connections and of the store
 * that is kept for operators. Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED,
 * STATUS_INSUFFICIENT_RESOURCES (the store is full) or STATUS_NO_MEMORY.
 */
NTSTATUS charge_take(Charge *charge, Accounts *accounts, const Payer *payer, LimitKind kind,
		     Failure *failure);

/* Whether charge_take() would find the limits passed, for who has to know before. STATUS_SUCCESS,
 * STATUS_QUOTA_EXCEEDED or STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS charge_check(Accounts *accounts, const Payer *payer, LimitKind kind, Failure *failure);

/* Charges without asking the limit: what was granted before a restart is not lost to a lower one.
 * STATUS_SUCCESS or STATUS_NO_MEMORY. */
NTSTATUS charge_restore(Charge *charge, Accounts *accounts, const Payer *payer, LimitKind kind,
			Failure *failure);

/* Idempotent. */
void charge_return(Charge *charge, Accounts *accounts);

/*
 * One more in the tally, or so many: the owner's limit is asked first, then the payer's and that of
 * all. Returns as charge_take().
 */
NTSTATUS tally_take(Tally *tally, Accounts *accounts, const Payer *payer, Failure *failure);
NTSTATUS tally_take_many(Tally *tally, Accounts *accounts, const Payer *payer, uint64_t count,
			 Failure *failure);

/* Whether tally_take() would find a limit passed. Returns as charge_check(). */
NTSTATUS tally_check(const Tally *tally, Accounts *accounts, const Payer *payer, Failure *failure);

void tally_return(Tally *tally, Accounts *accounts, uint64_t count);

/* Whether an owner that has so many, and keeps count of them by itself, may have so many more.
 * STATUS_SUCCESS or STATUS_QUOTA_EXCEEDED. */
NTSTATUS owner_check(const Accounts *accounts, LimitKind kind, uint64_t count, uint64_t more,
		     Failure *failure);

/* How much of kind the uid uses now. */
uint64_t accounts_used(Accounts *accounts, uid_t uid, LimitKind kind);

void accounts_check(const Accounts *accounts);

#endif
