/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_VA_RANGE_PATH_H
#define DAEMON_CORE_VA_RANGE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/va/range-node.h"

/* More levels than any tree that fits into memory, even if all nodes are half full. */
enum { RANGE_PATH_LEVELS = 12 };

/*
 * A path from the root to a leaf slot: the node and the slot on each level. Nodes have no parent
 * pointers, so every change goes through a path. Insertions and removals invalidate it.
 */
typedef struct RangePath {
	int leaf; /* level of the leaf, or -1 if the tree is empty */
	int slots[RANGE_PATH_LEVELS];
	RangeNode *nodes[RANGE_PATH_LEVELS];
} RangePath;

/* The leaf and its slot. The tree must not be empty. */
static inline RangeNode *range_path_leaf(const RangePath *path)
{
	return path->nodes[path->leaf];
}

static inline int range_path_slot(const RangePath *path)
{
	return path->slots[path->leaf];
}

/* The end of the path's range, where its gap begins, and the size of that gap. */
static inline uint64_t range_path_end(const RangePath *path)
{
	return range_path_leaf(path)->ends[range_path_slot(path)];
}

static inline uint64_t *range_path_gap(const RangePath *path)
{
	return &range_path_leaf(path)->gaps[range_path_slot(path)];
}

/*
 * Finds the last range that ends at or before page. The leaf's slot is -1 if all ranges end behind
 * it.
 */
void range_path_find(RangePath *path, const RangeTree *tree, uint64_t page);

/* Returns the path's range, or NULL if the path lies before all ranges. */
Range *range_path_range(const RangePath *path);

/* Move to the next or previous range. Return NULL, leaving the path unchanged, at either end. */
Range *range_path_next(RangePath *path);
Range *range_path_previous(RangePath *path);

/*
 * Finds the lowest gap of the search, starting with the gap behind the last range that ends at or
 * before minimum. range_path_next_gap() continues the search. Return false if no such gap exists.
 */
bool range_path_lowest_gap(RangePath *path, const RangeTree *tree, uint64_t minimum,
			   const GapSearch *search);
bool range_path_next_gap(RangePath *path, const GapSearch *search);

/*
 * Propagates a change in the path's leaf to its ancestors. In a tree that counts, more is the
 * number of added ranges, or -1. In a tree that chooses, was and is are the summaries of the
 * changed gaps before and after the change, or 0 for none.
 */
void range_path_update(const RangePath *path, int more, uint64_t was, uint64_t is);

#endif
