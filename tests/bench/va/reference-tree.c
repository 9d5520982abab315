/* SPDX-License-Identifier: MIT */
/*
 * libbsd's tree calls RB_AUGMENT bottom up for nodes whose children it has changed. The user must
 * update the ancestors of a changed value.
 */
#define RB_AUGMENT(range) range_augment(range)

#include "tests/bench/va/reference-tree.h"

#include <stddef.h>

static uint64_t largest_of(const ReferenceRange *range)
{
	return range ? range->largest : 0;
}

static bool range_augment(ReferenceRange *range)
{
	uint64_t left = largest_of(RB_LEFT(range, link)), right = largest_of(RB_RIGHT(range, link));
	uint64_t largest = left > right ? left : right, was = range->largest;

	range->largest = largest > range->gap ? largest : range->gap;
	return range->largest != was;
}

static int range_compare(const ReferenceRange *a, const ReferenceRange *b)
{
	return compare_numbers(a->first, b->first);
}

TREE_GENERATE(ReferenceLinks, ReferenceRange, link, range_compare)

void reference_tree_init(ReferenceTree *tree, uint64_t end)
{
	*tree = (ReferenceTree){ .links = RB_INITIALIZER(&tree->links), .end = end };
}

static ReferenceRange *at_or_before(const ReferenceTree *tree, uint64_t page)
{
	ReferenceRange *range = RB_ROOT(&tree->links), *found = NULL;

	while (range) {
		if (range->first <= page)
			found = range;
		range = range->first <= page ? RB_RIGHT(range, link) : RB_LEFT(range, link);
	}
	return found;
}

static ReferenceRange *first_of(const ReferenceTree *tree)
{
	return RB_MIN(ReferenceLinks, (struct ReferenceLinks *)&tree->links);
}

/* --- choosing -------------------------------------------------------------------------------- */

/* Returns the lowest range in the subtree with a gap of at least size pages, or NULL. */
static ReferenceRange *lowest_with_gap(ReferenceRange *range, uint64_t size)
{
	while (range && range->largest >= size) {
		if (largest_of(RB_LEFT(range, link)) >= size)
			range = RB_LEFT(range, link);
		else if (range->gap >= size)
			return range;
		else
			range = RB_RIGHT(range, link);
	}
	return NULL;
}

/* Returns the next such range above this one, or NULL. */
static ReferenceRange *next_with_gap(ReferenceRange *range, uint64_t size)
{
	ReferenceRange *parent, *found = lowest_with_gap(RB_RIGHT(range, link), size);

	for (; !found && (parent = RB_PARENT(range, link)); range = parent) {
		if (range == RB_RIGHT(parent, link))
			continue;
		found = parent->gap >= size ? parent
					    : lowest_with_gap(RB_RIGHT(parent, link), size);
	}
	return found;
}

/* Tries each gap of at least gap_size pages, from the lowest up, until a place fits. */
static bool lowest_place(const ReferenceTree *tree, const RangeRequest *request, uint64_t gap_size,
			 ReferencePlace *ret)
{
	ReferenceRange *range = request->minimum > 0 ? at_or_before(tree, request->minimum) : NULL;

	if (!range)
		range = lowest_with_gap(RB_ROOT(&tree->links), gap_size);
	for (; range && range->end < request->maximum; range = next_with_gap(range, gap_size)) {
		uint64_t begin = range->end, end = range->end + range->gap;

		begin = begin < request->minimum ? request->minimum : begin;
		end = end > request->maximum ? request->maximum : end;
		uint64_t first = (begin + request->alignment - 1) & ~(request->alignment - 1);
		if (begin + gap_size > end || first + request->size > end)
			continue;
		*ret = (ReferencePlace){ range, first, first + request->size };
		return true;
	}
	return false;
}

bool reference_tree_choose(const ReferenceTree *tree, const RangeRequest *request,
			   ReferencePlace *ret)
{
	uint64_t generous = request->size + request->alignment - request->unit;

	return lowest_place(tree, request, generous, ret) ||
	       (generous > request->size && lowest_place(tree, request, request->size, ret));
}

bool reference_tree_place_at(const ReferenceTree *tree, uint64_t first, uint64_t end,
			     ReferencePlace *ret)
{
	ReferenceRange *before = at_or_before(tree, first);
	const ReferenceRange *behind = before ? NULL : first_of(tree);

	if (before ? first < before->end || end > before->end + before->gap
		   : behind && end > behind->first)
		return false;
	*ret = (ReferencePlace){ before, first, end };
	return true;
}

/* --- changing -------------------------------------------------------------------------------- */

/* Updates a range and its ancestors, up to the first that does not change. */
static void propagate(ReferenceRange *range)
{
	while (range && range_augment(range))
		range = RB_PARENT(range, link);
}

void reference_tree_insert(ReferenceTree *tree, const ReferencePlace *place, ReferenceRange *range)
{
	ReferenceRange *before = place->before;
	const ReferenceRange *behind = before ? NULL : first_of(tree);
	uint64_t free_until = before   ? before->end + before->gap
			      : behind ? behind->first
				       : tree->end;

	*range = (ReferenceRange){ .first = place->first, .end = place->end };
	if (before) {
		before->gap = range->first - before->end;
		propagate(before);
	}
	RB_INSERT(ReferenceLinks, &tree->links, range);
	range->gap = free_until - range->end;
	propagate(range);
}

void reference_tree_remove(ReferenceTree *tree, ReferenceRange *range)
{
	ReferenceRange *before = RB_PREV(ReferenceLinks, NULL, range);
	uint64_t freed = range->end - range->first + range->gap;

	/* Without its own gap, the range can be removed without updating its ancestors. */
	range->gap = 0;
	propagate(range);
	if (before) {
		before->gap += freed;
		propagate(before);
	}
	RB_REMOVE(ReferenceLinks, &tree->links, range);
}
