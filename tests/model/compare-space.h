/* SPDX-License-Identifier: MIT */
#ifndef TESTS_COMPARE_SPACE_H
#define TESTS_COMPARE_SPACE_H

#include "random-space.h"

/* An address space and the naive one, which are to be the same. */
typedef struct SpacePair {
	GpuMmu mmu;
	AddressSpace space;
	NaiveSpace *naive;
	uint64_t cursor;    /* of a walk that goes on while ranges come and go */
	NaiveRange visited; /* last by that walk; with an end of 0: none yet */
} SpacePair;

/* Each says how the two differ; NULL: they do not. */

/* Does the same to both. The answer is the naive one's. */
const char *space_pair_apply(SpacePair *pair, const SpaceOperation *operation,
			     NaiveAnswer *ret_answer);

/* Numbers that can be had without a walk. */
const char *space_pair_compare_counts(const SpacePair *pair);

/* One step of the walk. */
const char *space_pair_visit_next(SpacePair *pair);

/* All ranges, and translations of the addresses around their ends. Counts what states it saw. */
const char *space_pair_compare_all(const SpacePair *pair, uint64_t *states);

const char *accounts_compare(Accounts *accounts, const NaiveBooks *books);

#endif
