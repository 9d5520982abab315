/* SPDX-License-Identifier: MIT */
#ifndef TESTS_BENCH_VA_REFERENCE_TREE_H
#define TESTS_BENCH_VA_REFERENCE_TREE_H

#include "daemon/core/tree.h"
#include "daemon/core/va/range-tree.h"

/*
 * The reference: a plain red-black tree of ranges with the largest gap of each subtree. It chooses
 * the same places as range-tree.h, and its functions have the same meaning.
 */
typedef struct ReferenceRange {
	RB_ENTRY(ReferenceRange) link;
	uint64_t first;
	uint64_t end;
	uint64_t gap;     /* free pages behind the range */
	uint64_t largest; /* largest gap in the subtree */
} ReferenceRange;

typedef struct ReferenceTree {
	RB_HEAD(ReferenceLinks, ReferenceRange) links;
	uint64_t end;
} ReferenceTree;

typedef struct ReferencePlace {
	ReferenceRange *before;
	uint64_t first;
	uint64_t end;
} ReferencePlace;

void reference_tree_init(ReferenceTree *tree, uint64_t end);
bool reference_tree_place_at(const ReferenceTree *tree, uint64_t first, uint64_t end,
			     ReferencePlace *ret);
bool reference_tree_choose(const ReferenceTree *tree, const RangeRequest *request,
			   ReferencePlace *ret);
void reference_tree_insert(ReferenceTree *tree, const ReferencePlace *place, ReferenceRange *range);
void reference_tree_remove(ReferenceTree *tree, ReferenceRange *range);

#endif
