/* SPDX-License-Identifier: MIT */
#ifndef TESTS_HOSTILE_VERDICT_H
#define TESTS_HOSTILE_VERDICT_H

#include "tests/hostile/hostile.h"

/*
 * The measure of the honest users' waits. The clock measures what users feel, but needs a machine
 * that does nothing else. The CPU time that the daemon uses during a wait is the same on a busy
 * machine.
 */
typedef enum Judge { JUDGE_CLOCK, JUDGE_CPU } Judge;

/* The result of one attack. Durations are in nanoseconds. */
typedef struct Result {
	uint64_t p50[PHASE_MAX], p99[PHASE_MAX]; /* of the honest users' waits */
	uint64_t cpu_p50[PHASE_MAX], cpu_p99[PHASE_MAX], cpu_longest[PHASE_MAX];
	uint64_t operator_longest;
	uint64_t watchdog_gap;
	uint64_t cpu_allowed; /* for cpu_p99 */
	size_t peak;          /* KiB */
	uint64_t work;
	char failures[4 * TEXT_SIZE]; /* sentences; empty if the daemon has kept its promises */
} Result;

/* Observations of the director itself. */
typedef struct Observed {
	unsigned int owners;
	size_t peak; /* KiB */
	bool daemon_lives;
	bool attackers_live;
} Observed;

/* Evaluates the board at the end of an attack. */
void result_init(Result *result, const Board *board, const Observed *observed, Judge judge);

/* Print the heading of the table, and a line of it. */
void result_print_heading(void);
void result_print(const Result *result, const char *attack, const char *form);

/* Prints the result of the short form as a line of TAP. */
void result_print_tap(const Result *result, const Attack *attack);

#endif
