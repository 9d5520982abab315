/* SPDX-License-Identifier: MIT */
/*
 * Nodes of the range tree, daemon/core/va/range-node.c.
 *
 * Proved: the search for a page returns the slot that its comment promises, for every node whose
 * ends are sorted. Insertion and removal keep every other entry, in its order. None of them reads
 * or writes outside a node.
 *
 * Assumed: what the callers guarantee. The counts are within a node, and the slot is within the
 * count.
 *
 * Bound: the search in nodes of 16 slots instead of 48, which is two strides, and moves in nodes of
 * 4, because CBMC needs minutes for more. The searches for gaps are not proved. The code uses the
 * number only as the size of its arrays and the end of its loops. A property of "each entry" is
 * proved for one entry that may be any of them.
 */
#include "daemon/core/va/range-node.h"
#include "tests/proofs/proof.h"

RangeNode nondet_node(void);

typedef struct Entry {
	uint64_t end;
	uint64_t gap;
	RangeChild child;
} Entry;

/* Returns an index below the limit. */
static int any_index(int limit)
{
	int index = nondet_int();

	assume(index >= 0 && index < limit);
	return index;
}

static RangeNode any_node(int minimum, int maximum)
{
	RangeNode node = nondet_node();

	assume(node.count >= minimum && node.count <= maximum);
	return node;
}

static Entry entry_at(const RangeNode *node, int slot)
{
	return (Entry){ node->ends[slot], node->gaps[slot], node->children[slot] };
}

static bool is_same(Entry a, Entry b)
{
	return a.end == b.end && a.gap == b.gap && a.child.range == b.child.range;
}

PROOF(range_node_slot)
{
	RangeNode node = any_node(0, RANGE_NODE_SLOTS);
	uint64_t page = nondet_uint64();

	for (int i = 0; i + 1 < RANGE_NODE_SLOTS; i++)
		assume(i + 1 >= node.count || node.ends[i] < node.ends[i + 1]);
	int slot = range_node_slot(&node, page);

	assert(slot >= -1 && slot < node.count);
	assert(slot < 0 || node.ends[slot] <= page);
	assert(slot + 1 >= node.count || node.ends[slot + 1] > page);
}

PROOF(range_node_insert)
{
	RangeNode node = any_node(0, RANGE_NODE_SLOTS - 1);
	const RangeNode before = node;
	Entry entry = { nondet_uint64(), nondet_uint64(), before.children[0] };
	int slot = any_index(RANGE_NODE_SLOTS), other = any_index(RANGE_NODE_SLOTS);

	assume(slot <= before.count && other < before.count);
	range_node_insert(&node, slot, entry.end, entry.gap, entry.child);

	assert(node.count == before.count + 1);
	assert(is_same(entry_at(&node, slot), entry));
	assert(is_same(entry_at(&node, other < slot ? other : other + 1),
		       entry_at(&before, other)));
}

PROOF(range_node_remove)
{
	RangeNode node = any_node(1, RANGE_NODE_SLOTS);
	const RangeNode before = node;
	int slot = any_index(RANGE_NODE_SLOTS), other = any_index(RANGE_NODE_SLOTS);

	assume(slot < before.count && other < before.count && other != slot);
	range_node_remove(&node, slot, 1);

	assert(node.count == before.count - 1);
	assert(is_same(entry_at(&node, other < slot ? other : other - 1),
		       entry_at(&before, other)));
}
