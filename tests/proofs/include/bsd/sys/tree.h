/* SPDX-License-Identifier: MIT */
#ifndef TESTS_PROOFS_INCLUDE_BSD_SYS_TREE_H
#define TESTS_PROOFS_INCLUDE_BSD_SYS_TREE_H

/*
 * Replaces libbsd's red-black trees in proofs about code that only finds, inserts and removes.
 * Holds at most two entries, and asserts that this is enough. CBMC would follow all ways to
 * rebalance.
 */
#include <assert.h>
#include <stddef.h>

#define RB_HEAD(name, type)         \
	struct name {               \
		struct type *a, *b; \
	}
#define RB_ENTRY(type)                          \
	struct {                                \
		char unused_by_the_replacement; \
	}
#define RB_INITIALIZER(root) \
	{                    \
		NULL, NULL   \
	}
#define RB_EMPTY(head) (!(head)->a && !(head)->b)

#define RB_GENERATE_INTERNAL(name, type, field, compare, attributes)              \
	attributes type *name##_find(struct name *head, type *wanted)             \
	{                                                                         \
		if (head->a && compare(head->a, wanted) == 0)                     \
			return head->a;                                           \
		return head->b && compare(head->b, wanted) == 0 ? head->b : NULL; \
	}                                                                         \
	attributes type *name##_insert(struct name *head, type *entry)            \
	{                                                                         \
		type *other = name##_find(head, entry);                           \
		if (other)                                                        \
			return other;                                             \
		assert(!head->a || !head->b);                                     \
		*(head->a ? &head->b : &head->a) = entry;                         \
		return NULL;                                                      \
	}                                                                         \
	attributes type *name##_remove(struct name *head, type *entry)            \
	{                                                                         \
		assert(entry && (head->a == entry || head->b == entry));          \
		*(head->a == entry ? &head->a : &head->b) = NULL;                 \
		return entry;                                                     \
	}

#define RB_FIND(name, head, wanted)  name##_find(head, wanted)
#define RB_INSERT(name, head, entry) name##_insert(head, entry)
#define RB_REMOVE(name, head, entry) name##_remove(head, entry)

/* Only for checks that no proof calls. */
#define RB_FOREACH(entry, name, head) for ((entry) = (head)->a; (entry); (entry) = NULL)

#endif
