/* SPDX-License-Identifier: MIT */
#include "daemon/core/va/range-node.h"

#include <assert.h>
#include <string.h>

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Ends per cache line. */
enum { STRIDE = 8 };

/*
 * Counts linearly instead of bisecting, so that no branch and no load depends on an earlier load.
 * First counts the whole strides whose ends are all at or before the page, then the entries within
 * the next stride.
 */
int range_node_slot(const RangeNode *node, uint64_t page)
{
	const uint64_t *ends = node->ends;
	int strides = 0, passed;

	for (int slot = STRIDE - 1; slot < node->count; slot += STRIDE)
		strides += ends[slot] <= page;
	passed = strides * STRIDE;
	int stop = passed + STRIDE < node->count ? passed + STRIDE : node->count;
	for (int slot = passed; slot < stop; slot++)
		passed += ends[slot] <= page;
	return passed - 1;
}

int range_node_gap(const RangeNode *node, int slot, uint64_t size)
{
	while (slot < node->count && node->gaps[slot] < size)
		slot++;
	return slot;
}

/* Keeps two maxima, because each comparison of a single one would wait for the one before. */
uint64_t range_node_largest_gap(const RangeNode *node)
{
	const uint64_t *gaps = node->gaps;
	uint64_t largest = 0, other = 0;
	int slot = 0;

	for (; slot + 1 < node->count; slot += 2) {
		largest = larger(largest, gaps[slot]);
		other = larger(other, gaps[slot + 1]);
	}
	if (slot < node->count)
		largest = larger(largest, gaps[slot]);
	return larger(largest, other);
}

/* Moves entries between nodes or within one. The caller updates the counts. */
static void move_entries(RangeNode *to, int to_slot, const RangeNode *from, int from_slot,
			 int count)
{
	size_t length = (size_t)count;

	memmove(to->ends + to_slot, from->ends + from_slot, length * sizeof(*to->ends));
	memmove(to->gaps + to_slot, from->gaps + from_slot, length * sizeof(*to->gaps));
	memmove(to->children + to_slot, from->children + from_slot, length * sizeof(*to->children));
}

void range_node_insert(RangeNode *node, int slot, uint64_t end, uint64_t gap, RangeChild child)
{
	assert(node->count < RANGE_NODE_SLOTS);
	move_entries(node, slot + 1, node, slot, node->count - slot);
	node->ends[slot] = end;
	node->gaps[slot] = gap;
	node->children[slot] = child;
	node->count++;
}

void range_node_remove(RangeNode *node, int slot)
{
	node->count--;
	move_entries(node, slot, node, slot + 1, node->count - slot);
}

void range_node_update_entry(RangeNode *parent, int slot)
{
	const RangeNode *node = parent->children[slot].node;

	parent->ends[slot] = node->ends[0];
	parent->gaps[slot] = range_node_largest_gap(node);
}

/* Moves entries from the beginning of a node to the end of its left neighbour. */
static void move_to_left(RangeNode *left, RangeNode *right, int count)
{
	move_entries(left, left->count, right, 0, count);
	left->count += count;
	right->count -= count;
	move_entries(right, 0, right, count, right->count);
}

/* Moves entries from the end of a node to the beginning of its right neighbour. */
static void move_to_right(RangeNode *left, RangeNode *right, int count)
{
	move_entries(right, count, right, 0, right->count);
	left->count -= count;
	right->count += count;
	move_entries(right, 0, left, left->count, count);
}

void range_node_balance(RangeNode *parent, int slot)
{
	RangeNode *left = parent->children[slot].node, *right = parent->children[slot + 1].node;
	int half = (left->count + right->count) / 2;

	if (left->count < half)
		move_to_left(left, right, half - left->count);
	else
		move_to_right(left, right, left->count - half);
	range_node_update_entry(parent, slot);
	range_node_update_entry(parent, slot + 1);
}

void range_node_split(RangeNode *parent, int slot, RangeNode *empty)
{
	empty->count = 0;
	range_node_insert(parent, slot + 1, 0, 0, (RangeChild){ .node = empty });
	range_node_balance(parent, slot);
}

RangeNode *range_node_merge(RangeNode *parent, int slot)
{
	RangeNode *left = parent->children[slot].node, *right = parent->children[slot + 1].node;

	move_to_left(left, right, right->count);
	range_node_remove(parent, slot + 1);
	range_node_update_entry(parent, slot);
	return right;
}
