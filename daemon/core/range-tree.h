/* SPDX-License-Identifier: MIT */
#ifndef CORE_RANGE_TREE_H
#define CORE_RANGE_TREE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Taken ranges of pages, none of which overlap, and the gaps between them. Whatever is a range
 * embeds a Range, which its owner keeps; the tree only finds it. First and end are the tree's to
 * change.
 *
 * The lowest gap of a size is found in O(log n). What lies before the first range is no gap: a
 * space whose pages are to be chosen from begins with a permanent range at page 0.
 */
typedef struct Range {
	uint64_t first; /* page */
	uint64_t end;   /* the page behind the last */
} Range;

typedef struct RangeNode RangeNode;

typedef struct RangeTree {
	uint64_t end;    /* of the space, a page */
	RangeNode *root; /* NULL: there are no ranges */
	int height;      /* levels of nodes */
	int spare_count;
	RangeNode *spares; /* for the next insert, a list */
} RangeTree;

void range_tree_init(RangeTree *tree, uint64_t end);

/* Frees the tree's nodes. The ranges stay their owner's: each is told to gone, which may free it,
 * in any order; NULL: nobody is told. */
void range_tree_deinit(RangeTree *tree, void (*gone)(Range *range));

/* The first range that begins behind the page; NULL: none. */
Range *range_tree_behind(const RangeTree *tree, uint64_t page);

/* The range that the page lies in; NULL: none. */
Range *range_tree_find(const RangeTree *tree, uint64_t page);

/* The lowest range that has a page of first to end - 1; NULL: none. */
Range *range_tree_meeting(const RangeTree *tree, uint64_t first, uint64_t end);

/* The first, the last; NULL: there is none. */
Range *range_tree_first(const RangeTree *tree);
Range *range_tree_last(const RangeTree *tree);

/* A place for a range: free pages, and the range that they lie behind. Good until the tree changes.
 */
typedef struct RangePlace {
	Range *before; /* NULL: the place lies before all ranges */
	uint64_t first;
	uint64_t end;
} RangePlace;

/* Whether first to end - 1, inside the space, are free. */
bool range_tree_place_at(const RangeTree *tree, uint64_t first, uint64_t end, RangePlace *ret);

/* What kind of place is wanted, in pages. */
typedef struct RangeWish {
	uint64_t size;      /* more than 0 */
	uint64_t alignment; /* a power of two, a multiple of unit */
	uint64_t unit;      /* that gaps begin and end at; a power of two */
	uint64_t minimum;   /* gaps are cut to minimum … maximum - 1 first */
	uint64_t maximum;
} RangeWish;

/*
 * Chooses a place: the lowest fitting one in the lowest gap of at least size + alignment - unit,
 * in which one always fits if gaps begin at multiples of unit. O(log n). Where no gap is that
 * large: the lowest place that fits, which takes a look at each gap of at least size; where there
 * is none of those, the answer is at once that there is no place.
 */
bool range_tree_choose(const RangeTree *tree, const RangeWish *wish, RangePlace *ret);

/* Gets what the next insert may need, so that it cannot fail. False: there is no memory. */
bool range_tree_prepare(RangeTree *tree);

void range_tree_insert(RangeTree *tree, const RangePlace *place, Range *range);
void range_tree_remove(RangeTree *tree, Range *range);

/* Makes a range smaller, which has to keep at least a page. */
void range_tree_shrink(RangeTree *tree, Range *range, uint64_t first, uint64_t end);

/* Asserts what always holds. */
void range_tree_check(const RangeTree *tree);

#endif
