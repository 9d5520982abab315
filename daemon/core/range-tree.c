/* SPDX-License-Identifier: MIT */
/*
 * A B+tree of the taken ranges, by where they end, with the largest gap of each subtree. Wide nodes
 * instead of one for each range: what costs time in a large tree is memory that is not in the
 * cache, and a walk through this one meets little of it.
 */
#include "range-tree.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "range-node.h"
#include "range-path.h"

void range_tree_init(RangeTree *tree, uint64_t end)
{
	*tree = (RangeTree){ .end = end };
}

static void free_subtree(RangeNode *node, int height, void (*gone)(Range *range))
{
	for (int slot = 0; slot < node->count; slot++) {
		if (height > 1)
			free_subtree(node->below[slot].node, height - 1, gone);
		else if (gone)
			gone(node->below[slot].range);
	}
	free(node);
}

static bool is_full(const RangeNode *node)
{
	return node->count == RANGE_NODE_SLOTS;
}

static RangeNode *take_spare(RangeTree *tree)
{
	RangeNode *node = tree->spares;

	assert(node);
	tree->spares = node->below[0].node;
	tree->spare_count--;
	return node;
}

void range_tree_deinit(RangeTree *tree, void (*gone)(Range *range))
{
	if (tree->root)
		free_subtree(tree->root, tree->height, gone);
	while (tree->spares)
		free(take_spare(tree));
	range_tree_init(tree, tree->end);
}

/* --- finding --------------------------------------------------------------------------------- */

Range *range_tree_behind(const RangeTree *tree, uint64_t page)
{
	RangePath path;
	Range *next;

	range_path_find(&path, tree, page);
	next = range_path_next(&path);
	return next && next->first <= page ? range_path_next(&path) : next;
}

Range *range_tree_find(const RangeTree *tree, uint64_t page)
{
	return range_tree_meeting(tree, page, page + 1);
}

Range *range_tree_meeting(const RangeTree *tree, uint64_t first, uint64_t end)
{
	RangePath path;
	Range *next;

	range_path_find(&path, tree, first);
	next = range_path_next(&path);
	return next && next->first < end ? next : NULL;
}

Range *range_tree_first(const RangeTree *tree)
{
	RangePath path;

	range_path_find(&path, tree, 0);
	return range_path_next(&path);
}

Range *range_tree_last(const RangeTree *tree)
{
	RangePath path;

	range_path_find(&path, tree, tree->end);
	return range_path_range(&path);
}

/* --- choosing -------------------------------------------------------------------------------- */

/* The lowest place in the path's gap, where that, cut to what is wished, has so many pages. */
static bool place_in_gap(const RangePath *path, const RangeWish *wish, uint64_t gap_size,
			 RangePlace *ret)
{
	uint64_t begin = range_path_end(path), end = begin + *range_path_gap(path);

	if (begin < wish->minimum)
		begin = wish->minimum;
	if (end > wish->maximum)
		end = wish->maximum;
	uint64_t first = (begin + wish->alignment - 1) & ~(wish->alignment - 1);
	if (begin + gap_size > end || first + wish->size > end)
		return false;
	*ret = (RangePlace){ .before = range_path_range(path),
			     .first = first,
			     .end = first + wish->size };
	return true;
}

/* Looks at each gap of so many pages, from the lowest up, until a place fits. */
static bool lowest_place(const RangeTree *tree, const RangeWish *wish, uint64_t gap_size,
			 RangePlace *ret)
{
	RangePath path;
	bool found = range_path_lowest_gap(&path, tree, wish->minimum, gap_size);

	for (; found && range_path_end(&path) < wish->maximum;
	     found = range_path_next_gap(&path, gap_size))
		if (place_in_gap(&path, wish, gap_size, ret))
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
	RangePath path;
	uint64_t free_until = tree->end;
	Range *before;

	assert(first < end && end <= tree->end);
	range_path_find(&path, tree, first);
	before = range_path_range(&path);
	if (before) {
		free_until = range_path_end(&path) + *range_path_gap(&path);
	} else {
		const Range *behind = range_path_next(&path);
		if (behind)
			free_until = behind->first;
	}
	if (end > free_until)
		return false;
	*ret = (RangePlace){ .before = before, .first = first, .end = end };
	return true;
}

/* --- changing -------------------------------------------------------------------------------- */

bool range_tree_prepare(RangeTree *tree)
{
	bool grows = !tree->root || is_full(tree->root);
	/* An insert splits one node of a level at most, the root only if that is full. */
	int needed = grows ? tree->height + 1 : tree->height - 1;

	while (tree->spare_count < needed) {
		RangeNode *node = malloc(sizeof(*node));

		if (!node)
			return false;
		node->below[0].node = tree->spares;
		tree->spares = node;
		tree->spare_count++;
	}
	return true;
}

/* Puts an empty leaf, or a node with the old root below it, at the root. */
static void grow(RangeTree *tree)
{
	RangeNode *root = take_spare(tree);

	root->count = 0;
	if (tree->root) {
		range_node_insert(root, 0, 0, 0, (RangeBelow){ .node = tree->root });
		range_node_describe(root, 0);
	}
	assert(tree->height < RANGE_PATH_LEVELS);
	tree->root = root;
	tree->height++;
}

static bool is_roomy(const RangeNode *parent, int slot)
{
	return slot >= 0 && slot < parent->count &&
	       parent->below[slot].node->count <= RANGE_NODE_ROOMY;
}

/* Takes one step towards room in a leaf that is full. */
static void make_room(RangeTree *tree, const RangePath *path)
{
	for (int level = path->leaf; level > 0; level--) {
		RangeNode *parent = path->nodes[level - 1];
		int slot = path->slots[level - 1];

		if (is_roomy(parent, slot - 1))
			range_node_even_out(parent, slot - 1);
		else if (is_roomy(parent, slot + 1))
			range_node_even_out(parent, slot);
		else if (!is_full(parent))
			range_node_split(parent, slot, take_spare(tree));
		else
			continue; /* the parent has to have room first */
		return;
	}
	grow(tree);
}

void range_tree_insert(RangeTree *tree, const RangePlace *place, Range *range)
{
	RangePath path;
	uint64_t free_until = tree->end;

	if (!tree->root)
		grow(tree);
	range_path_find(&path, tree, place->first);
	while (is_full(range_path_leaf(&path))) {
		make_room(tree, &path);
		range_path_find(&path, tree, place->first);
	}
	assert(range_path_range(&path) == place->before);

	RangeNode *leaf = range_path_leaf(&path);
	int slot = range_path_slot(&path);
	uint64_t was = 0, gap_before = 0;
	if (slot >= 0) {
		was = leaf->gaps[slot];
		free_until = leaf->ends[slot] + was;
		leaf->gaps[slot] = gap_before = place->first - leaf->ends[slot];
	} else if (leaf->count > 0) {
		free_until = leaf->below[0].range->first;
	}
	uint64_t gap = free_until - place->end;
	range->first = place->first;
	range->end = place->end;
	range_node_insert(leaf, slot + 1, range->end, gap, (RangeBelow){ .range = range });
	range_path_update(&path, was, gap > gap_before ? gap : gap_before);
}

/* Adds pages to the gap of the range before the path's, in its leaf or in the one before. */
static void widen_gap_before(RangePath *path, uint64_t pages)
{
	RangePath previous = *path;

	if (!range_path_previous(&previous))
		return;
	uint64_t *gap = range_path_gap(&previous);
	*gap += pages;
	range_path_update(&previous, *gap - pages, *gap);
}

/* Takes levels away that a tree of so few entries does not need. */
static void lower(RangeTree *tree)
{
	RangeNode *root = tree->root;

	if (tree->height > 1 ? root->count > 1 : root->count > 0)
		return;
	tree->root = tree->height > 1 ? root->below[0].node : NULL;
	tree->height--;
	free(root);
}

/* Joins a leaf that has become too empty with a neighbour, and so on upwards. */
static void mend(RangeTree *tree, const RangePath *path)
{
	for (int level = path->leaf; level > 0; level--) {
		RangeNode *parent = path->nodes[level - 1];
		int left = path->slots[level - 1] > 0 ? path->slots[level - 1] - 1 : 0;

		if (path->nodes[level]->count >= RANGE_NODE_LEAST)
			return;
		if (parent->below[left].node->count + parent->below[left + 1].node->count >
		    RANGE_NODE_SLOTS) {
			range_node_even_out(parent, left);
			return;
		}
		free(range_node_join(parent, left));
	}
	lower(tree);
}

/* The way to a range of the tree. */
static void find_range(RangePath *path, const RangeTree *tree, const Range *range)
{
	range_path_find(path, tree, range->end);
	assert(range_path_range(path) == range);
}

void range_tree_remove(RangeTree *tree, Range *range)
{
	RangePath path;

	find_range(&path, tree, range);
	RangeNode *leaf = range_path_leaf(&path);
	int slot = range_path_slot(&path);
	uint64_t gap = leaf->gaps[slot];
	widen_gap_before(&path, range->end - range->first + gap);
	range_node_remove(leaf, slot);
	range_path_update(&path, gap, 0);
	mend(tree, &path);
}

void range_tree_shrink(RangeTree *tree, Range *range, uint64_t first, uint64_t end)
{
	RangePath path;

	assert(range->first <= first && first < end && end <= range->end);
	find_range(&path, tree, range);
	RangeNode *leaf = range_path_leaf(&path);
	int slot = range_path_slot(&path);
	uint64_t gap = leaf->gaps[slot];
	widen_gap_before(&path, first - range->first);
	leaf->ends[slot] = end;
	leaf->gaps[slot] = gap + range->end - end;
	range_path_update(&path, gap, leaf->gaps[slot]);
	range->first = first;
	range->end = end;
}

/* --- checking -------------------------------------------------------------------------------- */

static void check_subtree(const RangeTree *tree, const RangeNode *node, int level)
{
	bool is_leaf = level == tree->height - 1;

	assert(node->count <= RANGE_NODE_SLOTS);
	assert(node->count >= (level > 0 ? RANGE_NODE_LEAST : is_leaf ? 1 : 2));
	for (int slot = 0; slot < node->count; slot++) {
		RangeBelow below = node->below[slot];

		if (is_leaf) {
			assert(node->ends[slot] == below.range->end);
			continue;
		}
		assert(node->ends[slot] == below.node->ends[0]);
		assert(node->gaps[slot] == range_node_largest_gap(below.node));
		check_subtree(tree, below.node, level + 1);
	}
}

void range_tree_check(const RangeTree *tree)
{
	RangePath path;
	const Range *range, *next;

	assert((tree->height > 0) == (tree->root != NULL));
	if (tree->root)
		check_subtree(tree, tree->root, 0);
	range_path_find(&path, tree, 0);
	for (range = range_path_next(&path); range; range = next) {
		uint64_t gap = *range_path_gap(&path);

		next = range_path_next(&path);
		assert(range->first < range->end && range->end <= tree->end);
		assert(range->end + gap == (next ? next->first : tree->end));
	}
}
