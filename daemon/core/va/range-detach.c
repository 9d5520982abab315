/* SPDX-License-Identifier: MIT */
/* Keeps nodes at least half full, and removes many ranges from a tree at once. */
#include "daemon/core/va/range-detach.h"

#include <assert.h>
#include <stdlib.h>

/* --- nodes with few entries ------------------------------------------------------------------ */

/* Removes roots that have a single child, and a root without entries. */
static void collapse_root(RangeTree *tree)
{
	RangeNode *root = tree->root;

	while (root && root->count <= (root->height > 1)) {
		tree->root = root->count > 0 ? root->children[0].node : NULL;
		tree->height = root->count > 0 ? tree->height - 1 : 0;
		free(root);
		root = tree->root;
	}
}

/*
 * Balances a child that has too few entries with a neighbour, or merges the two. Returns true if it
 * has merged them, so that the parent has one entry less.
 */
static bool refill(RangeNode *parent, int slot)
{
	int left = slot > 0 ? slot - 1 : 0;

	if (parent->children[left].node->count + parent->children[left + 1].node->count >
	    RANGE_NODE_SLOTS) {
		range_node_balance(parent, left);
		return false;
	}
	free(range_node_merge(parent, left));
	return true;
}

void range_tree_rebalance(RangeTree *tree, const RangePath *path)
{
	for (int level = path->leaf; level > 0; level--)
		if (path->nodes[level]->count >= RANGE_NODE_MIN ||
		    !refill(path->nodes[level - 1], path->slots[level - 1]))
			return;
	collapse_root(tree);
}

/*
 * Refills the topmost node of the path that has too few entries. Its parent has enough, so there is
 * a neighbour. Returns false if each node has enough.
 */
static bool refill_topmost(RangeTree *tree, const RangePath *path)
{
	for (int level = 1; level <= path->leaf; level++) {
		if (path->nodes[level]->count >= RANGE_NODE_MIN)
			continue;
		refill(path->nodes[level - 1], path->slots[level - 1]);
		collapse_root(tree);
		return true;
	}
	return false;
}

/*
 * Refills the nodes on both sides of the page, which ranges were detached behind. Each step either
 * fills a node or removes one, so that there are few per level.
 */
static void refill_around(RangeTree *tree, uint64_t page)
{
	bool has_changed = true;
	RangePath path;

	while (has_changed && tree->root) {
		range_path_find(&path, tree, page);
		has_changed = refill_topmost(tree, &path) ||
			      (range_path_next(&path) && refill_topmost(tree, &path));
	}
}

/* --- detaching ------------------------------------------------------------------------------- */

static void discard_range(RangeGarbage *garbage, Range *range)
{
	range->next_garbage = garbage->ranges;
	garbage->ranges = range;
}

static void discard_node(RangeGarbage *garbage, RangeNode *node)
{
	node->next_garbage = garbage->nodes;
	garbage->nodes = node;
}

/* Moves the entries from slot first to slot end - 1 to the garbage. Returns the number of ranges.
 */
static uint64_t discard_entries(RangeNode *node, int first, int end, RangeGarbage *garbage)
{
	uint64_t count = 0;

	for (int slot = first; slot < end; slot++) {
		count += node->height > 1 ? node->summaries[slot] : 1;
		if (node->height > 1)
			discard_node(garbage, node->children[slot].node);
		else
			discard_range(garbage, node->children[slot].range);
	}
	range_node_remove(node, first, end - first);
	return count;
}

static uint64_t discard_ranges(RangeNode *node, uint64_t first, uint64_t end,
			       RangeGarbage *garbage);

/* Discards the ranges in a child, and removes the child if it is empty then. */
static uint64_t discard_in_child(RangeNode *node, int slot, uint64_t first, uint64_t end,
				 RangeGarbage *garbage)
{
	RangeNode *child = node->children[slot].node;
	uint64_t count = discard_ranges(child, first, end, garbage);

	if (child->count > 0) {
		range_node_update_entry(node, slot);
	} else {
		range_node_remove(node, slot, 1);
		free(child);
	}
	return count;
}

/*
 * Discards the ranges of a subtree that end behind first, and at or before end. Only the children
 * in which these two edges lie are visited; those between them are discarded whole. The left one
 * keeps its first range. Nodes may have too few entries afterwards.
 */
static uint64_t discard_ranges(RangeNode *node, uint64_t first, uint64_t end, RangeGarbage *garbage)
{
	int left = range_node_slot(node, first), right = range_node_slot(node, end);
	uint64_t count = 0;

	if (node->height == 1)
		return discard_entries(node, left + 1, right + 1, garbage);
	if (right >= 0)
		count += discard_in_child(node, right, first, end, garbage);
	if (right > left + 1)
		count += discard_entries(node, left + 1, right, garbage);
	if (left >= 0 && left < right)
		count += discard_in_child(node, left, first, end, garbage);
	return count;
}

/* Sets the gap behind the last range that ends at or before the page. */
static void measure_gap(RangeTree *tree, uint64_t page)
{
	RangePath path;

	range_path_find(&path, tree, page);
	if (!range_path_range(&path))
		return;
	uint64_t begin = range_path_end(&path), *gap = range_path_gap(&path);
	const Range *next = range_path_next(&path);
	*gap = (next ? next->first : tree->end) - begin;
}

uint64_t range_tree_detach(RangeTree *tree, uint64_t first, uint64_t end, RangeGarbage *garbage)
{
	uint64_t count;

	assert(tree->counts);
	if (!tree->root)
		return 0;
	count = discard_ranges(tree->root, first, end, garbage);
	collapse_root(tree);
	refill_around(tree, first);
	measure_gap(tree, first);
	return count;
}

void range_tree_detach_all(RangeTree *tree, RangeGarbage *garbage)
{
	RangeNode *spare;

	if (tree->root)
		discard_node(garbage, tree->root);
	tree->root = NULL;
	tree->height = 0;
	while ((spare = tree->spares)) {
		tree->spares = spare->children[0].node;
		free(spare);
	}
	tree->spare_count = 0;
}

/* Removes the last entry of the first node in the garbage, and frees the node if it was the only
 * one. */
static RangeChild take_entry(RangeGarbage *garbage)
{
	RangeNode *node = garbage->nodes;
	RangeChild child = node->children[--node->count];

	if (node->count == 0) {
		garbage->nodes = node->next_garbage;
		free(node);
	}
	return child;
}

Range *range_garbage_take(RangeGarbage *garbage)
{
	Range *range = garbage->ranges;

	if (range) {
		garbage->ranges = range->next_garbage;
		return range;
	}
	while (garbage->nodes && garbage->nodes->height > 1)
		discard_node(garbage, take_entry(garbage).node);
	return garbage->nodes ? take_entry(garbage).range : NULL;
}
