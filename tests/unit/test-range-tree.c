/* SPDX-License-Identifier: MIT */
/*
 * Proves the allocator of page ranges: at its boundaries, and under random calls against an array
 * that is searched from end to end.
 *
 * VAILD_SEED=N sets the seed.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "macros.h"
#include "range-tree.h"

TestSuite(range_tree);

#define SEED_DEFAULT 20240229

static const RangeWish any = { .size = 1, .alignment = 1, .unit = 1, .maximum = UINT64_MAX };

static void take(RangeTree *tree, Range *range, uint64_t first, uint64_t end)
{
	RangePlace place;

	cr_assert(range_tree_place_at(tree, first, end, &place));
	cr_assert(range_tree_prepare(tree));
	range_tree_insert(tree, &place, range);
	range_tree_check(tree);
	cr_assert_eq(range->first, first);
	cr_assert_eq(range->end, end);
}

/* Where the wish is granted, or UINT64_MAX. */
static uint64_t chosen(const RangeTree *tree, RangeWish wish)
{
	RangePlace place;

	if (!range_tree_choose(tree, &wish, &place))
		return UINT64_MAX;
	cr_assert_eq(place.end, place.first + wish.size);
	return place.first;
}

/* --- boundaries ------------------------------------------------------------------------------ */

Test(range_tree, empty)
{
	RangeTree tree;
	RangePlace place;

	range_tree_init(&tree, 100);
	range_tree_check(&tree);
	cr_assert_null(range_tree_first(&tree));
	cr_assert_null(range_tree_last(&tree));
	cr_assert_null(range_tree_find(&tree, 0));
	cr_assert_null(range_tree_behind(&tree, 0));
	cr_assert_null(range_tree_meeting(&tree, 0, 100));
	cr_assert(range_tree_place_at(&tree, 0, 100, &place));
	cr_assert_null(place.before);
	cr_assert_eq(chosen(&tree, any), UINT64_MAX, "what lies before all ranges is no gap");
	range_tree_deinit(&tree, NULL);
}

Test(range_tree, neighbours)
{
	RangeTree tree;
	RangePlace place;
	Range a, b, c;

	range_tree_init(&tree, 100);
	take(&tree, &b, 40, 50);
	take(&tree, &a, 10, 40);
	take(&tree, &c, 99, 100);
	cr_assert_eq(range_tree_first(&tree), &a);
	cr_assert_eq(range_tree_last(&tree), &c);
	cr_assert_null(range_tree_find(&tree, 9));
	cr_assert_eq(range_tree_find(&tree, 10), &a);
	cr_assert_eq(range_tree_find(&tree, 39), &a);
	cr_assert_eq(range_tree_find(&tree, 40), &b);
	cr_assert_null(range_tree_find(&tree, 50));
	cr_assert_eq(range_tree_behind(&tree, 9), &a);
	cr_assert_eq(range_tree_behind(&tree, 10), &b);
	cr_assert_eq(range_tree_behind(&tree, 40), &c);
	cr_assert_null(range_tree_behind(&tree, 99));
	cr_assert_null(range_tree_meeting(&tree, 0, 10));
	cr_assert_eq(range_tree_meeting(&tree, 0, 11), &a);
	cr_assert_eq(range_tree_meeting(&tree, 39, 60), &a);
	cr_assert_null(range_tree_meeting(&tree, 50, 99));
	cr_assert_eq(range_tree_meeting(&tree, 50, 100), &c);
	cr_assert(range_tree_place_at(&tree, 0, 10, &place));
	cr_assert_not(range_tree_place_at(&tree, 0, 11, &place));
	cr_assert_not(range_tree_place_at(&tree, 49, 51, &place));
	cr_assert(range_tree_place_at(&tree, 50, 99, &place));
	cr_assert_eq(place.before, &b);
	cr_assert_not(range_tree_place_at(&tree, 50, 100, &place));
	range_tree_deinit(&tree, NULL);
}

Test(range_tree, a_wish_is_granted_where_it_fits_best)
{
	RangeTree tree;
	Range ranges[4];

	/* Gaps of 10 pages at 1, of 16 at 13 and of 20 at 40. */
	range_tree_init(&tree, 61);
	take(&tree, &ranges[0], 0, 1);
	take(&tree, &ranges[1], 11, 13);
	take(&tree, &ranges[2], 29, 40);
	take(&tree, &ranges[3], 60, 61);

	static const struct {
		RangeWish wish;
		uint64_t first;
	} cases[] = {
		{ { .size = 10, .alignment = 1, .unit = 1, .maximum = 61 }, 1 },
		{ { .size = 11, .alignment = 1, .unit = 1, .maximum = 61 }, 13 },
		{ { .size = 20, .alignment = 1, .unit = 1, .maximum = 61 }, 40 },
		{ { .size = 21, .alignment = 1, .unit = 1, .maximum = 61 }, UINT64_MAX },
		/* It would fit at 4, but a gap of 7 + 4 - 1 pages is at 1, of 8 + 4 - 1 at 13. */
		{ { .size = 7, .alignment = 4, .unit = 1, .maximum = 61 }, 4 },
		{ { .size = 8, .alignment = 4, .unit = 1, .maximum = 61 }, 16 },
		/* No gap of 13 + 8 - 1 but the last; none of 16 + 8 - 1, and only 40 … 59 fits. */
		{ { .size = 13, .alignment = 8, .unit = 1, .maximum = 61 }, 40 },
		{ { .size = 16, .alignment = 8, .unit = 1, .maximum = 61 }, 40 },
		{ { .size = 10, .alignment = 32, .unit = 1, .maximum = 61 }, UINT64_MAX },
		/* Gaps are cut to minimum … maximum - 1 first. */
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
		cr_expect_eq(chosen(&tree, cases[i].wish), cases[i].first, "case %zu", i);
	range_tree_deinit(&tree, NULL);
}

Test(range_tree, a_removed_range_leaves_one_gap)
{
	RangeTree tree;
	Range a, b, c;

	range_tree_init(&tree, 100);
	take(&tree, &a, 0, 1);
	take(&tree, &b, 10, 20);
	take(&tree, &c, 30, 100);
	range_tree_shrink(&tree, &b, 12, 19);
	range_tree_check(&tree);
	cr_assert_null(range_tree_find(&tree, 11));
	cr_assert_eq(range_tree_find(&tree, 12), &b);
	cr_assert_null(range_tree_find(&tree, 19));
	range_tree_remove(&tree, &b);
	range_tree_check(&tree);
	cr_assert_eq(chosen(&tree, (RangeWish){ 29, 1, 1, 0, 100 }), 1u);
	range_tree_remove(&tree, &a);
	range_tree_check(&tree);
	cr_assert_eq(chosen(&tree, any), UINT64_MAX);
	range_tree_remove(&tree, &c);
	range_tree_check(&tree);
	cr_assert_null(range_tree_first(&tree));
	range_tree_deinit(&tree, NULL);
}

/* Many ranges side by side, put in and taken out from one end or the other. */
Test(range_tree, orders_of_coming_and_going)
{
	enum { COUNT = 3000 };
	RangeTree tree;
	Range *ranges = calloc(COUNT, sizeof(*ranges));

	range_tree_init(&tree, COUNT);
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

/* --- random calls against a naive model ------------------------------------------------------ */

enum { MODEL_RANGES = 2500 };

/* The ranges in order, and a tree that ought to hold the same. */
typedef struct Play {
	uint64_t seed, state;
	size_t capacity; /* about so many ranges at most */
	RangeTree tree;
	Range *ranges[MODEL_RANGES];
	size_t count;
} Play;

static uint64_t roll(Play *play, uint64_t sides)
{
	play->state ^= play->state << 13;
	play->state ^= play->state >> 7;
	play->state ^= play->state << 17;
	return play->state % sides;
}

#define expect_same(play, got, wanted) \
	cr_assert_eq((got), (wanted), "repeat with VAILD_SEED=%" PRIu64 " (%s)", (play)->seed, #got)

/* How many ranges begin at the page or before it. */
static size_t model_upto(const Play *play, uint64_t page)
{
	size_t low = 0, high = play->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (play->ranges[middle]->first <= page)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static Range *model_range(const Play *play, size_t index)
{
	return index < play->count ? play->ranges[index] : NULL;
}

static uint64_t model_gap_end(const Play *play, size_t index)
{
	return index + 1 < play->count ? play->ranges[index + 1]->first : play->tree.end;
}

/* The lowest place in a gap that has so many pages, once it is cut; UINT64_MAX: there is none. */
static uint64_t model_lowest(const Play *play, const RangeWish *wish, uint64_t gap_size)
{
	for (size_t i = 0; i < play->count; i++) {
		uint64_t begin = play->ranges[i]->end, end = model_gap_end(play, i);

		begin = begin < wish->minimum ? wish->minimum : begin;
		end = end > wish->maximum ? wish->maximum : end;
		uint64_t first = (begin + wish->alignment - 1) / wish->alignment * wish->alignment;
		if (begin + gap_size <= end && first + wish->size <= end)
			return first;
	}
	return UINT64_MAX;
}

static void insert(Play *play, const RangePlace *place)
{
	Range *range = malloc(sizeof(*range));
	size_t index = model_upto(play, place->first);

	cr_assert_not_null(range);
	expect_same(play, place->before, index > 0 ? play->ranges[index - 1] : NULL);
	cr_assert(range_tree_prepare(&play->tree));
	range_tree_insert(&play->tree, place, range);
	memmove(&play->ranges[index + 1], &play->ranges[index],
		(play->count - index) * sizeof(Range *));
	play->ranges[index] = range;
	play->count++;
}

static void try_place_at(Play *play)
{
	uint64_t first = roll(play, play->tree.end), size = 1 + roll(play, 12);
	uint64_t end = first + size > play->tree.end ? play->tree.end : first + size;
	size_t index = model_upto(play, first);
	bool is_free = (index == 0 || play->ranges[index - 1]->end <= first) &&
		       (index == play->count || play->ranges[index]->first >= end);
	RangePlace place;

	expect_same(play, range_tree_place_at(&play->tree, first, end, &place), is_free);
	if (!is_free)
		return;
	expect_same(play, place.first, first);
	expect_same(play, place.end, end);
	if (play->count < play->capacity)
		insert(play, &place);
}

static void try_choose(Play *play)
{
	uint64_t unit = 1ull << roll(play, 3);
	RangeWish wish = {
		.size = unit * (1 + roll(play, roll(play, 4) ? 6 : 200)),
		.alignment = unit << roll(play, 6),
		.unit = unit,
		.minimum = roll(play, 3) ? 0 : roll(play, play->tree.end),
		.maximum = roll(play, 3) ? play->tree.end : 1 + roll(play, play->tree.end),
	};
	uint64_t wanted = model_lowest(play, &wish, wish.size + wish.alignment - wish.unit);
	RangePlace place;

	if (wanted == UINT64_MAX)
		wanted = model_lowest(play, &wish, wish.size);
	expect_same(play, range_tree_choose(&play->tree, &wish, &place), wanted != UINT64_MAX);
	if (wanted == UINT64_MAX)
		return;
	expect_same(play, place.first, wanted);
	expect_same(play, place.end, wanted + wish.size);
	if (play->count < play->capacity)
		insert(play, &place);
}

static void remove_at(Play *play, size_t index)
{
	range_tree_remove(&play->tree, play->ranges[index]);
	free(play->ranges[index]);
	play->count--;
	memmove(&play->ranges[index], &play->ranges[index + 1],
		(play->count - index) * sizeof(Range *));
}

static void try_remove(Play *play)
{
	if (play->count > 0)
		remove_at(play, roll(play, play->count));
}

/* Now and then many neighbours go at once, so that nodes meet. */
static void try_remove_many(Play *play)
{
	if (roll(play, 400) != 0 || play->count == 0)
		return;
	size_t index = roll(play, play->count);
	size_t count = 1 + roll(play, 2 * roll(play, play->count - index) / 3 + 1);

	while (count-- > 0)
		remove_at(play, index);
}

static void try_shrink(Play *play)
{
	if (play->count == 0)
		return;
	Range *range = play->ranges[roll(play, play->count)];
	uint64_t first = range->first + roll(play, range->end - range->first);
	uint64_t end = first + 1 + roll(play, range->end - first);

	range_tree_shrink(&play->tree, range, first, end);
	expect_same(play, range->first, first);
	expect_same(play, range->end, end);
}

static void look(Play *play)
{
	RangeTree *tree = &play->tree;
	uint64_t page = roll(play, tree->end), end = page + 1 + roll(play, 40);
	size_t index = model_upto(play, page);
	Range *before = index > 0 ? play->ranges[index - 1] : NULL;
	Range *behind = model_range(play, index);
	Range *here = before && before->end > page ? before : NULL;

	expect_same(play, range_tree_behind(tree, page), behind);
	expect_same(play, range_tree_find(tree, page), here);
	expect_same(play, range_tree_meeting(tree, page, end),
		    here                            ? here
		    : behind && behind->first < end ? behind
						    : NULL);
	expect_same(play, range_tree_first(tree), model_range(play, 0));
	expect_same(play, range_tree_last(tree), model_range(play, play->count - 1));
}

/* Steps through a space of so many pages, in which what always holds is asserted at each or at one
 * in so many. */
static void play_steps(uint64_t pages, size_t capacity, size_t steps, size_t check_each)
{
	static void (*const moves[])(Play *) = { try_place_at, try_choose, try_place_at,
						 try_choose,   try_remove, try_remove_many,
						 try_shrink,   look };
	const char *seed = getenv("VAILD_SEED");
	Play *play = calloc(1, sizeof(*play));

	cr_assert_not_null(play);
	play->seed = seed && *seed ? strtoull(seed, NULL, 0) : SEED_DEFAULT;
	play->state = play->seed * 2 + 1;
	play->capacity = capacity;
	range_tree_init(&play->tree, pages);
	for (size_t i = 0; i < steps; i++) {
		moves[roll(play, ARRAY_SIZE(moves))](play);
		if (i % check_each == 0)
			range_tree_check(&play->tree);
	}
	range_tree_check(&play->tree);
	range_tree_deinit(&play->tree, NULL);
	while (play->count > 0)
		free(play->ranges[--play->count]);
	free(play);
}

Test(range_tree, random_calls_in_a_small_space)
{
	play_steps(300, 60, 60000, 1);
}

Test(range_tree, random_calls_in_a_space_of_some_leaves)
{
	play_steps(5000, 500, 60000, 16);
}

Test(range_tree, random_calls_in_a_large_space)
{
	play_steps(100000, MODEL_RANGES, 150000, 512);
}
