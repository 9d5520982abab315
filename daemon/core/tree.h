/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_TREE_H
#define DAEMON_CORE_TREE_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdint.h>

/* Red-black trees and lists are intrusive, so insertion allocates nothing and cannot fail. */
#define TREE_GENERATE(name, type, field, compare) \
	RB_GENERATE_INTERNAL(name, type, field, compare, __attribute__((unused)) static)

static inline int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

#endif
