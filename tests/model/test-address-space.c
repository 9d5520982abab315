/* SPDX-License-Identifier: MIT */
/*
 * Compares address spaces with naive ones. Each of many short runs applies random operations to
 * both, and compares statuses, addresses and ranges. The invariants are checked after each
 * operation, and at the end of each run all charges must have been returned. The events that
 * occurred are counted, so that a change of the random operations does not silently lose coverage.
 *
 * VAILD_SEED=N selects another run, VAILD_STEPS=N its length.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/status.h"
#include "tests/model/compare-space.h"

#define SEED_DEFAULT  20240229
#define STEPS_DEFAULT 1000000
#define STEPS_JUDGED  200000 /* a shorter run does not check the counts */

/* Spaces that share the same accounts. */
#define SPACES_MAX 3

TestSuite(address_space);

typedef struct SpaceRun {
	Dice dice;
	uint64_t seed, step, steps;
	Accounts accounts;
	NaiveAccounts naive_accounts;
	SpacePair pairs[SPACES_MAX];
	size_t pair_count;
	SpacePhase phase;
	SpaceOperation operation;
	uint64_t outcomes[SPACE_OPERATION_MAX][8]; /* by index in statuses[] */
	uint64_t events[NAIVE_EVENT_MAX];
	uint64_t states[TRANSLATION_MAX];
	uint64_t largest;
} SpaceRun;

static const NTSTATUS statuses[] = {
	STATUS_SUCCESS,   STATUS_INVALID_PARAMETER,     STATUS_QUOTA_EXCEEDED,
	STATUS_NO_MEMORY, STATUS_CONFLICTING_ADDRESSES, STATUS_INVALID_DEVICE_STATE,
};

/* The minimum count of each status per million operations. 0 means that it must not occur. */
static const uint64_t expected[SPACE_OPERATION_MAX][ARRAY_SIZE(statuses)] = {
	[SPACE_RESERVE_FOR_DRIVER] = { 1000, 1000, 1000, 1000, 1000, 0 },
	[SPACE_RESERVE] = { 1000, 1000, 1000, 1000, 1000, 0 },
	[SPACE_MAP] = { 1000, 1000, 1000, 1000, 1000, 0 },
	[SPACE_FREE] = { 1000, 1000, 1000, 0, 0, 0 },
	[SPACE_SET_ENTRY] = { 1000, 1000, 1000, 0, 1000, 1000 },
	[SPACE_EVICT] = { 1000, 1000, 1000, 0, 0, 0 },
	[SPACE_MAKE_RESIDENT] = { 1000, 1000, 0, 0, 0, 0 },
	[SPACE_TRANSLATE] = { 1000, 1000, 0, 0, 0, 0 },
};

static const char *const event_names[] = {
	[NAIVE_CHOSE_GENEROUS_GAP] = "chose the lowest place, in a generous gap",
	[NAIVE_CHOSE_ABOVE_LOWEST_FIT] = "skipped a lower place for a generous gap",
	[NAIVE_CHOSE_TIGHT_GAP] = "chose a place in a tight gap",
	[NAIVE_FOUND_NO_GAP] = "found no gap",
	[NAIVE_FILLED_GAP] = "filled a gap",
	[NAIVE_REMOVED] = "removed a range",
	[NAIVE_TRIMMED_FRONT] = "trimmed a range's front",
	[NAIVE_TRIMMED_BACK] = "trimmed a range's back",
	[NAIVE_SPLIT_MAPPING] = "split a mapping",
	[NAIVE_SPLIT_RESERVATION] = "split a reservation",
	[NAIVE_TRIMMED_UNDER_RESERVATION] = "trimmed a mapping with its reservation",
	[NAIVE_REMOVED_UNDER_RESERVATION] = "removed a mapping with its reservation",
	[NAIVE_REFUSED_SPLIT] = "refused a split",
	[NAIVE_MAPPED_FREE] = "mapped free addresses",
	[NAIVE_MAPPED_IN_USER_RESERVATION] = "mapped in a user reservation",
	[NAIVE_MAPPED_IN_DRIVER_RESERVATION] = "mapped in a driver reservation",
	[NAIVE_MET_DRIVERS_ENTRY] = "conflicted with the driver's entry",
	[NAIVE_MET_MANAGERS_ENTRY] = "conflicted with the manager's entry",
	[NAIVE_SET_AGAIN] = "set an entry again",
	[NAIVE_INVALIDATED_ENTRY] = "invalidated an entry",
	[NAIVE_EVICTED_AGAIN] = "evicted a table again",
	[NAIVE_ROOT_GREW] = "a root table grew",
	[NAIVE_ROOT_SHRANK] = "a root table shrank",
	[NAIVE_ROOT_DROPPED_EVICTION] = "a new root table became resident",
	[NAIVE_LIMIT_OF_OWNER] = "reached the limit per process",
	[NAIVE_LIMIT_OF_UID] = "reached the limit per uid",
	[NAIVE_LIMIT_OF_ALL] = "reached the limit in all",
};

_Static_assert(ARRAY_SIZE(event_names) == NAIVE_EVENT_MAX, "each event has a name");

static void must_be_same(const SpaceRun *run, const SpacePair *pair, const char *difference)
{
	if (!difference)
		return;
	fprintf(stderr,
		"address space: seed %" PRIu64 ", step %" PRIu64 ", MMU of %u levels:", run->seed,
		run->step, pair ? pair->mmu.level_count : 0);
	for (unsigned int level = 0; pair && level < pair->mmu.level_count; level++)
		fprintf(stderr, " %u", pair->mmu.index_bits[level]);
	fprintf(stderr, "\n  differs: %s\n  ", difference);
	space_operation_print(&run->operation, stderr);
	cr_assert_fail("%s; repeat with VAILD_SEED=%" PRIu64, difference, run->seed);
}

static void count_outcome(SpaceRun *run, NTSTATUS status)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(statuses) && statuses[i] != status)
		i++;
	cr_assert_lt(i, ARRAY_SIZE(statuses), "%s", status_name(status));
	run->outcomes[run->operation.kind][i]++;
}

static void compare_all(SpaceRun *run, const SpacePair *pair)
{
	must_be_same(run, pair, space_pair_compare_all(pair, run->states));
	must_be_same(run, pair, accounts_compare(&run->accounts, &run->naive_accounts));
	accounts_check(&run->accounts);
	address_space_check(&pair->space);
}

static void step(SpaceRun *run)
{
	SpacePair *pair = &run->pairs[dice_roll(&run->dice, run->pair_count)];
	NaiveAnswer answer;

	if (dice_chance(&run->dice, 100))
		run->phase = (SpacePhase)dice_roll(&run->dice, SPACE_PHASE_MAX);
	if (dice_chance(&run->dice, 500)) {
		run->naive_accounts.limits = space_limits_roll(&run->dice);
		run->accounts.limits = run->naive_accounts.limits;
	}
	run->operation = space_operation_roll(pair->naive, run->phase, &run->dice);
	must_be_same(run, pair, space_pair_apply(pair, &run->operation, &answer));
	count_outcome(run, answer.status);
	must_be_same(run, pair, space_pair_compare_counts(pair));
	if (run->largest < pair->naive->range_count)
		run->largest = pair->naive->range_count;
	if (pair->naive->range_count < 100 || run->step % 64 == 0)
		address_space_check(&pair->space);
	if (dice_chance(&run->dice, 4))
		must_be_same(run, pair, space_pair_visit_next(pair));
	if (dice_chance(&run->dice, 128))
		compare_all(run, pair);
}

static void life_begin(SpaceRun *run)
{
	run->naive_accounts = (NaiveAccounts){ .limits = space_limits_roll(&run->dice) };
	accounts_init(&run->accounts, &run->naive_accounts.limits);
	run->pair_count = 1 + dice_roll(&run->dice, SPACES_MAX);
	run->phase = (SpacePhase)dice_roll(&run->dice, SPACE_PHASE_MAX);
	for (size_t i = 0; i < run->pair_count; i++) {
		SpacePair *pair = &run->pairs[i];

		pair->mmu = space_mmu_roll(&run->dice);
		pair->cursor = 0;
		pair->visited = (NaiveRange){ 0 };
		cr_assert(address_space_init(&pair->space, &pair->mmu, &run->accounts));
		naive_space_init(pair->naive, &pair->mmu, &run->naive_accounts, run->events);
	}
}

static void life_end(SpaceRun *run)
{
	for (size_t i = 0; i < run->pair_count; i++) {
		compare_all(run, &run->pairs[i]);
		address_space_deinit(&run->pairs[i].space);
		naive_space_deinit(run->pairs[i].naive);
		must_be_same(run, NULL, accounts_compare(&run->accounts, &run->naive_accounts));
	}
	accounts_deinit(&run->accounts);
}

static void print_outcomes(const SpaceRun *run)
{
	for (int kind = 0; kind < SPACE_OPERATION_MAX; kind++)
		for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
			if (run->outcomes[kind][i] > 0)
				fprintf(stderr, "%10" PRIu64 " %s: %s\n", run->outcomes[kind][i],
					space_operation_names[kind], status_name(statuses[i]));
	for (int event = 0; event < NAIVE_EVENT_MAX; event++)
		fprintf(stderr, "%10" PRIu64 " %s\n", run->events[event], event_names[event]);
	for (int state = 0; state < TRANSLATION_MAX; state++)
		fprintf(stderr, "%10" PRIu64 " translations of state %d\n", run->states[state],
			state);
	fprintf(stderr, "%10" PRIu64 " ranges at most\n", run->largest);
}

/* Asserts that the random operations have covered everything. */
static void check_outcomes(const SpaceRun *run)
{
	for (int kind = 0; kind < SPACE_OPERATION_MAX; kind++)
		for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
			uint64_t least = expected[kind][i] * run->steps / 1000000;
			cr_expect(least > 0 ? run->outcomes[kind][i] >= least
					    : run->outcomes[kind][i] == 0,
				  "%s: %s occurred %" PRIu64 " times", space_operation_names[kind],
				  status_name(statuses[i]), run->outcomes[kind][i]);
		}
	for (int event = 0; event < NAIVE_EVENT_MAX; event++)
		cr_expect_geq(run->events[event], run->steps / 5000, "too rare: %s",
			      event_names[event]);
	for (int state = 0; state < TRANSLATION_MAX; state++)
		cr_expect_geq(run->states[state], run->steps / 1000, "too rare: state %d", state);
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text && text[0] != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

Test(address_space, random_operations_match_the_naive_model)
{
	SpaceRun *run = calloc(1, sizeof(*run));
	NaiveSpace *naive = calloc(SPACES_MAX, sizeof(*naive));

	cr_assert(run && naive);
	run->seed = number_from("VAILD_SEED", SEED_DEFAULT);
	run->steps = number_from("VAILD_STEPS", STEPS_DEFAULT);
	run->dice.state = run->seed;
	fprintf(stderr, "address space: VAILD_SEED=%" PRIu64 ", %" PRIu64 " steps\n", run->seed,
		run->steps);
	for (size_t i = 0; i < SPACES_MAX; i++)
		run->pairs[i].naive = &naive[i];
	while (run->step < run->steps) {
		uint64_t length =
			20 + dice_roll(&run->dice, dice_chance(&run->dice, 4) ? 4000 : 400);

		life_begin(run);
		for (; length > 0 && run->step < run->steps; length--, run->step++)
			step(run);
		life_end(run);
	}
	print_outcomes(run);
	if (run->steps >= STEPS_JUDGED)
		check_outcomes(run);
	free(naive);
	free(run);
}
