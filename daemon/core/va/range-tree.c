/* SPDX-License-Identifier: MIT */
/*
 * A B+tree of ranges; see the header for the theory. The functions here insert, remove and search;
 * range-detach.c removes many ranges at once, range-node.c moves entries between nodes, and
 * range-path.c walks from the root to a leaf.
 */
#include "daemon/core/va/range-tree.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "daemon/core/va/range-detach.h"

void range_tree_init(RangeTree *tree, uint64_t end, uint64_t alignment)
{
	*tree = (RangeTree){
		.end = end,
		.alignment_bits = (uint8_t)__builtin_ctzll(alignment),
	};
}

void range_tree_init_counting(RangeTree *tree, uint64_t end)
{
	*tree = (RangeTree){ .end = end, .counts = true };
}

static bool is_full(const RangeNode *node)
{
	return node->count == RANGE_NODE_SLOTS;
}

/* Returns an empty node of that height from the spares. */
static RangeNode *take_spare(RangeTree *tree, int height)
{
	RangeNode *node = tree->spares;

	assert(node);
	tree->spares = node->children[0].node;
	tree->spare_count--;
	node->count = 0;
	node->height = (uint8_t)height;
	node->alignment_bits = tree->alignment_bits;
	node->counts = tree->counts;
	return node;
}

void range_tree_deinit(RangeTree *tree, void (*free_range)(Range *range))
{
	RangeGarbage garbage = { 0 };
	Range *range;

	range_tree_detach_all(tree, &garbage);
	while ((range = range_garbage_take(&garbage)))
		if (free_range)
			free_range(range);
}

/* --- finding --------------------------------------------------------------------------------- */

Range *range_tree_after(const RangeTree *tree, uint64_t page)
{
	RangePath path;
	Range *next;

	range_path_find(&path, tree, page);
	next = range_path_next(&path);
	return next && next->first <= page ? range_path_next(&path) : next;
}

Range *range_tree_find(const RangeTree *tree, uint64_t page)
{
	return range_tree_overlapping(tree, page, page + 1);
}

Range *range_tree_overlapping(const RangeTree *tree, uint64_t first, uint64_t end)
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

/*
 * Finds the lowest place in the path's gap. The gap, after clipping to the request's bounds, must
 * have at least gap_size pages.
 */
static bool place_in_gap(const RangePath *path, const RangeRequest *request, uint64_t gap_size,
			 RangePlace *ret)
{
	uint64_t begin = range_path_end(path), end = begin + *range_path_gap(path);

	if (begin < request->minimum)
		begin = request->minimum;
	if (end > request->maximum)
		end = request->maximum;
	uint64_t first = (begin + request->alignment - 1) & ~(request->alignment - 1);
	if (begin + gap_size > end || first + request->size > end)
		return false;
	*ret = (RangePlace){ .before = range_path_range(path),
			     .first = first,
			     .end = first + request->size };
	return true;
}

/* Tries each gap of the search, from the lowest up, until a place fits. */
static bool lowest_place(const RangeTree *tree, const RangeRequest *request, GapSearch search,
			 RangePlace *ret)
{
	RangePath path;
	bool found = range_path_lowest_gap(&path, tree, request->minimum, &search);

	for (; found && range_path_end(&path) < request->maximum;
	     found = range_path_next_gap(&path, &search))
		if (place_in_gap(&path, request, search.size, ret))
			return true;
	return false;
}

/* A place fits into each gap that an aligned search finds, unless the request's bounds clip it. */
bool range_tree_choose(const RangeTree *tree, const RangeRequest *request, RangePlace *ret)
{
	uint64_t generous = request->size + request->alignment - request->unit;
	bool is_aligned = request->alignment == UINT64_C(1) << tree->alignment_bits &&
			  request->size % request->alignment == 0;

	assert(!tree->counts);
	return lowest_place(tree, request, (GapSearch){ .size = generous }, ret) ||
	       (generous > request->size &&
		lowest_place(tree, request, (GapSearch){ request->size, is_aligned }, ret));
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
	/* An insertion splits at most one node per level, and the root only if it is full. */
	int needed = grows ? tree->height + 1 : tree->height - 1;

	while (tree->spare_count < needed) {
		RangeNode *node = malloc(sizeof(*node));

		if (!node)
			return false;
		node->children[0].node = tree->spares;
		tree->spares = node;
		tree->spare_count++;
	}
	return true;
}

/* Adds a level: an empty leaf in an empty tree, otherwise a root above the old one. */
static void add_root(RangeTree *tree)
{
	RangeNode *root = take_spare(tree, tree->height + 1);

	if (tree->root) {
		range_node_insert(root, 0, 0, 0, (RangeChild){ .node = tree->root });
		range_node_update_entry(root, 0);
	}
	assert(tree->height < RANGE_PATH_LEVELS);
	tree->root = root;
	tree->height++;
}

static bool is_roomy(const RangeNode *parent, int slot)
{
	return slot >= 0 && slot < parent->count &&
	       parent->children[slot].node->count <= RANGE_NODE_ROOMY;
}

/*
 * Takes one step towards a free slot in a full leaf. The caller looks up the path again after it.
 */
static void make_room(RangeTree *tree, const RangePath *path)
{
	for (int level = path->leaf; level > 0; level--) {
		RangeNode *parent = path->nodes[level - 1];
		int slot = path->slots[level - 1];

		if (is_roomy(parent, slot - 1))
			range_node_balance(parent, slot - 1);
		else if (is_roomy(parent, slot + 1))
			range_node_balance(parent, slot);
		else if (!is_full(parent))
			range_node_split(parent, slot, take_spare(tree, parent->height - 1));
		else
			continue; /* make room in the parent first */
		return;
	}
	add_root(tree);
}

void range_tree_insert(RangeTree *tree, const RangePlace *place, Range *range)
{
	RangePath path;
	uint64_t free_until = tree->end;

	if (!tree->root)
		add_root(tree);
	range_path_find(&path, tree, place->first);
	while (is_full(range_path_leaf(&path))) {
		make_room(tree, &path);
		range_path_find(&path, tree, place->first);
	}
	assert(range_path_range(&path) == place->before);

	RangeNode *leaf = range_path_leaf(&path);
	int slot = range_path_slot(&path);
	uint64_t was = 0, is = 0;
	if (slot >= 0) {
		free_until = range_path_end(&path) + leaf->gaps[slot];
		was = range_node_gap_summary(leaf, slot);
		leaf->gaps[slot] = place->first - leaf->ends[slot];
		is = range_node_gap_summary(leaf, slot);
	} else if (leaf->count > 0) {
		free_until = leaf->children[0].range->first;
	}
	range->first = place->first;
	range->end = place->end;
	range_node_insert(leaf, slot + 1, range->end, free_until - place->end,
			  (RangeChild){ .range = range });
	is = range_node_combine(leaf, is, range_node_gap_summary(leaf, slot + 1));
	range_path_update(&path, 1, was, is);
}

/* Adds pages to the gap behind the previous range, which may be in another leaf. */
static void widen_gap_before(RangePath *path, uint64_t pages)
{
	RangePath previous = *path;

	if (!range_path_previous(&previous))
		return;
	RangeNode *leaf = range_path_leaf(&previous);
	int slot = range_path_slot(&previous);
	uint64_t was = range_node_gap_summary(leaf, slot);
	leaf->gaps[slot] += pages;
	range_path_update(&previous, 0, was, range_node_gap_summary(leaf, slot));
}

/* Finds the path to a range that is in the tree. */
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
	uint64_t was = range_node_gap_summary(leaf, slot);
	widen_gap_before(&path, range->end - range->first + leaf->gaps[slot]);
	range_node_remove(leaf, slot, 1);
	range_path_update(&path, -1, was, 0);
	range_tree_rebalance(tree, &path);
}

void range_tree_shrink(RangeTree *tree, Range *range, uint64_t first, uint64_t end)
{
	RangePath path;

	assert(range->first <= first && first < end && end <= range->end);
	find_range(&path, tree, range);
	RangeNode *leaf = range_path_leaf(&path);
	int slot = range_path_slot(&path);
	uint64_t was = range_node_gap_summary(leaf, slot);
	widen_gap_before(&path, first - range->first);
	leaf->ends[slot] = end;
	leaf->gaps[slot] += range->end - end;
	range_path_update(&path, 0, was, range_node_gap_summary(leaf, slot));
	range->first = first;
	range->end = end;
}

/* --- checking -------------------------------------------------------------------------------- */

static void check_subtree(const RangeTree *tree, const RangeNode *node, int level)
{
	bool is_leaf = level == tree->height - 1;

	assert(node->count <= RANGE_NODE_SLOTS && node->height == tree->height - level);
	assert(node->counts == tree->counts && node->alignment_bits == tree->alignment_bits);
	assert(node->count >= (level > 0 ? RANGE_NODE_MIN : is_leaf ? 1 : 2));
	for (int slot = 0; slot < node->count; slot++) {
		RangeChild child = node->children[slot];

		if (is_leaf) {
			assert(node->ends[slot] == child.range->end);
			continue;
		}
		assert(node->ends[slot] == child.node->ends[0]);
		assert(node->summaries[slot] == range_node_summary(child.node));
		check_subtree(tree, child.node, level + 1);
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
