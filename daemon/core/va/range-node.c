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

/* --- summaries ------------------------------------------------------------------------------- */

/* Returns the number of aligned units in size pages, wherever they lie. */
static uint64_t units(const RangeNode *node, uint64_t size)
{
	return size >> node->alignment_bits;
}

/* Returns the highest rank of a summary's gaps. */
static uint64_t rank_of(const RangeNode *node, uint64_t summary)
{
	return units(node, summary >> 1) + (summary & 1);
}

static uint64_t summarise(const RangeNode *node, uint64_t largest, uint64_t rank)
{
	return largest << 1 | (rank > units(node, largest));
}

uint64_t range_node_gap_summary(const RangeNode *leaf, int slot)
{
	uint64_t gap = leaf->gaps[slot], mask = (UINT64_C(1) << leaf->alignment_bits) - 1;
	uint64_t padding = -leaf->ends[slot] & mask;

	return gap << 1 | (padding + (gap & ~mask) <= gap);
}

uint64_t range_node_combine(const RangeNode *node, uint64_t a, uint64_t b)
{
	return summarise(node, larger(a, b) >> 1, larger(rank_of(node, a), rank_of(node, b)));
}

static uint64_t summary_at(const RangeNode *node, int slot)
{
	return node->height > 1 ? node->summaries[slot] : range_node_gap_summary(node, slot);
}

/* Keeps two maxima, because each comparison of a single one would wait for the one before. */
static uint64_t largest_of(const uint64_t *values, int count)
{
	uint64_t largest = 0, other = 0;
	int slot = 0;

	for (; slot + 1 < count; slot += 2) {
		largest = larger(largest, values[slot]);
		other = larger(other, values[slot + 1]);
	}
	if (slot < count)
		largest = larger(largest, values[slot]);
	return larger(largest, other);
}

/*
 * Tests whether the node has a gap of a higher rank than its largest gap guarantees. Only gaps with
 * as many units as the largest can have it, and they are few.
 */
static bool has_higher_rank(const RangeNode *node, uint64_t largest)
{
	uint64_t guaranteed = units(node, largest);
	uint64_t least = guaranteed << node->alignment_bits << (node->height > 1);
	bool is_found = false;

	for (int slot = 0; slot < node->count && !is_found; slot++)
		is_found = node->gaps[slot] >= least &&
			   rank_of(node, summary_at(node, slot)) > guaranteed;
	return is_found;
}

static uint64_t count_ranges(const RangeNode *node)
{
	uint64_t count = 0;

	if (node->height == 1)
		return (uint64_t)node->count;
	for (int slot = 0; slot < node->count; slot++)
		count += node->summaries[slot];
	return count;
}

uint64_t range_node_summary(const RangeNode *node)
{
	uint64_t largest;

	if (node->counts)
		return count_ranges(node);
	largest = largest_of(node->gaps, node->count);
	if (node->height > 1 && largest & 1) /* the largest gap has the higher rank itself */
		return largest;
	largest >>= node->height > 1;
	/* Without an alignment, each gap has the higher rank. */
	bool is_higher =
		node->alignment_bits == 0 ? node->count > 0 : has_higher_rank(node, largest);
	return largest << 1 | is_higher;
}

uint64_t range_node_resummarise(const RangeNode *node, uint64_t stored, uint64_t was, uint64_t is)
{
	uint64_t rank = rank_of(node, stored);

	/* Gaps with fewer units than the largest contribute to neither maximum. */
	if (larger(was, is) >> 1 < units(node, stored >> 1) << node->alignment_bits)
		return stored;
	bool loses_largest = was >> 1 >= stored >> 1 && is >> 1 < stored >> 1;
	bool loses_rank = rank_of(node, was) >= rank && rank_of(node, is) < rank;
	return loses_largest || loses_rank ? range_node_summary(node)
					   : range_node_combine(node, stored, is);
}

/* --- searching ------------------------------------------------------------------------------- */

static int aligned_gap(const RangeNode *node, int slot, uint64_t size)
{
	while (slot < node->count && rank_of(node, summary_at(node, slot)) <= units(node, size))
		slot++;
	return slot;
}

int range_node_gap(const RangeNode *node, int slot, const GapSearch *search)
{
	uint64_t least = search->size << (node->height > 1);

	if (search->is_aligned)
		return aligned_gap(node, slot, search->size);
	while (slot < node->count && node->gaps[slot] < least)
		slot++;
	return slot;
}

/* --- changing -------------------------------------------------------------------------------- */

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

void range_node_remove(RangeNode *node, int slot, int count)
{
	node->count -= count;
	move_entries(node, slot, node, slot + count, node->count - slot);
}

void range_node_update_entry(RangeNode *parent, int slot)
{
	const RangeNode *node = parent->children[slot].node;

	parent->ends[slot] = node->ends[0];
	parent->summaries[slot] = range_node_summary(node);
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
	range_node_insert(parent, slot + 1, 0, 0, (RangeChild){ .node = empty });
	range_node_balance(parent, slot);
}

RangeNode *range_node_merge(RangeNode *parent, int slot)
{
	RangeNode *left = parent->children[slot].node, *right = parent->children[slot + 1].node;

	move_to_left(left, right, right->count);
	range_node_remove(parent, slot + 1, 1);
	range_node_update_entry(parent, slot);
	return right;
}
