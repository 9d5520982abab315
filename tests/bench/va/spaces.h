/* SPDX-License-Identifier: MIT */
#ifndef TESTS_BENCH_VA_SPACES_H
#define TESTS_BENCH_VA_SPACES_H

#include "daemon/core/va/range-tree.h"

/*
 * A space of pages, with one implementation or the other. Each range is part of an object as large
 * as the daemon's, allocated with the range and freed with it.
 */
typedef struct SpaceKind {
	const char *name;
	void *(*create)(uint64_t end, uint64_t alignment); /* as range_tree_init() */
	void (*destroy)(void *space);                      /* all ranges must have been freed */
	/*
	 * Allocate pages that satisfy the request, or exactly these pages. Return NULL if they are
	 * not free.
	 */
	void *(*allocate)(void *space, const RangeRequest *request);
	void *(*take)(void *space, uint64_t first, uint64_t end);
	void (*release)(void *space, void *object);
	uint64_t (*first)(const void *object);
} SpaceKind;

extern const SpaceKind ours, reference;

#endif
