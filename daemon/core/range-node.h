/* SPDX-License-Identifier: MIT */
#ifndef CORE_RANGE_NODE_H
#define CORE_RANGE_NODE_H

#include <stdint.h>

#include "range-tree.h"

/*
 * A node of the B+tree of ranges. Leaves and the nodes above them look alike: entries in order, in
 * three arrays, so that what looks for a page reads ends alone, and what looks for a gap reads gaps
 * alone.
 *
 * The key is where a range ends, since that is where its gap begins: an entry of a leaf says all of
 * a gap that is to be judged, without a look at the range.
 */
enum {
	/* Measured: fewer are slower at 1e3 and at 1e6 ranges, more are no faster. */
	RANGE_NODE_SLOTS = 48,
	/* But for the root, no node has fewer entries. */
	RANGE_NODE_LEAST = RANGE_NODE_SLOTS / 2,
	/* A node with more takes no entries off a full neighbour: it would soon be full, too. */
	RANGE_NODE_ROOMY = RANGE_NODE_SLOTS * 3 / 4,
};

typedef union RangeBelow {
	Range *range;    /* of a leaf */
	RangeNode *node; /* of the others */
} RangeBelow;

struct RangeNode {
	int count;
	uint64_t ends[RANGE_NODE_SLOTS]; /* of the range; of the first range in the node below */
	uint64_t gaps[RANGE_NODE_SLOTS]; /* behind the range; the largest in the node below */
	RangeBelow below[RANGE_NODE_SLOTS];
};

/* The slot of the last entry whose end is at the page or before it; -1: there is none. */
int range_node_slot(const RangeNode *node, uint64_t page);

/* The first slot from this one on with a gap of so many pages; the count: there is none. */
int range_node_gap(const RangeNode *node, int slot, uint64_t size);

/* 0: there are no entries. */
uint64_t range_node_largest_gap(const RangeNode *node);

/* There is room. */
void range_node_insert(RangeNode *node, int slot, uint64_t end, uint64_t gap, RangeBelow below);
void range_node_remove(RangeNode *node, int slot);

/* Makes an entry say what is true of the node below it. */
void range_node_describe(RangeNode *parent, int slot);

/*
 * The next three move entries between the nodes below a slot and the next one. What is said of the
 * parent in the node above it stays true.
 */

/* Both have as many entries then, or one has one more. */
void range_node_even_out(RangeNode *parent, int slot);

/* Moves the upper half of the node below the slot into an empty one, which becomes the next. */
void range_node_split(RangeNode *parent, int slot, RangeNode *empty);

/* Moves all into the lower one. The other, which has left the parent, is the caller's now. */
RangeNode *range_node_join(RangeNode *parent, int slot);

#endif
