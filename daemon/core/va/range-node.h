/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_VA_RANGE_NODE_H
#define DAEMON_CORE_VA_RANGE_NODE_H

#include <stdint.h>

#include "daemon/core/va/range-tree.h"

/*
 * A node of the B+tree of ranges; range-tree.h explains the tree. Leaves and inner nodes have the
 * same layout: sorted entries, stored as three arrays. A search for a page therefore reads only
 * ends, and a search for a gap reads only gaps.
 *
 * The key is the end of a range, because its gap begins there. A leaf entry thus describes a whole
 * gap, and the search need not read the range itself.
 */
enum {
	/* Measured: fewer slots are slower with 1e3 and 1e6 ranges, and more are not faster. */
	RANGE_NODE_SLOTS = 48,
	/* Smallest number of entries of a node other than the root. */
	RANGE_NODE_MIN = RANGE_NODE_SLOTS / 2,
	/*
	 * A full node passes entries to a neighbour only if that has at most this many. A fuller
	 * neighbour would itself be full again soon.
	 */
	RANGE_NODE_ROOMY = RANGE_NODE_SLOTS * 3 / 4,
};

typedef union RangeChild {
	Range *range;    /* in a leaf */
	RangeNode *node; /* in an inner node */
} RangeChild;

struct RangeNode {
	int count;
	/* Ends of the ranges; in an inner node, ends of the children's first ranges. */
	uint64_t ends[RANGE_NODE_SLOTS];
	/* Free pages behind the ranges; in an inner node, largest gaps of the children. */
	uint64_t gaps[RANGE_NODE_SLOTS];
	RangeChild children[RANGE_NODE_SLOTS];
};

/* Returns the slot of the last entry whose end is at or before page, or -1 if all are above it. */
int range_node_slot(const RangeNode *node, uint64_t page);

/*
 * Returns the first slot, beginning with this one, whose gap has at least size pages, or the count
 * of entries if no slot qualifies.
 */
int range_node_gap(const RangeNode *node, int slot, uint64_t size);

/* Returns 0 for a node without entries. */
uint64_t range_node_largest_gap(const RangeNode *node);

/* Inserts an entry before the slot. The node must not be full. */
void range_node_insert(RangeNode *node, int slot, uint64_t end, uint64_t gap, RangeChild child);
void range_node_remove(RangeNode *node, int slot);

/* Copies the child's first end and largest gap into the parent's entry for it. */
void range_node_update_entry(RangeNode *parent, int slot);

/*
 * The next three functions move entries between two neighbours: the children at the slot and at the
 * slot after it. They do not change the parent's first end or largest gap.
 */

/* Balances the two, so that their counts differ by at most one. */
void range_node_balance(RangeNode *parent, int slot);

/* Moves the upper half of the child into an empty node, which becomes its right neighbour. */
void range_node_split(RangeNode *parent, int slot, RangeNode *empty);

/* Merges the two into the left one. Returns the right one, which the caller frees. */
RangeNode *range_node_merge(RangeNode *parent, int slot);

#endif
