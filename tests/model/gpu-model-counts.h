/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_GPU_MODEL_COUNTS_H
#define TESTS_MODEL_GPU_MODEL_COUNTS_H

#include "tests/model/gpu-model.h"

#define GPU_MODEL_STATUSES 64

/* Counts of the statuses and events of a run. */
typedef struct GpuModelCounts {
	uint64_t answers[GPU_MODEL_METHOD_MAX][GPU_MODEL_STATUSES]; /* by status_index() */
	uint64_t events[EVENT_MAX][END_MAX];
} GpuModelCounts;

extern const char *const gpu_model_method_names[];

void gpu_model_counts_print(const GpuModelCounts *counts);

/* Asserts the minimum counts of a run of the default length. */
void gpu_model_counts_check(const GpuModelCounts *counts);

#endif
