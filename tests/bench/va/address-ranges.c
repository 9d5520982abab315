/* SPDX-License-Identifier: MIT */
/*
 * Compares the daemon's range tree with a reference tree. Both get the same calls in alternating
 * rounds, and must return the same addresses.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/macros.h"
#include "tests/bench/va/spaces.h"
#include "tests/bench/va/va-bench.h"
#include "tests/support/measure.h"

/* All sizes are in pages of 4 KiB. */
#define GRANULE ((uint64_t)512) /* 2 MiB */
#define GIB     ((uint64_t)1 << 18)
#define TIB     ((uint64_t)1 << 28)
#define SPACE   ((uint64_t)1 << 35) /* 47 bits */

enum { ROUNDS = 9, MANY = 100000 };

/* One of the two trees under comparison. */
typedef struct Side {
	const SpaceKind *kind;
	void *space;
	void **live; /* allocated ranges, unordered */
	size_t count;
	uint64_t dice;
	uint64_t digest; /* of all addresses returned so far */
} Side;

typedef struct Sides {
	Side sides[2];
} Sides;

static uint64_t roll(Side *side, uint64_t faces)
{
	side->dice ^= side->dice << 13;
	side->dice ^= side->dice >> 7;
	side->dice ^= side->dice << 17;
	return side->dice % faces;
}

static void note(Side *side, uint64_t address)
{
	side->digest = (side->digest ^ address) * 1099511628211u;
}

/*
 * Creates two spaces of end pages. Their first granule stays allocated. The alignment is that for
 * which the daemon's tree has summaries.
 */
static Sides sides_create_aligned(uint64_t end, size_t capacity, uint64_t alignment)
{
	Sides both = { { { .kind = &ours }, { .kind = &reference } } };

	for (int i = 0; i < 2; i++) {
		Side *side = &both.sides[i];

		side->dice = 88172645463325252u;
		side->live = calloc(capacity + 1, sizeof(*side->live));
		if (!side->live)
			bench_fail("out of memory");
		side->space = side->kind->create(end, alignment);
		side->live[side->count++] = side->kind->take(side->space, 0, GRANULE);
	}
	return both;
}

/* The alignment is that of an address space, 64 KiB. */
static Sides sides_create(uint64_t end, size_t capacity)
{
	return sides_create_aligned(end, capacity, 16);
}

static void sides_destroy(Sides *both)
{
	for (int i = 0; i < 2; i++) {
		Side *side = &both->sides[i];

		while (side->count > 0)
			side->kind->release(side->space, side->live[--side->count]);
		side->kind->destroy(side->space);
		free(side->live);
	}
}

static void sides_take(Sides *both, uint64_t first, uint64_t end)
{
	for (int i = 0; i < 2; i++) {
		Side *side = &both->sides[i];
		void *object = side->kind->take(side->space, first, end);

		if (!object)
			bench_fail("%s: free pages are reported as taken", side->kind->name);
		side->live[side->count++] = object;
	}
}

/* Measures alternating rounds of a step, and prints the medians. A target of 0 means none. */
static void compare(const char *what, Sides *both, void (*step)(Side *), size_t steps,
		    size_t operations_a_step, double target)
{
	double times[2][ROUNDS], medians[2];
	char aim[32] = "";

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 2; i++) {
			uint64_t begin = bench_now();

			for (size_t k = 0; k < steps; k++)
				step(&both->sides[i]);
			times[i][round] =
				(double)(bench_now() - begin) / (double)(steps * operations_a_step);
		}
		if (both->sides[0].digest != both->sides[1].digest)
			bench_fail("%s: the addresses differ from the reference's", what);
	}
	for (int i = 0; i < 2; i++)
		medians[i] = bench_median(times[i], ROUNDS);
	if (target > 0)
		snprintf(aim, sizeof(aim), "<= %.0f", target);
	/* bench_median() has sorted the times. */
	printf("  %-44s %9.0f %9.0f – %-9.0f %9.0f %6.2f  %s\n", what, medians[0], times[0][0],
	       times[0][ROUNDS - 1], medians[1], medians[0] / medians[1], aim);
}

/* --- the mix --------------------------------------------------------------------------------- */

/* Allocates one to eight granules, aligned to one, two or four. */
static void *allocate_some(Side *side)
{
	RangeRequest request = { .size = GRANULE * (1 + roll(side, 8)),
				 .alignment = GRANULE << roll(side, 3),
				 .unit = GRANULE,
				 .maximum = SPACE };
	void *object = side->kind->allocate(side->space, &request);

	if (!object)
		bench_fail("%s: the space is full", side->kind->name);
	note(side, side->kind->first(object));
	return object;
}

/*
 * Takes one granule at a random address in the used part of the space, or allocates elsewhere if it
 * is taken.
 */
static void *take_one(Side *side)
{
	uint64_t first = GRANULE * (1 + roll(side, side->count * 8));
	void *object = side->kind->take(side->space, first, first + GRANULE);

	note(side, object != NULL);
	return object ? object : allocate_some(side);
}

/*
 * Frees any range except the permanent one. Returns its slot in the list, which the caller fills.
 */
static void **release_any(Side *side)
{
	void **any = &side->live[1 + roll(side, side->count - 1)];

	side->kind->release(side->space, *any);
	return any;
}

static void mixed_step(Side *side)
{
	*release_any(side) = allocate_some(side);
	*release_any(side) = take_one(side);
}

static void fill(Side *side, size_t count)
{
	while (side->count <= count) {
		side->live[side->count] = allocate_some(side);
		side->count++;
		if (roll(side, 3) == 0)
			*release_any(side) = take_one(side);
	}
}

static void measure_mix(void)
{
	static const struct {
		size_t count;
		double target;
	} sizes[] = { { 1000, 120 }, { 10000, 150 }, { 100000, 300 }, { 1000000, 800 } };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		Sides both = sides_create(SPACE, sizes[i].count);
		char what[64];

		for (int k = 0; k < 2; k++)
			fill(&both.sides[k], sizes[i].count);
		snprintf(what, sizeof(what), "mix, %zu ranges", sizes[i].count);
		compare(what, &both, mixed_step, 50000, 4, sizes[i].target);
		sides_destroy(&both);
	}
}

/* --- difficult requests ---------------------------------------------------------------------- */

/* Allocates and frees pages. A refusal is a valid result too. */
static void pair(Side *side, uint64_t size, uint64_t alignment)
{
	RangeRequest request = { size, alignment, GRANULE, 0, SPACE };
	void *object = side->kind->allocate(side->space, &request);

	note(side, object ? side->kind->first(object) : 0);
	if (object)
		side->kind->release(side->space, object);
}

static void aligned_pair(Side *side)
{
	pair(side, GIB / 2, GIB);
}

/* Measures gaps of nearly 1 GiB behind each multiple of 1 GiB except the last. */
static void measure_adversary(void)
{
	Sides both = sides_create(SPACE, MANY);

	for (uint64_t i = 1; i < MANY; i++)
		sides_take(&both, i * GIB, i * GIB + GRANULE);
	compare("1e5 gaps, one fits aligned to 1 GiB: pair", &both, aligned_pair, 50000, 1, 1000);
	sides_destroy(&both);
}

static void failing_request(Side *side)
{
	pair(side, GIB, GRANULE);
}

static void measure_failure(void)
{
	Sides both = sides_create(MANY * GIB, MANY);

	for (uint64_t i = 1; i < MANY; i++)
		sides_take(&both, i * GIB, i * GIB + GRANULE);
	compare("1e5 gaps, none large enough: refusal", &both, failing_request, 50000, 1, 2000);
	sides_destroy(&both);
}

static void fragmented_pair(Side *side)
{
	pair(side, 2 * GRANULE, 2 * GRANULE);
}

/* Measures gaps of two granules at odd granules, and one at an even granule at the far end. */
static void measure_fragmented(void)
{
	uint64_t last = (4 * MANY + 1) * GRANULE;
	Sides both = sides_create_aligned(last + 3 * GRANULE, MANY + 1, 2 * GRANULE);

	for (uint64_t i = 1; i < MANY; i++)
		sides_take(&both, (4 * i - 1) * GRANULE, (4 * i + 1) * GRANULE);
	sides_take(&both, last - 2 * GRANULE, last + GRANULE);
	compare("1e5 gaps of the size, one fits: pair", &both, fragmented_pair, 20, 1, 2000);
	sides_destroy(&both);
}

static void megabytes_pair(Side *side)
{
	pair(side, 2 * GRANULE, GRANULE);
}

static void terabytes_pair(Side *side)
{
	pair(side, 16 * TIB, GRANULE);
}

static void measure_reservations(void)
{
	Sides both = sides_create(SPACE, MANY);

	for (int i = 0; i < 2; i++)
		fill(&both.sides[i], MANY);
	compare("1e5 ranges, 4 MiB: pair", &both, megabytes_pair, 50000, 1, 0);
	compare("1e5 ranges, 16 TiB: pair", &both, terabytes_pair, 50000, 1, 0);
	sides_destroy(&both);
}

/* --- memory ---------------------------------------------------------------------------------- */

static size_t memory_used(void)
{
	struct mallinfo2 used = mallinfo2();

	return used.uordblks + used.hblkhd;
}

/* Returns the memory per range after the mix has run for a while, including the range's object. */
static double bytes_a_range(int which)
{
	Sides both = sides_create(SPACE, MANY);
	Side *side = &both.sides[which];
	size_t before = memory_used();

	fill(side, MANY);
	for (int i = 0; i < MANY; i++)
		mixed_step(side);
	double bytes = (double)(memory_used() - before) / (double)MANY;
	sides_destroy(&both);
	return bytes;
}

static void measure_memory(void)
{
	double a = bytes_a_range(0), b = bytes_a_range(1);

	printf("  %-44s %9.1f %21s %9.1f %6.2f  %s\n", "bytes per range, 1e5 ranges", a, "", b,
	       a / b, "<= 96");
}

void measure_address_ranges(void)
{
	printf("Address ranges: granules of 2 MiB in a space of 47 bits, on one CPU.\n"
	       "The mix repeats four operations: free any range; allocate 1 to 8 granules,\n"
	       "aligned to 1, 2 or 4; free any range; take the granule at a random address,\n"
	       "or allocate if it is taken. A pair is an allocation and its release.\n"
	       "Values are nanoseconds per operation, medians of %d rounds. Rounds alternate\n"
	       "with a plain red-black tree, which must return the same addresses.\n\n",
	       ROUNDS);
	printf("  %-44s %9s %9s – %-9s %9s %6s  %s\n", "nanoseconds", "median", "least", "most",
	       "plain", "ratio", "target");
	measure_mix();
	measure_adversary();
	measure_failure();
	measure_fragmented();
	measure_reservations();
	measure_memory();
}
