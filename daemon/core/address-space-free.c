/* SPDX-License-Identifier: MIT */
/* Giving addresses back: whole ranges and parts of them. */
#include <stdlib.h>

#include "address-space.h"

/* A part that is to go out of a range, and, where it lies in the middle, what the rest behind it
 * becomes: got before anything is changed. */
typedef struct Cut {
	RangeTree *tree;
	GpuRange *range;
	uint64_t first;
	uint64_t end;
	GpuRange *rest; /* NULL: there is none */
} Cut;

/* What a range is behind so many of its pages. */
static void advance(GpuRange *range, uint64_t pages)
{
	if (range->has_allocation)
		range->offset += pages_to_bytes(pages);
}

static NTSTATUS cut_prepare(AddressSpace *space, const Payer *payer, Cut *cut, Failure *failure)
{
	NTSTATUS status;

	cut->rest = NULL;
	if (cut->first == cut->range->range.first || cut->end == cut->range->range.end)
		return STATUS_SUCCESS;
	status = tally_take(&space->user_ranges, space->accounts, payer, failure);
	if (status != STATUS_SUCCESS)
		return status;
	cut->rest = malloc(sizeof(*cut->rest));
	if (!cut->rest || !range_tree_prepare(cut->tree)) {
		free(cut->rest);
		tally_return(&space->user_ranges, space->accounts, 1);
		return failure_no_memory(failure);
	}
	*cut->rest = *cut->range;
	advance(cut->rest, cut->end - cut->range->range.first);
	return STATUS_SUCCESS;
}

static void remove_range(AddressSpace *space, RangeTree *tree, GpuRange *range)
{
	range_tree_remove(tree, &range->range);
	free(range);
	tally_return(&space->user_ranges, space->accounts, 1);
}

static void cut_commit(AddressSpace *space, const Cut *cut)
{
	Range *range = &cut->range->range;
	uint64_t end = range->end;
	RangePlace place;

	if (cut->first == range->first && cut->end == range->end) {
		remove_range(space, cut->tree, cut->range);
	} else if (cut->first == range->first) {
		advance(cut->range, cut->end - range->first);
		range_tree_shrink(cut->tree, range, cut->end, range->end);
	} else {
		range_tree_shrink(cut->tree, range, range->first, cut->first);
	}
	if (cut->rest) {
		range_tree_place_at(cut->tree, cut->end, end, &place);
		range_tree_insert(cut->tree, &place, &cut->rest->range);
	}
}

/* Unmaps what is mapped in the part of a reservation; no mapping reaches beyond both its ends. */
static void unmap_inside(AddressSpace *space, uint64_t first, uint64_t end)
{
	Range *mapping;

	while ((mapping = range_tree_meeting(&space->mappings, first, end))) {
		Cut cut = {
			.tree = &space->mappings,
			.range = gpu_range_of(mapping),
			.first = mapping->first > first ? mapping->first : first,
			.end = mapping->end < end ? mapping->end : end,
		};
		cut_commit(space, &cut);
	}
}

/* The range of the tree that holds all of first to end - 1; NULL: none does. */
static GpuRange *find_around(const RangeTree *tree, uint64_t first, uint64_t end)
{
	GpuRange *range = gpu_range_of(range_tree_find(tree, first));

	return range && end <= range->range.end ? range : NULL;
}

/* The mapping, or else the user reservation, that all of the part lies in. */
static bool find_range_to_cut(AddressSpace *space, Cut *cut)
{
	cut->tree = &space->mappings;
	cut->range = find_around(&space->mappings, cut->first, cut->end);
	if (cut->range)
		return true;
	cut->tree = &space->taken;
	cut->range = find_around(&space->taken, cut->first, cut->end);
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
					 "and the size reach past the end of the address space");
	return STATUS_SUCCESS;
}

NTSTATUS address_space_free(AddressSpace *space, const Payer *payer, uint64_t base_address,
			    uint64_t size, Failure *failure)
{
	Cut cut = {
		.first = bytes_to_pages(base_address),
		.end = bytes_to_pages(base_address) + bytes_to_pages(size),
	};
	NTSTATUS status = check_values(space, base_address, size, failure);

	if (status == STATUS_SUCCESS && !find_range_to_cut(space, &cut))
		status = failure_parameter(failure, "baseAddress",
					   "and the size are not all in one mapping or one "
					   "reservation of this process; free each by itself");
	if (status == STATUS_SUCCESS)
		status = cut_prepare(space, payer, &cut, failure);
	if (status != STATUS_SUCCESS)
		return status;
	if (cut.range->kind == GPU_RANGE_USER_RESERVATION)
		unmap_inside(space, cut.first, cut.end);
	cut_commit(space, &cut);
	address_space_fit_root_table(space);
	return STATUS_SUCCESS;
}
