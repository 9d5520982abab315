/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_ACCOUNT_H
#define DAEMON_CORE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/core/failure.h"
#include "daemon/core/limit.h"
#include "daemon/core/tree.h"

/*
 * Resource accounting: counts each payer's use of every limited resource. A Charge is embedded in
 * the entity that it pays for. It is taken when the entity is prepared and returned when the entity
 * ends. An account exists exactly as long as something is charged to it. The totals are always the
 * sums of the accounts.
 */

/*
 * The owner of an account: a uid and its class. Operators have a separate class, because others
 * with the same uid, such as root in a container, must not use up an operator's limits.
 */
typedef struct Payer {
	uid_t uid;
	bool is_operator;
	bool is_daemon; /* the daemon itself: tallies count its use, but no account is charged */
} Payer;

/* Orders payers by uid, then by class: others before operators. is_daemon is ignored. */
static inline int payer_compare(const Payer *a, const Payer *b)
{
	return a->uid != b->uid ? compare_numbers(a->uid, b->uid)
				: compare_numbers(a->is_operator, b->is_operator);
}

typedef struct Account {
	Payer payer;
	uint64_t used[LIMIT_MAX];
	RB_ENTRY(Account) by_payer;
} Account;

typedef RB_HEAD(AccountTree, Account) AccountTree;

typedef struct Accounts {
	AccountTree tree;
	uint64_t used[LIMIT_MAX]; /* by all payers together */
	uint64_t used_by_operators[LIMIT_MAX];
	Limits limits;
	/* Skips every limit during a restore, so that a lowered limit takes nothing away. */
	bool is_restoring;
} Accounts;

/* One unit of a resource, charged to one account. */
typedef struct Charge {
	Account *account; /* NULL if nothing is charged */
	LimitKind kind;
} Charge;

#define CHARGE_INIT ((Charge){ 0 })

/*
 * Several units of one resource that belong to one entity. The first payer is charged for every
 * later unit as well, until all units have been returned.
 */
typedef struct Tally {
	Account *account; /* NULL if nothing is charged */
	LimitKind kind;
	uint64_t count;
} Tally;

#define TALLY_INIT(limit_kind) ((Tally){ .kind = (limit_kind) })

void accounts_init(Accounts *accounts, const Limits *limits);

/* Asserts that every charge has been returned. */
void accounts_deinit(Accounts *accounts);

/*
 * Charges one unit of kind to the payer, or nothing if the payer is the daemon. A tenth of the
 * connections and of the fdstore entries is reserved for operators. They keep this reserve even if
 * the total is reached, for example because it was lowered. Each operator may also have
 * LIMIT_OPERATOR_CONNECTIONS in any case. Returns STATUS_SUCCESS,
 * STATUS_QUOTA_EXCEEDED, STATUS_INSUFFICIENT_RESOURCES if the fdstore is full, or STATUS_NO_MEMORY.
 * On failure *charge is unchanged.
 */
NTSTATUS charge_take(Charge *charge, Accounts *accounts, const Payer *payer, LimitKind kind,
		     Failure *failure);

/*
 * Tests whether the limits would allow charge_take(), and charges nothing. Returns STATUS_SUCCESS,
 * STATUS_QUOTA_EXCEEDED or STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS charge_check(Accounts *accounts, const Payer *payer, LimitKind kind, Failure *failure);

/*
 * Charges one unit of kind without checking any limit, so that lowering a limit takes nothing away
 * that was granted earlier. Returns STATUS_SUCCESS or STATUS_NO_MEMORY.
 */
NTSTATUS charge_restore(Charge *charge, Accounts *accounts, const Payer *payer, LimitKind kind,
			Failure *failure);

/* Returns the unit to its account. Idempotent. */
void charge_return(Charge *charge, Accounts *accounts);

/*
 * Add one unit, or count units, to the tally. The limit of the entity is checked first, then the
 * payer's limit and the total. Return the statuses of charge_take(). On failure the tally is
 * unchanged.
 */
NTSTATUS tally_take(Tally *tally, Accounts *accounts, const Payer *payer, Failure *failure);
NTSTATUS tally_take_many(Tally *tally, Accounts *accounts, const Payer *payer, uint64_t count,
			 Failure *failure);

/* Tests whether the limits would allow tally_take(). Returns the statuses of charge_check(). */
NTSTATUS tally_check(const Tally *tally, Accounts *accounts, const Payer *payer, Failure *failure);

/* Returns count units, at most as many as the tally holds. */
void tally_return(Tally *tally, Accounts *accounts, uint64_t count);

/*
 * Checks the limit of a single entity (a VM or GPU process) that has count units and asks for more.
 * Returns STATUS_SUCCESS or STATUS_QUOTA_EXCEEDED.
 */
NTSTATUS limit_check_entity(const Accounts *accounts, LimitKind kind, uint64_t count, uint64_t more,
			    Failure *failure);

/*
 * Returns the payer's limit as it is enforced: operators may always have a few connections and
 * fdstore entries, whatever the limit per uid is.
 */
uint64_t limits_per_uid(const Limits *limits, const Payer *payer, LimitKind kind);

/*
 * Checks that the limits do not lock operators out: that operators have a reserve and can put VMs
 * in quarantine, and that each payer may have at least one connection and one fdstore entry.
 * Returns STATUS_SUCCESS or STATUS_INVALID_PARAMETER.
 */
NTSTATUS limits_check(const Limits *limits, Failure *failure);

/* Returns the number of units of kind that are charged to the payer. */
uint64_t accounts_used(Accounts *accounts, const Payer *payer, LimitKind kind);

/*
 * Stores the account that uses most of each kind, or NULL if nobody uses any. The accounts belong
 * to accounts.
 */
void accounts_find_fullest(const Accounts *accounts, const Account *ret_fullest[LIMIT_MAX]);

/* Returns the part of the total that is not reserved for operators. */
uint64_t limit_maximum_for_others(const Limits *limits, LimitKind kind);

/* Asserts that the totals are the sums of the accounts, and that no account is empty. */
void accounts_check(const Accounts *accounts);

#endif
