/* SPDX-License-Identifier: MIT */
#ifndef SYSTEM_FAULTY_RUN_H
#define SYSTEM_FAULTY_RUN_H

#include "faulty-scenario.h"

/* What there is after each step, and before the first. */
typedef struct Expected {
	char *picture;
	char *records;               /* after a start */
	size_t descriptors;          /* with everybody connected */
	size_t restored_descriptors; /* after a start, with nobody connected */
} Expected;

/* What all runs share. */
typedef struct RunOptions {
	const char *folder; /* where each has a folder of its own */
	const char *program;
	char *const *prefix;
	uid_t owner;
} RunOptions;

typedef enum RunResult {
	RUN_PASSED,
	RUN_FAILED,        /* it has said why */
	RUN_WITHOUT_FAULT, /* the call was not made so often this time */
} RunResult;

/* The scenario with a restart after each step. */
void run_record(const RunOptions *options, Expected expected[static SCENARIO_STEPS_MAX]);

/* The calls that the daemon makes in the scenario, or while it restores, as strace(1) has them. */
char *run_list_calls(const RunOptions *options, bool is_at_start);

/* How often the daemon allocates memory then. */
size_t run_count_allocations(const RunOptions *options, bool is_at_start);

/* The scenario with one fault; what is expected is what was recorded. */
RunResult run_with_fault(const RunOptions *options, const Fault *fault,
			 const Expected expected[static SCENARIO_STEPS_MAX]);

#endif
