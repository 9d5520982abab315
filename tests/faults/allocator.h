/* SPDX-License-Identifier: MIT */
#ifndef TESTS_ALLOCATOR_H
#define TESTS_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The allocator of vaild's own objects in this program: it counts what they ask for while their
 * code runs on a request or a restart, and can refuse.
 */

/* From now on the allocation of that number fails, the first being 1 (0: none), and all after it,
 * until allocator_heal(), if it lasts. Counting begins anew. */
void allocator_fail(size_t number, bool lasts);
void allocator_heal(void);

size_t allocator_count(void);
size_t allocator_refused(void);

/* For World.own_code. */
void allocator_own_code(bool begins);

#endif
