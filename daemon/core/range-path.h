/* SPDX-License-Identifier: MIT */
#ifndef CORE_RANGE_PATH_H
#define CORE_RANGE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "range-node.h"

/* More levels than memory could hold: of nodes that are half full. */
enum { RANGE_PATH_LEVELS = 12 };

/*
 * The way from the root to a range, or to where one would be: the node and the slot of each level.
 * Nodes do not know their parents, so whoever changes one comes along a path. Good until entries
 * come or go.
 */
typedef struct RangePath {
	int leaf; /* the level; -1: the tree is empty */
	int slots[RANGE_PATH_LEVELS];
	RangeNode *nodes[RANGE_PATH_LEVELS];
} RangePath;

/* The last node and slot of a path in a tree that is not empty. */
static inline RangeNode *range_path_leaf(const RangePath *path)
{
	return path->nodes[path->leaf];
}

static inline int range_path_slot(const RangePath *path)
{
	return path->slots[path->leaf];
}

/* Of the range that a path leads to: the page that its gap begins at, and the gap. */
static inline uint64_t range_path_end(const RangePath *path)
{
	return range_path_leaf(path)->ends[range_path_slot(path)];
}

static inline uint64_t *range_path_gap(const RangePath *path)
{
	return &range_path_leaf(path)->gaps[range_path_slot(path)];
}

/*
 * The way to the last range that ends at the page or before it; -1 is its last slot if all end
 * behind it.
 */
void range_path_find(RangePath *path, const RangeTree *tree, uint64_t page);

/* The range that a path leads to; NULL: it leads before all ranges. */
Range *range_path_range(const RangePath *path);

/* Goes on to the next range, back to the previous one. NULL: there is none, and the path stays. */
Range *range_path_next(RangePath *path);
Range *range_path_previous(RangePath *path);

/*
 * The way to the lowest range with a gap of so many pages, but for those whose gaps end before the
 * minimum; on to the next one. False: there is none.
 */
bool range_path_lowest_gap(RangePath *path, const RangeTree *tree, uint64_t minimum, uint64_t size);
bool range_path_next_gap(RangePath *path, uint64_t size);

/*
 * Brings what is said of the path's nodes above them up to date, after gaps of the leaf have
 * changed of which the largest was so many pages, and is so many now. 0: there was none, there is
 * none.
 */
void range_path_update(const RangePath *path, uint64_t was, uint64_t now);

#endif
