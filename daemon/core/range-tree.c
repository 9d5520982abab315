/* SPDX-License-Identifier: MIT */
/*
 * A red-black tree of the taken ranges, augmented with the largest gap of each subtree. The tree of
 * libbsd calls RB_AUGMENT for nodes whose children it has changed, bottom up; what it leaves to its
 * user are the ancestors of a change.
 */
#define RB_AUGMENT(range) range_augment(range)

#include "range-tree.h"

#include <assert.h>
#include <stddef.h>

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The largest gap of the subtree. */
static uint64_t largest_gap(const Range *range)
{
	return range ? larger(range->gap, larger(range->largest_left, range->largest_right)) : 0;
}

static void range_augment(Range *range)
{
	range->largest_left = largest_gap(RB_LEFT(range, link));
	range->largest_right = largest_gap(RB_RIGHT(range, link));
}

static int range_compare(const Range *a, const Range *b)
{
	return compare_numbers(a->first, b->first);
}

TREE_GENERATE(RangeLinks, Range, link, range_compare)

void range_tree_init(RangeTree *tree, uint64_t end)
{
	*tree = (RangeTree){ .links = RB_INITIALIZER(&tree->links), .end = end };
}

static Range *range_tree_next(Range *range)
{
	return RB_NEXT(RangeLinks, NULL, range);
}

void range_tree_deinit(RangeTree *tree)
{
	RB_INIT(&tree->links);
}

/* --- finding --------------------------------------------------------------------------------- */

Range *range_tree_at_or_before(const RangeTree *tree, uint64_t page)
{
	Range *range = RB_ROOT(&tree->links), *found = NULL;

	while (range) {
		if (range->first <= page) {
			found = range;
			range = RB_RIGHT(range, link);
		} else {
			range = RB_LEFT(range, link);
		}
	}
	return found;
}

Range *range_tree_behind(const RangeTree *tree, uint64_t page)
{
	Range *range = RB_ROOT(&tree->links), *found = NULL;

	while (range) {
		if (range->first > page) {
			found = range;
			range = RB_LEFT(range, link);
		} else {
			range = RB_RIGHT(range, link);
		}
	}
	return found;
}

Range *range_tree_find(const RangeTree *tree, uint64_t page)
{
	Range *range = range_tree_at_or_before(tree, page);

	return range && page < range->end ? range : NULL;
}

Range *range_tree_meeting(const RangeTree *tree, uint64_t first, uint64_t end)
{
	Range *range = range_tree_at_or_before(tree, first);

	if (range && first < range->end)
		return range;
	range = range ? range_tree_next(range) : range_tree_first(tree);
	return range && range->first < end ? range : NULL;
}

Range *range_tree_first(const RangeTree *tree)
{
	return RB_MIN(RangeLinks, (struct RangeLinks *)&tree->links);
}

Range *range_tree_last(const RangeTree *tree)
{
	return RB_MAX(RangeLinks, (struct RangeLinks *)&tree->links);
}

/* --- choosing -------------------------------------------------------------------------------- */

/* The lowest range in the subtree with a gap of so many pages behind it. */
static Range *lowest_with_gap(Range *range, uint64_t size)
{
	while (range) {
		if (range->largest_left >= size)
			range = RB_LEFT(range, link);
		else if (range->gap >= size)
			return range;
		else
			range = range->largest_right >= size ? RB_RIGHT(range, link) : NULL;
	}
	return NULL;
}

/* The next one above the range. */
static Range *next_with_gap(Range *range, uint64_t size)
{
	Range *parent;

	if (range->largest_right >= size)
		return lowest_with_gap(RB_RIGHT(range, link), size);
	for (; (parent = RB_PARENT(range, link)); range = parent) {
		if (range == RB_RIGHT(parent, link))
			continue;
		if (parent->gap >= size)
			return parent;
		if (parent->largest_right >= size)
			return lowest_with_gap(RB_RIGHT(parent, link), size);
	}
	return NULL;
}

/* The lowest place behind the range, where its gap, cut to what is wished, has so many pages. */
static bool place_behind(Range *range, const RangeWish *wish, uint64_t gap_size, RangePlace *ret)
{
	uint64_t begin = range->end, end = range->end + range->gap;

	if (begin < wish->minimum)
		begin = wish->minimum;
	if (end > wish->maximum)
		end = wish->maximum;
	uint64_t first = (begin + wish->alignment - 1) & ~(wish->alignment - 1);
	if (begin + gap_size > end || first + wish->size > end)
		return false;
	*ret = (RangePlace){ .before = range, .first = first, .end = first + wish->size };
	return true;
}

/* Looks at each gap of so many pages, from the lowest up, until a place fits. */
static bool lowest_place(const RangeTree *tree, const RangeWish *wish, uint64_t gap_size,
			 RangePlace *ret)
{
	Range *range = wish->minimum > 0 ? range_tree_at_or_before(tree, wish->minimum) : NULL;

	if (!range)
		range = lowest_with_gap(RB_ROOT(&tree->links), gap_size);
	for (; range && range->end < wish->maximum; range = next_with_gap(range, gap_size))
		if (place_behind(range, wish, gap_size, ret))
			return true;
	return false;
}

bool range_tree_choose(const RangeTree *tree, const RangeWish *wish, RangePlace *ret)
{
	uint64_t generous = wish->size + wish->alignment - wish->unit;

	return lowest_place(tree, wish, generous, ret) ||
	       (generous > wish->size && lowest_place(tree, wish, wish->size, ret));
}

bool range_tree_place_at(const RangeTree *tree, uint64_t first, uint64_t end, RangePlace *ret)
{
	Range *before = range_tree_at_or_before(tree, first);
	const Range *behind = before ? NULL : range_tree_first(tree);

	assert(first < end && end <= tree->end);
	if (before ? first < before->end || end > before->end + before->gap
		   : behind && end > behind->first)
		return false;
	*ret = (RangePlace){ .before = before, .first = first, .end = end };
	return true;
}

/* --- changing -------------------------------------------------------------------------------- */

/*
 * Brings the ancestors of a range up to date with its gap and its subtrees. Further than the range
 * `through`, if there is one, only as long as there is something to change.
 */
static void propagate(Range *range, const Range *through)
{
	Range *parent;

	for (; (parent = RB_PARENT(range, link)); range = parent) {
		uint64_t *side = range == RB_LEFT(parent, link) ? &parent->largest_left
								: &parent->largest_right;
		uint64_t largest = largest_gap(range);

		if (range == through)
			through = NULL;
		if (*side == largest && !through)
			return;
		*side = largest;
	}
}

static Range *range_tree_previous(Range *range)
{
	return RB_PREV(RangeLinks, NULL, range);
}

/* Hangs the range below the node that it comes directly behind, or the first one below all. */
static void link_range(RangeTree *tree, Range *before, Range *range)
{
	Range *parent = before ? RB_RIGHT(before, link) : RB_ROOT(&tree->links);
	bool is_right = before && !parent;

	if (is_right)
		parent = before;
	else
		while (parent && RB_LEFT(parent, link))
			parent = RB_LEFT(parent, link);
	RB_SET(range, parent, link);
	if (!parent)
		RB_ROOT(&tree->links) = range;
	else if (is_right)
		RB_RIGHT(parent, link) = range;
	else
		RB_LEFT(parent, link) = range;
	range->largest_left = range->largest_right = 0;
}

bool range_tree_prepare(RangeTree *tree)
{
	(void)tree;
	return true;
}

void range_tree_insert(RangeTree *tree, const RangePlace *place, Range *range)
{
	Range *before = place->before;
	const Range *behind = before ? NULL : range_tree_first(tree);
	uint64_t free_until = before   ? before->end + before->gap
			      : behind ? behind->first
				       : tree->end;

	range->first = place->first;
	range->end = place->end;
	range->gap = free_until - range->end;
	if (before)
		before->gap = range->first - before->end;
	link_range(tree, before, range);
	/* The range before, whose gap has changed, is an ancestor. */
	propagate(range, before);
	RangeLinks_RB_INSERT_COLOR(&tree->links, range);
}

static void hang_in_place_of(RangeTree *tree, const Range *old, Range *range)
{
	Range *parent = RB_PARENT(old, link);

	if (!parent)
		RB_ROOT(&tree->links) = range;
	else if (RB_LEFT(parent, link) == old)
		RB_LEFT(parent, link) = range;
	else
		RB_RIGHT(parent, link) = range;
}

static void adopt_children(Range *range)
{
	if (RB_LEFT(range, link))
		RB_PARENT(RB_LEFT(range, link), link) = range;
	if (RB_RIGHT(range, link))
		RB_PARENT(RB_RIGHT(range, link), link) = range;
}

/*
 * Exchanges the places of a range that has two children and the next one, which has no left child:
 * RB_REMOVE would do the same, and then bring all ancestors up to date, needed or not.
 */
static void exchange_with_next(RangeTree *tree, Range *range, Range *next)
{
	Range swapped = *range;
	bool is_child = RB_PARENT(next, link) == range;

	hang_in_place_of(tree, range, next);
	if (!is_child)
		hang_in_place_of(tree, next, range);
	range->link = next->link;
	next->link = swapped.link;
	if (is_child) {
		RB_RIGHT(next, link) = range;
		RB_PARENT(range, link) = next;
	}
	adopt_children(range);
	adopt_children(next);
	next->largest_left = swapped.largest_left;
	next->largest_right = swapped.largest_right;
}

/* Takes the next range's gap out of the way of the exchange, and back. */
static void make_leaf_like(RangeTree *tree, Range *range)
{
	Range *next = range_tree_next(range);
	uint64_t gap = next->gap, largest_right = next->largest_right;

	next->gap = 0;
	propagate(next, NULL);
	exchange_with_next(tree, range, next);
	range->largest_left = 0;
	range->largest_right = largest_right;
	next->gap = gap;
	propagate(next, NULL);
}

void range_tree_remove(RangeTree *tree, Range *range)
{
	Range *before = range_tree_previous(range);

	/* With no gap of its own the range can be taken out without a change to its ancestors. */
	if (before)
		before->gap += range->end - range->first + range->gap;
	range->gap = 0;
	if (RB_LEFT(range, link))
		propagate(before, range);
	else
		propagate(range, before);
	if (RB_LEFT(range, link) && RB_RIGHT(range, link))
		make_leaf_like(tree, range);
	RB_REMOVE(RangeLinks, &tree->links, range);
}

void range_tree_shrink(RangeTree *tree, Range *range, uint64_t first, uint64_t end)
{
	Range *before = first > range->first ? range_tree_previous(range) : NULL;

	assert(range->first <= first && first < end && end <= range->end);
	(void)tree;
	if (before) {
		before->gap += first - range->first;
		propagate(before, NULL);
	}
	range->gap += range->end - end;
	range->first = first;
	range->end = end;
	propagate(range, NULL);
}

/* --- checking -------------------------------------------------------------------------------- */

/* Returns how many black nodes lie on each way down. */
static unsigned int check_subtree(const Range *range)
{
	const Range *left, *right;

	if (!range)
		return 1;
	left = RB_LEFT(range, link);
	right = RB_RIGHT(range, link);
	assert(range->largest_left == largest_gap(left));
	assert(range->largest_right == largest_gap(right));
	assert(!left || RB_PARENT(left, link) == range);
	assert(!right || RB_PARENT(right, link) == range);

	unsigned int black = check_subtree(left);
	assert(black == check_subtree(right));
	return black + (RB_COLOR(range, link) == RB_BLACK);
}

void range_tree_check(const RangeTree *tree)
{
	Range *range, *next;

	check_subtree(RB_ROOT(&tree->links));
	for (range = range_tree_first(tree); range; range = next) {
		next = range_tree_next(range);
		assert(range->first < range->end && range->end <= tree->end);
		assert(range->end + range->gap == (next ? next->first : tree->end));
	}
}
