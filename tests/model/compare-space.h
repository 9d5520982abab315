/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_COMPARE_SPACE_H
#define TESTS_MODEL_COMPARE_SPACE_H

#include "tests/model/random-space.h"

/* An address space and the naive one, which must be equal. */
typedef struct SpacePair {
	GpuMmu mmu;
	AddressSpace space;
	NaiveSpace *naive;
	uint64_t cursor;    /* of an iteration that continues while ranges change */
	NaiveRange visited; /* last range of that iteration; its end is 0 at the start */
} SpacePair;

/* Each function returns a description of the first difference, or NULL. */

/* Applies the operation to both. Stores the naive result in *ret_answer. */
const char *space_pair_apply(SpacePair *pair, const SpaceOperation *operation,
			     NaiveAnswer *ret_answer);

/* Compares the counts. */
const char *space_pair_compare_counts(const SpacePair *pair);

/* Advances the iteration by one range, and compares it. */
const char *space_pair_visit_next(SpacePair *pair);

/* Compares all ranges, and translations around their ends. Counts the translation states. */
const char *space_pair_compare_all(const SpacePair *pair, uint64_t *states);

const char *accounts_compare(Accounts *accounts, const NaiveAccounts *naive_accounts);

#endif
