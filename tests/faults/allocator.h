/* SPDX-License-Identifier: MIT */
#ifndef TESTS_ALLOCATOR_H
#define TESTS_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The allocator of vaild's own objects in a program of the tests: it counts what they ask for while
 * their code runs, and can refuse.
 */
typedef struct Allocator {
	bool is_own; /* vaild's own code runs */
	bool lasts;
	size_t fails;
	size_t count;
	size_t refused;
} Allocator;

/* What counts and refuses from now on, as long as the program runs: of a page, for example, that
 * somebody else can see. */
void allocator_use(Allocator *allocator);

/* From now on the allocation of that number fails, the first being 1 (0: none), and all after it,
 * until allocator_heal(), if it lasts. Counting begins anew. */
void allocator_fail(size_t number, bool lasts);
void allocator_heal(void);

size_t allocator_count(void);
size_t allocator_refused(void);

/* For World.own_code. */
void allocator_own_code(bool begins);

#endif
