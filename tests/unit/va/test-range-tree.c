/* SPDX-License-Identifier: MIT */
/*
 * Tests the allocator of page ranges: at its limits, and with random calls compared to an array.
 *
 * VAILD_SEED=N sets the seed.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/va/range-tree.h"
#include "proto/macros.h"

TestSuite(range_tree);

#define SEED_DEFAULT 20240229

static const RangeRequest any = { .size = 1, .alignment = 1, .unit = 1, .maximum = UINT64_MAX };

static void insert_at(RangeTree *tree, Range *range, uint64_t first, uint64_t end)
{
	RangePlace place;

	cr_assert(range_tree_place_at(tree, first, end, &place));
	cr_assert(range_tree_prepare(tree));
	range_tree_insert(tree, &place, range);
	range_tree_check(tree);
	cr_assert_eq(range->first, first);
	cr_assert_eq(range->end, end);
}

/* Returns the first page of the chosen place, or UINT64_MAX. */
static uint64_t choose_page(const RangeTree *tree, RangeRequest request)
{
	RangePlace place;

	if (!range_tree_choose(tree, &request, &place))
		return UINT64_MAX;
	cr_assert_eq(place.end, place.first + request.size);
	return place.first;
}

/* --- limits ---------------------------------------------------------------------------------- */

Test(range_tree, empty_tree)
{
	RangeTree tree;
	RangePlace place;

	range_tree_init(&tree, 100, 1);
	range_tree_check(&tree);
	cr_assert_null(range_tree_first(&tree));
	cr_assert_null(range_tree_last(&tree));
	cr_assert_null(range_tree_find(&tree, 0));
	cr_assert_null(range_tree_after(&tree, 0));
	cr_assert_null(range_tree_overlapping(&tree, 0, 100));
	cr_assert(range_tree_place_at(&tree, 0, 100, &place));
	cr_assert_null(place.before);
	cr_assert_eq(choose_page(&tree, any), UINT64_MAX, "pages before all ranges are not a gap");
	range_tree_deinit(&tree, NULL);
}

Test(range_tree, adjacent_ranges)
{
	RangeTree tree;
	RangePlace place;
	Range a, b, c;

	range_tree_init(&tree, 100, 1);
	insert_at(&tree, &b, 40, 50);
	insert_at(&tree, &a, 10, 40);
	insert_at(&tree, &c, 99, 100);
	cr_assert_eq(range_tree_first(&tree), &a);
	cr_assert_eq(range_tree_last(&tree), &c);
	cr_assert_null(range_tree_find(&tree, 9));
	cr_assert_eq(range_tree_find(&tree, 10), &a);
	cr_assert_eq(range_tree_find(&tree, 39), &a);
	cr_assert_eq(range_tree_find(&tree, 40), &b);
	cr_assert_null(range_tree_find(&tree, 50));
	cr_assert_eq(range_tree_after(&tree, 9), &a);
	cr_assert_eq(range_tree_after(&tree, 10), &b);
	cr_assert_eq(range_tree_after(&tree, 40), &c);
	cr_assert_null(range_tree_after(&tree, 99));
	cr_assert_null(range_tree_overlapping(&tree, 0, 10));
	cr_assert_eq(range_tree_overlapping(&tree, 0, 11), &a);
	cr_assert_eq(range_tree_overlapping(&tree, 39, 60), &a);
	cr_assert_null(range_tree_overlapping(&tree, 50, 99));
	cr_assert_eq(range_tree_overlapping(&tree, 50, 100), &c);
	cr_assert(range_tree_place_at(&tree, 0, 10, &place));
	cr_assert_not(range_tree_place_at(&tree, 0, 11, &place));
	cr_assert_not(range_tree_place_at(&tree, 49, 51, &place));
	cr_assert(range_tree_place_at(&tree, 50, 99, &place));
	cr_assert_eq(place.before, &b);
	cr_assert_not(range_tree_place_at(&tree, 50, 100, &place));
	range_tree_deinit(&tree, NULL);
}

Test(range_tree, lowest_generous_gap_is_chosen)
{
	RangeTree tree;
	Range ranges[4];

	/* Gaps of 10 pages at 1, of 16 at 13 and of 20 at 40. */
	range_tree_init(&tree, 61, 1);
	insert_at(&tree, &ranges[0], 0, 1);
	insert_at(&tree, &ranges[1], 11, 13);
	insert_at(&tree, &ranges[2], 29, 40);
	insert_at(&tree, &ranges[3], 60, 61);

	static const struct {
		RangeRequest request;
		uint64_t first;
	} cases[] = {
		{ { .size = 10, .alignment = 1, .unit = 1, .maximum = 61 }, 1 },
		{ { .size = 11, .alignment = 1, .unit = 1, .maximum = 61 }, 13 },
		{ { .size = 20, .alignment = 1, .unit = 1, .maximum = 61 }, 40 },
		{ { .size = 21, .alignment = 1, .unit = 1, .maximum = 61 }, UINT64_MAX },
		/*
		 * The generous gap for 7 pages, of 7 + 4 - 1, is at 1; for 8 pages, of 8 + 4 - 1,
		 * at 13.
		 */
		{ { .size = 7, .alignment = 4, .unit = 1, .maximum = 61 }, 4 },
		{ { .size = 8, .alignment = 4, .unit = 1, .maximum = 61 }, 16 },
		/*
		 * Only the last gap has 13 + 8 - 1 pages. No gap has 16 + 8 - 1, and only 40 … 59
		 * fits.
		 */
		{ { .size = 13, .alignment = 8, .unit = 1, .maximum = 61 }, 40 },
		{ { .size = 16, .alignment = 8, .unit = 1, .maximum = 61 }, 40 },
		{ { .size = 10, .alignment = 32, .unit = 1, .maximum = 61 }, UINT64_MAX },
		/* Gaps are clipped to minimum … maximum - 1 first. */
		{ { .size = 10, .alignment = 1, .unit = 1, .minimum = 2, .maximum = 61 }, 13 },
		{ { .size = 9, .alignment = 1, .unit = 1, .minimum = 2, .maximum = 61 }, 2 },
		{ { .size = 10, .alignment = 1, .unit = 1, .minimum = 14, .maximum = 61 }, 14 },
		{ { .size = 15, .alignment = 1, .unit = 1, .minimum = 14, .maximum = 29 }, 14 },
		{ { .size = 15, .alignment = 1, .unit = 1, .minimum = 14, .maximum = 28 },
		  UINT64_MAX },
		{ { .size = 20, .alignment = 1, .unit = 1, .minimum = 40, .maximum = 60 }, 40 },
		{ { .size = 20, .alignment = 1, .unit = 1, .minimum = 41, .maximum = 61 },
		  UINT64_MAX },
		{ { .size = 1, .alignment = 1, .unit = 1, .minimum = 60, .maximum = 61 },
		  UINT64_MAX },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(choose_page(&tree, cases[i].request), cases[i].first, "case %zu", i);
	range_tree_deinit(&tree, NULL);
}

Test(range_tree, removed_range_merges_its_gaps)
{
	RangeTree tree;
	Range a, b, c;

	range_tree_init(&tree, 100, 1);
	insert_at(&tree, &a, 0, 1);
	insert_at(&tree, &b, 10, 20);
	insert_at(&tree, &c, 30, 100);
	range_tree_shrink(&tree, &b, 12, 19);
	range_tree_check(&tree);
	cr_assert_null(range_tree_find(&tree, 11));
	cr_assert_eq(range_tree_find(&tree, 12), &b);
	cr_assert_null(range_tree_find(&tree, 19));
	range_tree_remove(&tree, &b);
	range_tree_check(&tree);
	cr_assert_eq(choose_page(&tree, (RangeRequest){ 29, 1, 1, 0, 100 }), 1u);
	range_tree_remove(&tree, &a);
	range_tree_check(&tree);
	cr_assert_eq(choose_page(&tree, any), UINT64_MAX);
	range_tree_remove(&tree, &c);
	range_tree_check(&tree);
	cr_assert_null(range_tree_first(&tree));
	range_tree_deinit(&tree, NULL);
}

/* Inserts and removes adjacent ranges from both ends. */
Test(range_tree, insertion_and_removal_orders)
{
	enum { COUNT = 3000 };
	RangeTree tree;
	Range *ranges = calloc(COUNT, sizeof(*ranges));

	range_tree_init(&tree, COUNT, 1);
	for (int order = 0; order < 4; order++) {
		for (size_t i = 0; i < COUNT; i++) {
			size_t page = order & 1 ? COUNT - 1 - i : i;
			RangePlace place;

			cr_assert(range_tree_place_at(&tree, page, page + 1, &place));
			cr_assert(range_tree_prepare(&tree));
			range_tree_insert(&tree, &place, &ranges[page]);
			if (i % 64 == 0)
				range_tree_check(&tree);
		}
		for (size_t i = 0; i < COUNT; i++) {
			range_tree_remove(&tree, &ranges[order & 2 ? COUNT - 1 - i : i]);
			if (i % 64 == 0)
				range_tree_check(&tree);
		}
		cr_assert_null(range_tree_first(&tree));
	}
	range_tree_deinit(&tree, NULL);
	free(ranges);
}

/* --- many ranges at once --------------------------------------------------------------------- */

/* Returns the number of ranges in the garbage, which is empty then. */
static uint64_t take_all(RangeGarbage *garbage)
{
	uint64_t count = 0;

	while (range_garbage_take(garbage))
		count++;
	return count;
}

/* Detaches each number of adjacent ranges from each place, of trees of one to four levels. */
Test(range_tree, detaching_from_the_beginning_the_middle_and_the_end)
{
	enum { COUNT = 60000 };
	static const uint64_t sizes[] = { 1, 20, 48, 49, 300, 2400, COUNT };
	Range *ranges = calloc(COUNT, sizeof(*ranges));

	for (size_t i = 0; i < ARRAY_SIZE(sizes) * 4 * 4; i++) {
		uint64_t size = sizes[i / 16], count = size * (i % 4 + 1) / 4;
		uint64_t first = (size - count) * (i / 4 % 4) / 3;
		RangeGarbage garbage = { 0 };
		RangeTree tree;

		range_tree_init_counting(&tree, COUNT);
		for (uint64_t page = 0; page < size; page++) {
			RangePlace place;

			cr_assert(range_tree_place_at(&tree, page, page + 1, &place));
			cr_assert(range_tree_prepare(&tree));
			range_tree_insert(&tree, &place, &ranges[page]);
		}
		cr_expect_eq(range_tree_detach(&tree, first, first + count, &garbage), count);
		range_tree_check(&tree);
		cr_expect_null(range_tree_overlapping(&tree, first, first + count));
		cr_expect_eq(range_tree_detach(&tree, 0, COUNT, &garbage), size - count);
		range_tree_check(&tree);
		cr_expect_null(range_tree_first(&tree));
		cr_expect_eq(take_all(&garbage), size);
		range_tree_deinit(&tree, NULL);
	}
	free(ranges);
}

Test(range_tree, detaching_nothing)
{
	RangeGarbage garbage = { 0 };
	RangeTree tree;
	Range a, b;

	range_tree_init_counting(&tree, 100);
	cr_expect_eq(range_tree_detach(&tree, 0, 100, &garbage), 0u);
	insert_at(&tree, &a, 10, 20);
	insert_at(&tree, &b, 30, 40);
	cr_expect_eq(range_tree_detach(&tree, 0, 10, &garbage), 0u);
	cr_expect_eq(range_tree_detach(&tree, 20, 30, &garbage), 0u);
	cr_expect_eq(range_tree_detach(&tree, 40, 100, &garbage), 0u);
	range_tree_check(&tree);
	cr_expect_eq(range_tree_first(&tree), &a);
	cr_expect_eq(range_tree_last(&tree), &b);
	cr_expect_null(range_garbage_take(&garbage));
	range_tree_deinit(&tree, NULL);
}

/* --- random calls against a naive model ------------------------------------------------------ */

enum { MODEL_RANGES = 2500 };

/* The ranges in order, and a tree that must contain the same. */
typedef struct ModelRun {
	uint64_t seed, state;
	size_t capacity; /* approximate maximum of ranges */
	RangeTree tree;
	Range *ranges[MODEL_RANGES];
	size_t count;
	RangeGarbage garbage;
	size_t garbage_count; /* number of ranges in the garbage */
} ModelRun;

static uint64_t roll(ModelRun *run, uint64_t sides)
{
	run->state ^= run->state << 13;
	run->state ^= run->state >> 7;
	run->state ^= run->state << 17;
	return run->state % sides;
}

#define expect_same(run, got, wanted) \
	cr_assert_eq((got), (wanted), "repeat with VAILD_SEED=%" PRIu64 " (%s)", (run)->seed, #got)

/* Returns the number of ranges that begin at or before the page. */
static size_t model_upto(const ModelRun *run, uint64_t page)
{
	size_t low = 0, high = run->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (run->ranges[middle]->first <= page)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static Range *model_range(const ModelRun *run, size_t index)
{
	return index < run->count ? run->ranges[index] : NULL;
}

static uint64_t model_gap_end(const ModelRun *run, size_t index)
{
	return index + 1 < run->count ? run->ranges[index + 1]->first : run->tree.end;
}

/*
 * Returns the lowest place in a gap that, after clipping, has at least gap_size pages, or
 * UINT64_MAX.
 */
static uint64_t model_lowest(const ModelRun *run, const RangeRequest *request, uint64_t gap_size)
{
	for (size_t i = 0; i < run->count; i++) {
		uint64_t begin = run->ranges[i]->end, end = model_gap_end(run, i);

		begin = begin < request->minimum ? request->minimum : begin;
		end = end > request->maximum ? request->maximum : end;
		uint64_t first =
			(begin + request->alignment - 1) / request->alignment * request->alignment;
		if (begin + gap_size <= end && first + request->size <= end)
			return first;
	}
	return UINT64_MAX;
}

static void insert(ModelRun *run, const RangePlace *place)
{
	Range *range = malloc(sizeof(*range));
	size_t index = model_upto(run, place->first);

	cr_assert_not_null(range);
	expect_same(run, place->before, index > 0 ? run->ranges[index - 1] : NULL);
	cr_assert(range_tree_prepare(&run->tree));
	range_tree_insert(&run->tree, place, range);
	memmove(&run->ranges[index + 1], &run->ranges[index],
		(run->count - index) * sizeof(Range *));
	run->ranges[index] = range;
	run->count++;
}

static void try_place_at(ModelRun *run)
{
	uint64_t first = roll(run, run->tree.end), size = 1 + roll(run, 12);
	uint64_t end = first + size > run->tree.end ? run->tree.end : first + size;
	size_t index = model_upto(run, first);
	bool is_free = (index == 0 || run->ranges[index - 1]->end <= first) &&
		       (index == run->count || run->ranges[index]->first >= end);
	RangePlace place;

	expect_same(run, range_tree_place_at(&run->tree, first, end, &place), is_free);
	if (!is_free)
		return;
	expect_same(run, place.first, first);
	expect_same(run, place.end, end);
	if (run->count < run->capacity)
		insert(run, &place);
}

static void try_choose(ModelRun *run)
{
	uint64_t unit = 1ull << roll(run, 3);
	if (run->tree.counts)
		return;
	RangeRequest request = {
		.size = unit * (1 + roll(run, roll(run, 4) ? 6 : 200)),
		.alignment = unit << roll(run, 7),
		.unit = unit,
		.minimum = roll(run, 3) ? 0 : roll(run, run->tree.end),
		.maximum = roll(run, 3) ? run->tree.end : 1 + roll(run, run->tree.end),
	};
	if (roll(run, 2) == 0) /* a request for which the tree has summaries */
		request.alignment = 1ull << run->tree.alignment_bits;
	if (request.unit > request.alignment)
		request.unit = request.alignment;
	if (roll(run, 2) == 0)
		request.size = (request.size / request.alignment + 1) * request.alignment;
	uint64_t wanted =
		model_lowest(run, &request, request.size + request.alignment - request.unit);
	RangePlace place;

	if (wanted == UINT64_MAX)
		wanted = model_lowest(run, &request, request.size);
	expect_same(run, range_tree_choose(&run->tree, &request, &place), wanted != UINT64_MAX);
	if (wanted == UINT64_MAX)
		return;
	expect_same(run, place.first, wanted);
	expect_same(run, place.end, wanted + request.size);
	if (run->count < run->capacity)
		insert(run, &place);
}

static void remove_at(ModelRun *run, size_t index)
{
	range_tree_remove(&run->tree, run->ranges[index]);
	free(run->ranges[index]);
	run->count--;
	memmove(&run->ranges[index], &run->ranges[index + 1],
		(run->count - index) * sizeof(Range *));
}

static void try_remove(ModelRun *run)
{
	if (run->count > 0)
		remove_at(run, roll(run, run->count));
}

/* Rarely removes many adjacent ranges at once, so that nodes merge. */
static void try_remove_many(ModelRun *run)
{
	if (roll(run, 400) != 0 || run->count == 0)
		return;
	size_t index = roll(run, run->count);
	size_t count = 1 + roll(run, 2 * roll(run, run->count - index) / 3 + 1);

	while (count-- > 0)
		remove_at(run, index);
}

/* Sometimes detaches the ranges between two pages, after those that lie across them are shrunk. */
static void try_detach(ModelRun *run)
{
	uint64_t first = roll(run, run->tree.end),
		 end = first + 1 + roll(run, run->tree.end - first);
	size_t from = model_upto(run, first);

	if (!run->tree.counts || roll(run, 60) != 0)
		return;
	if (roll(run, 2) == 0) /* a few ranges */
		end = first + 1 + (end - first) / 64;
	if (from > 0 && run->ranges[from - 1]->first == first)
		from--;
	else if (from > 0 && run->ranges[from - 1]->end > first)
		range_tree_shrink(&run->tree, run->ranges[from - 1], run->ranges[from - 1]->first,
				  first);
	size_t to = model_upto(run, end - 1);
	if (to > from && run->ranges[to - 1]->end > end) {
		to--;
		range_tree_shrink(&run->tree, run->ranges[to], end, run->ranges[to]->end);
	}
	expect_same(run, range_tree_detach(&run->tree, first, end, &run->garbage), to - from);
	memmove(&run->ranges[from], &run->ranges[to], (run->count - to) * sizeof(Range *));
	run->count -= to - from;
	run->garbage_count += to - from;
}

static void try_take_garbage(ModelRun *run)
{
	for (size_t steps = roll(run, 8); steps > 0; steps--) {
		Range *range = range_garbage_take(&run->garbage);

		expect_same(run, range != NULL, run->garbage_count > 0);
		free(range);
		run->garbage_count -= range != NULL;
	}
}

static void try_shrink(ModelRun *run)
{
	if (run->count == 0)
		return;
	Range *range = run->ranges[roll(run, run->count)];
	uint64_t first = range->first + roll(run, range->end - range->first);
	uint64_t end = first + 1 + roll(run, range->end - first);

	range_tree_shrink(&run->tree, range, first, end);
	expect_same(run, range->first, first);
	expect_same(run, range->end, end);
}

static void check_lookups(ModelRun *run)
{
	RangeTree *tree = &run->tree;
	uint64_t page = roll(run, tree->end), end = page + 1 + roll(run, 40);
	size_t index = model_upto(run, page);
	Range *before = index > 0 ? run->ranges[index - 1] : NULL;
	Range *behind = model_range(run, index);
	Range *here = before && before->end > page ? before : NULL;

	expect_same(run, range_tree_after(tree, page), behind);
	expect_same(run, range_tree_find(tree, page), here);
	expect_same(run, range_tree_overlapping(tree, page, end),
		    here                            ? here
		    : behind && behind->first < end ? behind
						    : NULL);
	expect_same(run, range_tree_first(tree), model_range(run, 0));
	expect_same(run, range_tree_last(tree), model_range(run, run->count - 1));
}

/*
 * Applies random calls to a space. The tree counts if the alignment is 0. The invariants are
 * checked every check_each steps.
 */
static void run_steps(uint64_t pages, uint64_t alignment, size_t capacity, size_t steps,
		      size_t check_each)
{
	static void (*const operations[])(ModelRun * run) = {
		try_place_at,    try_choose, try_place_at,  try_choose, try_remove,
		try_remove_many, try_shrink, check_lookups, try_detach, try_take_garbage,
	};
	const char *seed = getenv("VAILD_SEED");
	ModelRun *run = calloc(1, sizeof(*run));

	cr_assert_not_null(run);
	run->seed = seed && *seed ? strtoull(seed, NULL, 0) : SEED_DEFAULT;
	run->state = run->seed * 2 + 1;
	run->capacity = capacity;
	if (alignment > 0)
		range_tree_init(&run->tree, pages, alignment);
	else
		range_tree_init_counting(&run->tree, pages);
	for (size_t i = 0; i < steps; i++) {
		operations[roll(run, ARRAY_SIZE(operations))](run);
		if (i % check_each == 0)
			range_tree_check(&run->tree);
	}
	range_tree_check(&run->tree);
	while (run->garbage_count > 0)
		try_take_garbage(run);
	range_tree_deinit(&run->tree, NULL);
	while (run->count > 0)
		free(run->ranges[--run->count]);
	free(run);
}

Test(range_tree, random_calls_in_a_small_space)
{
	run_steps(300, 1, 60, 60000, 1);
	run_steps(300, 4, 60, 60000, 1);
	run_steps(300, 0, 60, 60000, 1);
}

Test(range_tree, random_calls_in_a_medium_space)
{
	run_steps(5000, 1, 500, 60000, 16);
	run_steps(5000, 16, 500, 60000, 16);
	run_steps(5000, 0, 500, 60000, 16);
}

Test(range_tree, random_calls_in_a_large_space)
{
	run_steps(100000, 1, MODEL_RANGES, 150000, 512);
	run_steps(100000, 16, MODEL_RANGES, 150000, 512);
	run_steps(100000, 0, MODEL_RANGES, 150000, 512);
}
