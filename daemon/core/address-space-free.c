/* SPDX-License-Identifier: MIT */
/* Giving addresses back: whole ranges and parts of them. */
#include <stdlib.h>

#include "address-space.h"

/* What a range is behind so many of its pages. */
static void advance(GpuRange *range, uint64_t pages)
{
	if (range->has_allocation)
		range->offset += pages_to_bytes(pages);
}

/* A part that is to go out of a range. */
typedef struct Cut {
	RangeTree *tree;
	GpuRange *range;
	uint64_t first;
	uint64_t end;
} Cut;

/* What is behind the cut. */
static GpuRange rest_of(const Cut *cut)
{
	GpuRange rest = *cut->range;

	advance(&rest, cut->end - rest.range.first);
	rest.range.first = cut->end;
	return rest;
}

/* What a cut leaves is parts of the change. */
static void add_parts(SpaceChange *change, const Cut *cut)
{
	if (cut->first > cut->range->range.first) {
		RangePart *part = &change->parts[change->part_count++];

		*part = (RangePart){ .range = *cut->range, .tree = cut->tree };
		part->range.range.end = cut->first;
	}
	if (cut->end < cut->range->range.end)
		change->parts[change->part_count++] =
			(RangePart){ .range = rest_of(cut), .tree = cut->tree };
}

/* The cut of a mapping that reaches out of first to end - 1 on one side, or lies inside. */
static Cut cut_of_mapping(AddressSpace *space, Range *mapping, uint64_t first, uint64_t end)
{
	return (Cut){
		.tree = &space->mappings,
		.range = gpu_range_of(mapping),
		.first = mapping->first > first ? mapping->first : first,
		.end = mapping->end < end ? mapping->end : end,
	};
}

/* Of the mappings inside, those at the two edges may be cut. */
static void add_parts_of_edges(AddressSpace *space, SpaceChange *change)
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

/* Gets the room for what is behind a cut in the middle, before anything is changed. */
static NTSTATUS prepare_rest(AddressSpace *space, const Payer *payer, SpaceChange *change,
			     Failure *failure)
{
	const Range *range = &change->range->range;
	NTSTATUS status;

	if (change->first == range->first || change->end == range->end)
		return STATUS_SUCCESS;
	status = tally_take(&space->user_ranges, space->accounts, payer, failure);
	if (status != STATUS_SUCCESS)
		return status;
	change->rest = malloc(sizeof(*change->rest));
	if (!change->rest || !range_tree_prepare(change->tree)) {
		free(TAKE_POINTER(change->rest));
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

static void cut_commit(AddressSpace *space, const Cut *cut, GpuRange *rest)
{
	Range *range = &cut->range->range;
	uint64_t end = range->end;
	RangePlace place;

	if (rest)
		*rest = rest_of(cut);
	if (cut->first == range->first && cut->end == range->end) {
		remove_range(space, cut->tree, cut->range);
	} else if (cut->first == range->first) {
		advance(cut->range, cut->end - range->first);
		range_tree_shrink(cut->tree, range, cut->end, range->end);
	} else {
		range_tree_shrink(cut->tree, range, range->first, cut->first);
	}
	if (rest) {
		range_tree_place_at(cut->tree, cut->end, end, &place);
		range_tree_insert(cut->tree, &place, &rest->range);
	}
}

/* The range of the tree that holds all of first to end - 1; NULL: none does. */
static GpuRange *find_around(const RangeTree *tree, uint64_t first, uint64_t end)
{
	GpuRange *range = gpu_range_of(range_tree_find(tree, first));

	return range && end <= range->range.end ? range : NULL;
}

/* The mapping, or else the user reservation, that all of the part lies in. */
static bool find_range_to_cut(AddressSpace *space, SpaceChange *cut)
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
					   "and the size are not all in one mapping or one "
					   "reservation of this process; free each by itself");
	if (status == STATUS_SUCCESS)
		status = prepare_rest(space, payer, ret, failure);
	if (status != STATUS_SUCCESS)
		return status;
	Cut cut = { ret->tree, ret->range, ret->first, ret->end };
	add_parts(ret, &cut);
	if (ret->range->kind == GPU_RANGE_USER_RESERVATION)
		add_parts_of_edges(space, ret);
	return STATUS_SUCCESS;
}

/* --- making and not making a change, of either sort ------------------------------------------ */

typedef void (*Gone)(void *context, const GpuRange *range);

static void tell_gone(const GpuRange *range, Gone gone, void *context)
{
	if (gone)
		gone(context, range);
}

/* What encloses the others is told first: who keeps ranges and is cut short has freed nothing, or
 * knows by that what is to go with it. */
static void commit_free(AddressSpace *space, SpaceChange *change, Gone gone, void *context)
{
	const Cut cut = { change->tree, change->range, change->first, change->end };
	Range *mapping;

	tell_gone(change->range, gone, context);
	if (change->range->kind == GPU_RANGE_USER_RESERVATION)
		while ((mapping =
				range_tree_meeting(&space->mappings, change->first, change->end))) {
			Cut inside = cut_of_mapping(space, mapping, change->first, change->end);
			tell_gone(inside.range, gone, context);
			cut_commit(space, &inside, NULL);
		}
	cut_commit(space, &cut, change->rest);
}

/* What the parts have become: each is found where it begins. */
static void number_parts(const SpaceChange *change)
{
	for (size_t i = 0; i < change->part_count; i++) {
		const RangePart *part = &change->parts[i];
		Range *range = range_tree_find(part->tree, part->range.range.first);

		gpu_range_of(range)->serial = part->range.serial;
	}
}

void address_space_commit(AddressSpace *space, SpaceChange *change, Gone gone, void *context)
{
	if (change->is_freeing) {
		commit_free(space, change, gone, context);
		number_parts(change);
	} else {
		change->range->serial = change->parts[0].range.serial;
		range_tree_insert(change->tree, &change->place, &change->range->range);
	}
	address_space_fit_root_table(space);
}

void address_space_discard(AddressSpace *space, SpaceChange *change)
{
	GpuRange *range = change->is_freeing ? change->rest : change->range;

	if (!range)
		return;
	tally_return(change->is_freeing ? &space->user_ranges : change->tally, space->accounts, 1);
	free(range);
}
