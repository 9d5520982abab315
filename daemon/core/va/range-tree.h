/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_VA_RANGE_TREE_H
#define DAEMON_CORE_VA_RANGE_TREE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A set of page ranges that never overlap, and an allocator of the gaps between them.
 *
 * The ranges are kept in a B+tree, sorted by the page at which they end. A B+tree keeps all ranges
 * in leaves of equal depth, and its inner nodes only guide the search. Each node has up to 48
 * entries and, except for the root, at least half of that. A search, an insertion and a removal
 * therefore visit O(log n) nodes, four or five for a million ranges. Wide nodes are faster than a
 * binary tree, because a large tree spends its time on cache misses, and a wide node costs few of
 * them per comparison.
 *
 * A leaf entry also stores the gap behind its range: the number of free pages up to the next range
 * or to the end of the space. An inner entry stores a summary of its subtree. There are two kinds
 * of trees, with different summaries:
 *
 * A tree that chooses places summarises its gaps: the size of the largest, and the size of the
 * largest if each began at the next multiple of one fixed alignment. The search for the lowest gap
 * descends into the first subtree that has one, which takes O(log n) as well.
 *
 * A tree that counts summarises how many ranges a subtree has. Many neighbouring ranges can then be
 * detached at once: whole subtrees are unlinked, and only the nodes at both edges are changed. This
 * takes O(log n) however many ranges are detached, and needs no memory.
 *
 * The pages before the first range do not count as a gap. A space from which places are chosen
 * therefore begins with a permanent range at page 0.
 *
 * Each range is embedded in an object of its owner, who allocates and frees it. Only the tree
 * changes its first and end.
 */
typedef struct Range {
	union {
		uint64_t first;             /* first page */
		struct Range *next_garbage; /* in a RangeGarbage */
	};
	uint64_t end; /* page after the last */
} Range;

typedef struct RangeNode RangeNode;

typedef struct RangeTree {
	uint64_t end;    /* size of the space, in pages */
	RangeNode *root; /* NULL if there are no ranges */
	int height;      /* number of levels */
	int spare_count;
	RangeNode *spares;      /* list of nodes for the next insertion */
	uint8_t alignment_bits; /* of the alignment in pages for which fits are summarised */
	bool counts;            /* counts instead of choosing */
} RangeTree;

/*
 * Initialises a tree that chooses places. alignment is in pages and a power of two: a choice of a
 * multiple of it, aligned to it, takes O(log n) even if no gap is generous.
 */
void range_tree_init(RangeTree *tree, uint64_t end, uint64_t alignment);

/* Initialises a tree that counts. */
void range_tree_init_counting(RangeTree *tree, uint64_t end);

/*
 * Frees the tree's nodes. Calls free_range for each range, in any order; it may free the range. A
 * NULL free_range leaves the ranges alone.
 */
void range_tree_deinit(RangeTree *tree, void (*free_range)(Range *range));

/* Returns the first range that begins after page, or NULL. */
Range *range_tree_after(const RangeTree *tree, uint64_t page);

/* Returns the range that contains page, or NULL. */
Range *range_tree_find(const RangeTree *tree, uint64_t page);

/* Returns the lowest range that overlaps pages first to end - 1, or NULL. */
Range *range_tree_overlapping(const RangeTree *tree, uint64_t first, uint64_t end);

/* Return the first or last range, or NULL if the tree is empty. */
Range *range_tree_first(const RangeTree *tree);
Range *range_tree_last(const RangeTree *tree);

/*
 * A place for a new range: free pages, and the range before them. Any change of the tree
 * invalidates it.
 */
typedef struct RangePlace {
	Range *before; /* NULL if the place lies before all ranges */
	uint64_t first;
	uint64_t end;
} RangePlace;

/*
 * Tests whether pages first to end - 1 are free, and returns them as a place. They must lie inside
 * the space.
 */
bool range_tree_place_at(const RangeTree *tree, uint64_t first, uint64_t end, RangePlace *ret);

/* A request for a place, in pages. */
typedef struct RangeRequest {
	uint64_t size;      /* greater than 0 */
	uint64_t alignment; /* a power of two and a multiple of unit */
	uint64_t unit;      /* a power of two; gaps are expected to begin and end at multiples */
	uint64_t minimum;   /* gaps are clipped to minimum … maximum - 1 first */
	uint64_t maximum;
} RangeRequest;

/*
 * Chooses a place, in two passes:
 *
 * First, the lowest gap of at least size + alignment - unit pages. Such a generous gap contains an
 * aligned place wherever it begins, as long as it begins at a multiple of unit. O(log n).
 *
 * If no gap is that large, the lowest place that fits. This pass takes O(log n) if the alignment is
 * the tree's and size is a multiple of it. Otherwise it tries each gap of at least size pages, and
 * ends at once if no gap has that many.
 *
 * Returns false if no place fits. The place is the lowest one in its gap. The tree must be one that
 * chooses.
 */
bool range_tree_choose(const RangeTree *tree, const RangeRequest *request, RangePlace *ret);

/*
 * Allocates the nodes that the next insertion may need, so that it cannot fail. Returns false if
 * out of memory.
 */
bool range_tree_prepare(RangeTree *tree);

void range_tree_insert(RangeTree *tree, const RangePlace *place, Range *range);
void range_tree_remove(RangeTree *tree, Range *range);

/* Shrinks a range to first … end - 1, which must be at least one page of it. */
void range_tree_shrink(RangeTree *tree, Range *range, uint64_t first, uint64_t end);

/* --- many ranges at once --------------------------------------------------------------------- */

/*
 * Ranges and nodes that are in no tree any more. range_garbage_take() takes them apart piece by
 * piece, so that freeing many ranges need not be done at once.
 */
typedef struct RangeGarbage {
	RangeNode *nodes; /* list of the roots of subtrees */
	Range *ranges;    /* list of single ranges */
} RangeGarbage;

/*
 * Moves all ranges inside first to end - 1 to the garbage, in O(log n). No range may lie across an
 * edge. Returns the number of ranges. The tree must be one that counts.
 */
uint64_t range_tree_detach(RangeTree *tree, uint64_t first, uint64_t end, RangeGarbage *garbage);

/* Moves all ranges to the garbage, and frees the spare nodes. The tree is empty afterwards. */
void range_tree_detach_all(RangeTree *tree, RangeGarbage *garbage);

/*
 * Removes one range from the garbage and returns it, or NULL if the garbage is empty. The addresses
 * in the range are no longer valid. Frees the nodes that become empty, at most one per level.
 */
Range *range_garbage_take(RangeGarbage *garbage);

/* Asserts the invariants. */
void range_tree_check(const RangeTree *tree);

#endif
