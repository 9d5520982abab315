/* SPDX-License-Identifier: MIT */
#include "daemon/core/va/range-path.h"

#include <stddef.h>

enum {
	CACHE_LINE = 64,
	/* The leaves of a lower tree are in the cache anyway. */
	HEIGHT_TO_FETCH = 3,
};

/*
 * Prefetches a whole leaf. A search or an insertion would otherwise wait for its cache lines one
 * after the other.
 */
static void prefetch_leaf(const RangeNode *leaf)
{
	for (size_t at = 0; at < sizeof(*leaf); at += CACHE_LINE)
		__builtin_prefetch((const char *)leaf + at, 1);
}

void range_path_find(RangePath *path, const RangeTree *tree, uint64_t page)
{
	RangeNode *node = tree->root;

	path->leaf = tree->height - 1;
	for (int level = 0; level < path->leaf; level++) {
		int slot = range_node_slot(node, page);

		path->nodes[level] = node;
		path->slots[level] = slot > 0 ? slot : 0;
		node = node->children[path->slots[level]].node;
	}
	if (!node)
		return;
	if (tree->height >= HEIGHT_TO_FETCH)
		prefetch_leaf(node);
	path->nodes[path->leaf] = node;
	path->slots[path->leaf] = range_node_slot(node, page);
}

Range *range_path_range(const RangePath *path)
{
	if (path->leaf < 0 || range_path_slot(path) < 0)
		return NULL;
	return range_path_leaf(path)->children[range_path_slot(path)].range;
}

Range *range_path_next(RangePath *path)
{
	int level = path->leaf;

	while (level >= 0 && path->slots[level] + 1 >= path->nodes[level]->count)
		level--;
	if (level < 0)
		return NULL;
	path->slots[level]++;
	for (; level < path->leaf; level++) {
		path->nodes[level + 1] = path->nodes[level]->children[path->slots[level]].node;
		path->slots[level + 1] = 0;
	}
	return range_path_range(path);
}

Range *range_path_previous(RangePath *path)
{
	int level = path->leaf;

	while (level >= 0 && path->slots[level] <= 0)
		level--;
	if (level < 0)
		return NULL;
	path->slots[level]--;
	for (; level < path->leaf; level++) {
		path->nodes[level + 1] = path->nodes[level]->children[path->slots[level]].node;
		path->slots[level + 1] = path->nodes[level + 1]->count - 1;
	}
	return range_path_range(path);
}

/*
 * Finds the next gap of the search, starting at the path's slot of that level. Descends where a
 * subtree contains such a gap, and ascends at the end of a node without one.
 */
static bool seek_gap(RangePath *path, int level, const GapSearch *search)
{
	while (level >= 0) {
		RangeNode *node = path->nodes[level];
		int slot = range_node_gap(node, path->slots[level], search);

		path->slots[level] = slot;
		if (slot == node->count) {
			if (--level >= 0)
				path->slots[level]++;
		} else if (level == path->leaf) {
			return true;
		} else {
			level++;
			path->nodes[level] = node->children[slot].node;
			path->slots[level] = 0;
		}
	}
	return false;
}

bool range_path_lowest_gap(RangePath *path, const RangeTree *tree, uint64_t minimum,
			   const GapSearch *search)
{
	if (!tree->root)
		return false;
	if (minimum > 0) {
		range_path_find(path, tree, minimum);
		if (range_path_slot(path) < 0)
			path->slots[path->leaf] = 0;
		return seek_gap(path, path->leaf, search);
	}
	path->leaf = tree->height - 1;
	path->nodes[0] = tree->root;
	path->slots[0] = 0;
	return seek_gap(path, 0, search);
}

bool range_path_next_gap(RangePath *path, const GapSearch *search)
{
	path->slots[path->leaf]++;
	return seek_gap(path, path->leaf, search);
}

static void update_counts(const RangePath *path, int more)
{
	for (int level = path->leaf; level > 0; level--) {
		RangeNode *parent = path->nodes[level - 1];
		int slot = path->slots[level - 1];

		parent->summaries[slot] += (uint64_t)more;
		parent->ends[slot] = path->nodes[level]->ends[0];
	}
}

void range_path_update(const RangePath *path, int more, uint64_t was, uint64_t is)
{
	if (range_path_leaf(path)->counts) {
		update_counts(path, more);
		return;
	}
	for (int level = path->leaf; level > 0; level--) {
		const RangeNode *node = path->nodes[level];
		RangeNode *parent = path->nodes[level - 1];
		int slot = path->slots[level - 1];
		uint64_t stored = parent->summaries[slot];
		uint64_t summary = range_node_resummarise(node, stored, was, is);

		if (summary == stored && parent->ends[slot] == node->ends[0])
			return;
		parent->summaries[slot] = summary;
		parent->ends[slot] = node->ends[0];
		was = stored;
		is = summary;
	}
}
