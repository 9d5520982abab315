/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_VA_RANGE_NODE_H
#define DAEMON_CORE_VA_RANGE_NODE_H

#include <stdint.h>

#include "daemon/core/va/range-tree.h"

/*
 * A node of the B+tree of ranges; range-tree.h explains the tree. Leaves and inner nodes have the
 * same layout: sorted entries, stored as three arrays. A search for a page therefore reads only
 * ends, and a search for a gap reads only gaps or summaries.
 *
 * The key is the end of a range, because its gap begins there. A leaf entry thus describes a whole
 * gap, and the search need not read the range itself.
 *
 * An inner entry has a summary of its subtree. In a tree that counts, that is the number of ranges.
 * In a tree that chooses, it is made of two maxima over all gaps of the subtree: the size of a gap,
 * and its rank. The rank is one more than the number of aligned units that fit into the gap, or 0
 * if the gap ends before the first multiple of the alignment. With G as the largest gap in pages
 * and Q as the units in G pages, the highest rank is either Q or Q + 1. A summary is therefore
 * 2 * G, plus 1 for the higher rank.
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
	uint8_t height;         /* 1 for a leaf */
	uint8_t alignment_bits; /* as in the tree */
	bool counts;            /* as in the tree */
	union {
		/* Ends of the ranges; in an inner node, ends of the children's first ranges. */
		uint64_t ends[RANGE_NODE_SLOTS];
		RangeNode *next_garbage; /* in a RangeGarbage */
	};
	union {
		uint64_t gaps[RANGE_NODE_SLOTS];      /* in a leaf: free pages behind the ranges */
		uint64_t summaries[RANGE_NODE_SLOTS]; /* in an inner node: of the children */
	};
	RangeChild children[RANGE_NODE_SLOTS];
};

/* A search for a gap. With is_aligned, the size must fit at a multiple of the tree's alignment. */
typedef struct GapSearch {
	uint64_t size; /* in pages; a multiple of the alignment with is_aligned */
	bool is_aligned;
} GapSearch;

/* Returns the slot of the last entry whose end is at or before page, or -1 if all are above it. */
int range_node_slot(const RangeNode *node, uint64_t page);

/*
 * Returns the first slot, beginning with this one, that has such a gap, or the count of entries if
 * no slot qualifies. The tree must be one that chooses.
 */
int range_node_gap(const RangeNode *node, int slot, const GapSearch *search);

/* Returns the summary of the node, or 0 for a node without entries. */
uint64_t range_node_summary(const RangeNode *node);

/* Returns the summary of the gap in the leaf's slot alone. */
uint64_t range_node_gap_summary(const RangeNode *leaf, int slot);

/* Returns the summary of what either of two summaries describes, in a tree that chooses. */
uint64_t range_node_combine(const RangeNode *node, uint64_t a, uint64_t b);

/*
 * Returns the summary of the node after a change of some entries. stored is the node's former
 * summary; was and is are those of the changed entries, or 0 for none.
 */
uint64_t range_node_resummarise(const RangeNode *node, uint64_t stored, uint64_t was, uint64_t is);

/* Inserts an entry before the slot. The node must not be full. */
void range_node_insert(RangeNode *node, int slot, uint64_t end, uint64_t gap, RangeChild child);
void range_node_remove(RangeNode *node, int slot, int count);

/* Copies the child's first end and summary into the parent's entry for it. */
void range_node_update_entry(RangeNode *parent, int slot);

/*
 * The next three functions move entries between two neighbours: the children at the slot and at the
 * slot after it. They do not change the parent's first end or summary.
 */

/* Balances the two, so that their counts differ by at most one. */
void range_node_balance(RangeNode *parent, int slot);

/* Moves the upper half of the child into an empty node, which becomes its right neighbour. */
void range_node_split(RangeNode *parent, int slot, RangeNode *empty);

/* Merges the two into the left one. Returns the right one, which the caller frees. */
RangeNode *range_node_merge(RangeNode *parent, int slot);

#endif
