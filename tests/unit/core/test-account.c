/* SPDX-License-Identifier: MIT */
/* Charges: limits per uid and host-wide, the operators' share, and the return of charges. */
#include <criterion/criterion.h>
#include <string.h>

#include "daemon/core/account.h"
#include "proto/macros.h"

TestSuite(account);

#define PAYER(payer_uid, operator) (&(Payer){ .uid = (payer_uid), .is_operator = (operator) })

static Limits small_limits(uint64_t per_uid, uint64_t host_wide)
{
	Limits limits;

	for (int kind = 0; kind < LIMIT_MAX; kind++) {
		limits.per_uid[kind] = per_uid;
		limits.host_wide[kind] = host_wide;
	}
	return limits;
}

Test(account, each_kind_has_a_limit_per_uid_and_a_host_wide_limit)
{
	for (int kind = 0; kind < LIMIT_MAX; kind++) {
		/* One of the quarantines is reserved for operators. */
		Limits limits = small_limits(2, kind == LIMIT_QUARANTINES ? 4 : 3);
		Accounts accounts;
		Charge charges[3] = { CHARGE_INIT, CHARGE_INIT, CHARGE_INIT },
		       refused = CHARGE_INIT;
		Failure failure;
		LimitKind k = (LimitKind)kind;

		accounts_init(&accounts, &limits);
		cr_assert_eq(charge_take(&charges[0], &accounts, PAYER(1, false), k, &failure), 0);
		cr_assert_eq(charge_take(&charges[1], &accounts, PAYER(1, false), k, &failure), 0);
		cr_assert_eq(charge_take(&refused, &accounts, PAYER(1, false), k, &failure),
			     STATUS_QUOTA_EXCEEDED);
		cr_assert_str_eq(failure.limit, limit_name(k, true));
		cr_assert_eq(failure.maximum, 2u);
		cr_assert_eq(failure.used, 2u);
		cr_assert_eq(charge_take(&charges[2], &accounts, PAYER(2, false), k, &failure), 0);
		cr_assert_eq(charge_take(&refused, &accounts, PAYER(3, false), k, &failure),
			     k == LIMIT_STORE_ENTRIES ? STATUS_INSUFFICIENT_RESOURCES
						      : STATUS_QUOTA_EXCEEDED);
		if (k != LIMIT_STORE_ENTRIES) {
			cr_assert_str_eq(failure.limit, limit_name(k, false));
			cr_assert_eq(failure.maximum, 3u);
			cr_assert_eq(failure.used, 0u, "not the caller's own usage");
		}
		cr_assert_null(refused.account);
		accounts_check(&accounts);
		cr_assert_eq(accounts_used(&accounts, PAYER(1, false), k), 2u);
		charge_return(&charges[0], &accounts);
		charge_return(&charges[0], &accounts); /* no effect */
		cr_assert_eq(accounts_used(&accounts, PAYER(1, false), k), 1u);
		cr_assert_eq(charge_take(&charges[0], &accounts, PAYER(3, false), k, &failure), 0);
		for (int i = 0; i < 3; i++)
			charge_return(&charges[i], &accounts);
		accounts_check(&accounts);
		accounts_deinit(&accounts);
	}
}

Test(account, kinds_are_counted_separately)
{
	Limits limits = small_limits(1, 1);
	Accounts accounts;
	Charge charges[LIMIT_MAX];
	Failure failure;

	accounts_init(&accounts, &limits);
	for (int kind = 0; kind < LIMIT_MAX; kind++)
		cr_assert_eq(charge_take(&charges[kind], &accounts, PAYER(1, true), (LimitKind)kind,
					 &failure),
			     STATUS_SUCCESS);
	accounts_check(&accounts);
	for (int kind = 0; kind < LIMIT_MAX; kind++)
		charge_return(&charges[kind], &accounts);
	accounts_deinit(&accounts);
}

/* Asserts how many charges strangers get, and how many strangers and operators get in total. */
static void check_share(LimitKind kind, uint64_t host_wide, uint64_t strangers, uint64_t all)
{
	Limits limits = small_limits(1000, host_wide);
	Accounts accounts;
	Charge charges[96];
	Failure failure;
	uint64_t taken = 0;

	accounts_init(&accounts, &limits);
	while (charge_take(&charges[taken], &accounts, PAYER(1000 + (uid_t)taken, false), kind,
			   &failure) == STATUS_SUCCESS)
		taken++;
	cr_assert_eq(taken, strangers, "host-wide limit %lu", (unsigned long)host_wide);
	cr_assert_eq(failure.maximum, kind == LIMIT_STORE_ENTRIES ? 0 : strangers);
	while (charge_take(&charges[taken], &accounts, PAYER(0, true), kind, &failure) ==
	       STATUS_SUCCESS)
		taken++;
	if (kind == LIMIT_CONNECTIONS && all - strangers < LIMIT_OPERATOR_CONNECTIONS)
		all = strangers + LIMIT_OPERATOR_CONNECTIONS;
	cr_assert_eq(taken, all, "host-wide limit %lu", (unsigned long)host_wide);
	while (taken > 0)
		charge_return(&charges[--taken], &accounts);
	accounts_deinit(&accounts);
}

static void check_shares(LimitKind kind)
{
	check_share(kind, 0, 0, 0);
	check_share(kind, 1, 1, 1);
	check_share(kind, 9, 9, 9);
	check_share(kind, 10, 9, 10);
	check_share(kind, 20, 18, 20);
	check_share(kind, 59, 54, 59);
}

Test(account, a_tenth_of_the_connections_is_reserved_for_operators)
{
	check_shares(LIMIT_CONNECTIONS);
}

Test(account, a_tenth_of_the_store_is_reserved_for_operators)
{
	check_shares(LIMIT_STORE_ENTRIES);
}

Test(account, a_tenth_of_the_quarantines_is_reserved_for_operators)
{
	check_share(LIMIT_QUARANTINES, 0, 0, 0);
	check_share(LIMIT_QUARANTINES, 1, 0, 1);
	check_share(LIMIT_QUARANTINES, 9, 8, 9);
	check_share(LIMIT_QUARANTINES, 10, 9, 10);
	check_share(LIMIT_QUARANTINES, 59, 53, 59);
}

/* Takes as many charges as the limits allow. Returns the new count. */
static int take_all(Accounts *accounts, const Payer *payer, LimitKind kind, Charge *charges,
		    int count)
{
	Failure failure;

	while (charge_take(&charges[count], accounts, payer, kind, &failure) == STATUS_SUCCESS)
		count++;
	return count;
}

static const LimitKind reserved[] = { LIMIT_CONNECTIONS, LIMIT_STORE_ENTRIES };

Test(account, operators_are_not_counted_with_strangers_of_their_uid)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		Limits limits = small_limits(3, 40);
		Accounts accounts;
		Charge charges[32];

		accounts_init(&accounts, &limits);
		cr_assert_eq(take_all(&accounts, PAYER(0, false), reserved[i], charges, 0), 3);
		cr_assert_eq(accounts_used(&accounts, PAYER(0, true), reserved[i]), 0u);
		int taken = take_all(&accounts, PAYER(0, true), reserved[i], charges, 3);
		cr_assert_eq(taken, 3 + (int)limits_per_uid(&limits, PAYER(0, true), reserved[i]));
		cr_assert_eq(accounts_used(&accounts, PAYER(0, false), reserved[i]), 3u);
		accounts_check(&accounts);
		while (taken > 0)
			charge_return(&charges[--taken], &accounts);
		accounts_deinit(&accounts);
	}
}

Test(account, a_lowered_limit_does_not_take_the_reserve_of_operators)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		Limits limits = small_limits(100, 60);
		Accounts accounts;
		Charge charges[96];
		int minimum = reserved[i] == LIMIT_CONNECTIONS ? LIMIT_OPERATOR_CONNECTIONS : 0;

		accounts_init(&accounts, &limits);
		int taken = take_all(&accounts, PAYER(1000, false), reserved[i], charges, 0);
		cr_assert_eq(taken, 54);
		accounts.limits = small_limits(100, 30);
		taken = take_all(&accounts, PAYER(1000, false), reserved[i], charges, taken);
		cr_assert_eq(taken, 54);
		taken = take_all(&accounts, PAYER(0, true), reserved[i], charges, taken);
		cr_assert_eq(taken, minimum ? 54 + minimum : 57, "a tenth of the new limit");
		taken = take_all(&accounts, PAYER(1001, true), reserved[i], charges, taken);
		cr_assert_eq(taken, minimum ? 54 + 2 * minimum : 57, "all operators share it");
		while (taken > 0)
			charge_return(&charges[--taken], &accounts);
		accounts_deinit(&accounts);
	}
}

/* An operator who watches something must not lock itself out of the reload. */
Test(account, no_limit_per_uid_takes_the_minimum_of_operators)
{
	const Limits limits = small_limits(1, 100);
	const Payer *root = PAYER(0, true), *stranger = PAYER(0, false);

	cr_assert_eq(limits_per_uid(&limits, root, LIMIT_CONNECTIONS), LIMIT_OPERATOR_CONNECTIONS);
	cr_assert_eq(limits_per_uid(&limits, root, LIMIT_STORE_ENTRIES), 10u,
		     "no more than the reserve");
	cr_assert_eq(limits_per_uid(&limits, root, LIMIT_WATCHES), 1u);
	cr_assert_eq(limits_per_uid(&limits, root, LIMIT_QUARANTINES), 1u);
	cr_assert_eq(limits_per_uid(&limits, stranger, LIMIT_CONNECTIONS), 1u);
	cr_assert_eq(limits_per_uid(&limits_default, root, LIMIT_CONNECTIONS),
		     limits_default.per_uid[LIMIT_CONNECTIONS]);
}

Test(account, no_other_kind_is_reserved_for_operators)
{
	Limits limits = small_limits(10, 10);

	for (int kind = 0; kind < LIMIT_MAX; kind++) {
		Accounts accounts;
		Charge charges[10];
		Failure failure;
		int taken = 0;

		accounts_init(&accounts, &limits);
		while (taken < 10 && charge_take(&charges[taken], &accounts, PAYER(5, false),
						 (LimitKind)kind, &failure) == STATUS_SUCCESS)
			taken++;
		bool is_reserved = kind == LIMIT_CONNECTIONS || kind == LIMIT_STORE_ENTRIES ||
				   kind == LIMIT_QUARANTINES;
		cr_assert_eq(taken, is_reserved ? 9 : 10);
		while (taken > 0)
			charge_return(&charges[--taken], &accounts);
		accounts_deinit(&accounts);
	}
}

Test(account, a_lowered_limit_keeps_existing_charges)
{
	Limits limits = small_limits(5, 5);
	Accounts accounts;
	Charge charges[3], refused = CHARGE_INIT;
	Failure failure;

	accounts_init(&accounts, &limits);
	for (int i = 0; i < 3; i++)
		charge_take(&charges[i], &accounts, PAYER(1, false), LIMIT_CONTEXTS, &failure);
	accounts.limits = small_limits(1, 1);
	cr_assert_eq(accounts_used(&accounts, PAYER(1, false), LIMIT_CONTEXTS), 3u);
	cr_assert_eq(charge_take(&refused, &accounts, PAYER(1, false), LIMIT_CONTEXTS, &failure),
		     STATUS_QUOTA_EXCEEDED);
	cr_assert_eq(failure.used, 3u);
	for (int i = 0; i < 3; i++)
		charge_return(&charges[i], &accounts);
	accounts_deinit(&accounts);
}

Test(account, each_limit_has_two_names_and_a_valid_default)
{
	for (int kind = 0; kind < LIMIT_MAX; kind++) {
		const char *per_uid = limit_name((LimitKind)kind, true);
		const char *host_wide = limit_name((LimitKind)kind, false);

		cr_assert_eq(strncmp(per_uid, host_wide, strlen(host_wide)), 0);
		cr_assert_str_eq(per_uid + strlen(host_wide), "PerUid");
		cr_assert_gt(limits_default.per_uid[kind], 0u);
		cr_assert_leq(limits_default.per_uid[kind], limits_default.host_wide[kind]);
		cr_assert_leq(limits_default.host_wide[kind], (uint64_t)LIMIT_VALUE_MAX);
	}
}

/* Documented in section 8 of the contract and in vaild.json(5). */
Test(account, documented_defaults)
{
	cr_assert_eq(limits_default.per_uid[LIMIT_CONNECTIONS], 512u);
	cr_assert_eq(limits_default.host_wide[LIMIT_CONNECTIONS], 10000u);
	cr_assert_eq(limits_default.per_uid[LIMIT_REGISTRATIONS], 4096u);
	cr_assert_eq(LIMIT_UNREAD_PER_CONNECTION, 1u << 20);
	cr_assert_eq(LIMIT_BUFFERED_PER_UID, 8u << 20);
	cr_assert_eq(LIMIT_PARTIAL_MESSAGE_SECONDS, 10);
}
