/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_GPU_LIFE_COUNTS_H
#define TESTS_MODEL_GPU_LIFE_COUNTS_H

#include "tests/model/gpu-life-model.h"

#define LIFE_STATUSES 64

/* Counts of the statuses and events of a run. */
typedef struct LifeCounts {
	uint64_t answers[LIFE_METHOD_MAX][LIFE_STATUSES]; /* by status_index() */
	uint64_t events[EVENT_MAX][END_MAX];
} LifeCounts;

extern const char *const life_method_names[];

void life_counts_print(const LifeCounts *counts);

/* Asserts the minimum counts of a run of the default length. */
void life_counts_check(const LifeCounts *counts);

#endif
