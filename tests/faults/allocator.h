/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAULTS_ALLOCATOR_H
#define TESTS_FAULTS_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The allocator of vaild's own objects in test programs. While vaild's code runs, it counts the
 * allocations and can make them fail.
 */
typedef struct Allocator {
	bool is_own;    /* vaild's own code runs, not that of the test */
	bool lasts;     /* also fail all later allocations */
	size_t fails;   /* number of the allocation to fail, or 0 for none */
	size_t count;   /* allocations since the last allocator_fail() */
	size_t refused; /* those that failed */
} Allocator;

/* Replaces the allocator's state for the rest of the program, such as by shared memory. */
void allocator_use(Allocator *allocator);

/*
 * Resets the counters and makes the allocation with this number fail; the first is 1, and 0 stands
 * for none. If lasts, all later ones fail as well until allocator_heal().
 */
void allocator_fail(size_t number, bool lasts);
void allocator_heal(void);

/* Return the number of allocations and of those that failed, since the last allocator_fail(). */
size_t allocator_count(void);
size_t allocator_refused(void);

/* Enables or disables the allocator at the borders of vaild's code; for FakeHost.own_code. */
void allocator_own_code(bool begins);

#endif
