/* SPDX-License-Identifier: MIT */
/* Freeing addresses: whole ranges, and parts of them. */
#include <stdlib.h>

#include "daemon/core/va/address-space.h"

/* Advances a range's offset into its allocation, after pages were removed from its front. */
static void advance(GpuRange *range, uint64_t pages)
{
	if (range->has_allocation)
		range->offset += pages_to_bytes(pages);
}

/* The removal of pages first to end - 1 from a range. */
typedef struct Cut {
	RangeTree *tree;
	GpuRange *range;
	uint64_t first;
	uint64_t end;
} Cut;

/* Returns the part of the range behind the cut. */
static GpuRange tail_of(const Cut *cut)
{
	GpuRange tail = *cut->range;

	advance(&tail, cut->end - tail.range.first);
	tail.range.first = cut->end;
	return tail;
}

/* Adds what a cut leaves of its range to the parts of the change. */
static void add_parts(SpaceChange *change, const Cut *cut)
{
	if (cut->first > cut->range->range.first) {
		RangePart *part = &change->parts[change->part_count++];

		*part = (RangePart){ .range = *cut->range, .tree = cut->tree };
		part->range.range.end = cut->first;
	}
	if (cut->end < cut->range->range.end)
		change->parts[change->part_count++] =
			(RangePart){ .range = tail_of(cut), .tree = cut->tree };
}

/* Returns the cut that removes the pages of first to end - 1 from an overlapping mapping. */
static Cut cut_of_mapping(AddressSpace *space, Range *mapping, uint64_t first, uint64_t end)
{
	return (Cut){
		.tree = &space->mappings,
		.range = gpu_range_of(mapping),
		.first = mapping->first > first ? mapping->first : first,
		.end = mapping->end < end ? mapping->end : end,
	};
}

/* Adds the remaining parts of the mappings at both edges of the freed pages. */
static void add_edge_parts(AddressSpace *space, SpaceChange *change)
{
	Range *left = range_tree_find(&space->mappings, change->first);
	Range *right = range_tree_find(&space->mappings, change->end - 1);

	if (left) {
		Cut cut = cut_of_mapping(space, left, change->first, change->end);
		add_parts(change, &cut);
	}
	if (right && right != left) {
		Cut cut = cut_of_mapping(space, right, change->first, change->end);
		add_parts(change, &cut);
	}
}

/* Charges and allocates the second range of a cut in the middle, before anything changes. */
static NTSTATUS prepare_tail(AddressSpace *space, const Payer *payer, SpaceChange *change,
			     Failure *failure)
{
	const Range *range = &change->range->range;
	NTSTATUS status;

	if (change->first == range->first || change->end == range->end)
		return STATUS_SUCCESS;
	status = tally_take(&space->user_ranges, space->accounts, payer, failure);
	if (status != STATUS_SUCCESS)
		return status;
	change->tail = malloc(sizeof(*change->tail));
	if (!change->tail || !range_tree_prepare(change->tree)) {
		free(TAKE_POINTER(change->tail));
		tally_return(&space->user_ranges, space->accounts, 1);
		return failure_no_memory(failure);
	}
	return STATUS_SUCCESS;
}

static void remove_range(AddressSpace *space, RangeTree *tree, GpuRange *range)
{
	range_tree_remove(tree, &range->range);
	free(range);
	tally_return(&space->user_ranges, space->accounts, 1);
}

static void cut_commit(AddressSpace *space, const Cut *cut, GpuRange *tail)
{
	Range *range = &cut->range->range;
	uint64_t end = range->end;
	RangePlace place;

	if (tail)
		*tail = tail_of(cut);
	if (cut->first == range->first && cut->end == range->end) {
		remove_range(space, cut->tree, cut->range);
	} else if (cut->first == range->first) {
		advance(cut->range, cut->end - range->first);
		range_tree_shrink(cut->tree, range, cut->end, range->end);
	} else {
		range_tree_shrink(cut->tree, range, range->first, cut->first);
	}
	if (tail) {
		range_tree_place_at(cut->tree, cut->end, end, &place);
		range_tree_insert(cut->tree, &place, &tail->range);
	}
}

/* Returns the range of the tree that contains all of first to end - 1, or NULL. */
static GpuRange *find_enclosing(const RangeTree *tree, uint64_t first, uint64_t end)
{
	GpuRange *range = gpu_range_of(range_tree_find(tree, first));

	return range && end <= range->range.end ? range : NULL;
}

/* Finds the mapping or else the user reservation that contains all of the freed pages. */
static bool find_range_to_cut(AddressSpace *space, SpaceChange *cut)
{
	cut->tree = &space->mappings;
	cut->range = find_enclosing(&space->mappings, cut->first, cut->end);
	if (cut->range)
		return true;
	cut->tree = &space->taken;
	cut->range = find_enclosing(&space->taken, cut->first, cut->end);
	return cut->range && (cut->range->kind == GPU_RANGE_MAPPING ||
			      cut->range->kind == GPU_RANGE_USER_RESERVATION);
}

static NTSTATUS check_values(const AddressSpace *space, uint64_t base, uint64_t size,
			     Failure *failure)
{
	uint64_t end = pages_to_bytes(space->taken.end);

	if (base % GPU_PAGE_SIZE != 0)
		return failure_parameter(failure, "baseAddress",
					 "is not a multiple of 4096; align it");
	if (size == 0 || size % GPU_PAGE_SIZE != 0)
		return failure_parameter(failure, "sizeInBytes",
					 "is not a positive multiple of 4096 bytes; round it up");
	if (base >= end || size > end - base)
		return failure_parameter(failure, "baseAddress",
					 "plus sizeInBytes exceeds the end of the address space");
	return STATUS_SUCCESS;
}

NTSTATUS address_space_prepare_free(AddressSpace *space, const Payer *payer, uint64_t base_address,
				    uint64_t size, SpaceChange *ret, Failure *failure)
{
	NTSTATUS status = check_values(space, base_address, size, failure);

	*ret = (SpaceChange){
		.is_freeing = true,
		.first = bytes_to_pages(base_address),
		.end = bytes_to_pages(base_address) + bytes_to_pages(size),
	};
	if (status == STATUS_SUCCESS && !find_range_to_cut(space, ret))
		status = failure_parameter(failure, "baseAddress",
					   "and sizeInBytes do not lie in one mapping or one "
					   "reservation of this process; free each separately");
	if (status == STATUS_SUCCESS)
		status = prepare_tail(space, payer, ret, failure);
	if (status != STATUS_SUCCESS)
		return status;
	Cut cut = { ret->tree, ret->range, ret->first, ret->end };
	add_parts(ret, &cut);
	if (ret->range->kind == GPU_RANGE_USER_RESERVATION)
		add_edge_parts(space, ret);
	return STATUS_SUCCESS;
}

/* --- committing and discarding a change ------------------------------------------------------ */

typedef void (*RangeRemoved)(void *context, const GpuRange *range);

static void notify_removed(const GpuRange *range, RangeRemoved removed, void *context)
{
	if (removed)
		removed(context, range);
}

/* Cuts a mapping that lies across an edge of the freed pages. Ignores others, and NULL. */
static void cut_edge(AddressSpace *space, const SpaceChange *change, Range *mapping,
		     RangeRemoved removed, void *context)
{
	if (!mapping || (mapping->first >= change->first && mapping->end <= change->end))
		return;
	const Cut cut = cut_of_mapping(space, mapping, change->first, change->end);
	notify_removed(cut.range, removed, context);
	cut_commit(space, &cut, NULL);
}

/*
 * Frees the mappings in a part of a reservation. No mapping contains all of this part, because then
 * only the mapping would be cut.
 */
static void free_mappings(AddressSpace *space, const SpaceChange *change, RangeRemoved removed,
			  void *context)
{
	RangeTree *mappings = &space->mappings;
	uint64_t count;

	cut_edge(space, change, range_tree_find(mappings, change->first), removed, context);
	cut_edge(space, change, range_tree_find(mappings, change->end - 1), removed, context);
	count = range_tree_detach(mappings, change->first, change->end, &space->garbage);
	tally_return(&space->user_ranges, space->accounts, count);
}

/*
 * Reports the outer range first. If the removal of their persisted records is interrupted, then
 * either nothing has been freed, or the next start removes the inner ranges together with the outer
 * one.
 */
static void commit_free(AddressSpace *space, SpaceChange *change, RangeRemoved removed,
			void *context)
{
	const Cut cut = { change->tree, change->range, change->first, change->end };

	notify_removed(change->range, removed, context);
	if (change->range->kind == GPU_RANGE_USER_RESERVATION)
		free_mappings(space, change, removed, context);
	cut_commit(space, &cut, change->tail);
}

/* Copies the serials of the parts to the ranges, which now begin where the parts do. */
static void assign_serials(const SpaceChange *change)
{
	for (size_t i = 0; i < change->part_count; i++) {
		const RangePart *part = &change->parts[i];
		Range *range = range_tree_find(part->tree, part->range.range.first);

		gpu_range_of(range)->serial = part->range.serial;
	}
}

void address_space_commit(AddressSpace *space, SpaceChange *change, RangeRemoved removed,
			  void *context)
{
	if (change->is_freeing) {
		commit_free(space, change, removed, context);
		assign_serials(change);
	} else {
		*change->range = change->parts[0].range;
		range_tree_insert(change->tree, &change->place, &change->range->range);
	}
	address_space_fit_root_table(space);
}

void address_space_discard(AddressSpace *space, SpaceChange *change)
{
	GpuRange *range = change->is_freeing ? change->tail : change->range;

	if (!range)
		return;
	tally_return(change->is_freeing ? &space->user_ranges : change->tally, space->accounts, 1);
	free(range);
}
