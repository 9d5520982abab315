/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SYSTEM_HELPERS_FAIL_CALLS_FAULTY_RUN_H
#define TESTS_SYSTEM_HELPERS_FAIL_CALLS_FAULTY_RUN_H

#include "tests/system/helpers/fail-calls/faulty-scenario.h"

/* The expected state after a step. The first entry of an array is the state before all steps. */
typedef struct Expected {
	char *snapshot;
	char *records;       /* after a restart */
	size_t fds;          /* number of fds while all actors are connected */
	size_t restored_fds; /* after a restart, while no actor is connected */
} Expected;

/* Options of all runs. */
typedef struct RunOptions {
	const char *folder; /* contains a folder for each run */
	const char *program;
	char *const *prefix;
	uid_t owner;
} RunOptions;

typedef enum RunResult {
	RUN_PASSED,
	RUN_FAILED,        /* the reason is printed */
	RUN_WITHOUT_FAULT, /* the daemon did not make that many calls in this run */
} RunResult;

/* Saves the expected states: runs the scenario without faults, with a restart after each step. */
void run_record(const RunOptions *options, Expected expected[static SCENARIO_STEPS_MAX]);

/*
 * Returns strace(1)'s output for the scenario, or for a start that restores state. The caller frees
 * it.
 */
char *run_list_calls(const RunOptions *options, bool is_at_start);

/* Counts the daemon's memory allocations in the same way. */
size_t run_count_allocations(const RunOptions *options, bool is_at_start);

/* Runs the scenario with one fault and compares the states with those of run_record(). */
RunResult run_with_fault(const RunOptions *options, const Fault *fault,
			 const Expected expected[static SCENARIO_STEPS_MAX]);

#endif
