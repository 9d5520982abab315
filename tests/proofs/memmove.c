/* SPDX-License-Identifier: MIT */
/*
 * Replaces memmove() in the proofs of range nodes, which moves entries of 8 bytes. CBMC's own
 * memmove() moves bytes, which needs gigabytes of memory for a few entries.
 */
#include <string.h>

#include "daemon/core/va/range-node.h"
#include "tests/proofs/proof.h"

void *memmove(void *to, const void *from, size_t size)
{
	void *copy[RANGE_NODE_SLOTS], **target = to, *const *source = from;
	size_t count = size / sizeof(*copy);

	assert(size % sizeof(*copy) == 0 && count <= RANGE_NODE_SLOTS);
	for (size_t i = 0; i < RANGE_NODE_SLOTS; i++)
		if (i < count)
			copy[i] = source[i];
	for (size_t i = 0; i < RANGE_NODE_SLOTS; i++)
		if (i < count)
			target[i] = copy[i];
	return to;
}
