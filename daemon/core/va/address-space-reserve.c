/* SPDX-License-Identifier: MIT */
/* Reserving and mapping addresses. */
#include <inttypes.h>
#include <stdlib.h>

#include "daemon/core/va/address-space.h"

/* A validated request for a range, in pages. */
typedef struct ReserveRequest {
	RangeRequest request;
	bool is_exact; /* must begin at first */
	uint64_t first;
	Tally *tally;
	GpuRange range; /* the range to insert */
} ReserveRequest;

/* --- values ---------------------------------------------------------------------------------- */

static NTSTATUS check_size(uint64_t size, uint64_t unit, Failure *failure)
{
	if (size > 0 && size % unit == 0)
		return STATUS_SUCCESS;
	return failure_parameter(failure, "sizeInBytes",
				 "is not a positive multiple of %" PRIu64 " bytes; round it up",
				 unit);
}

/*
 * Checks a base address from the request: aligned, above the root table's first entry, and not past
 * the end.
 */
static NTSTATUS check_base(const AddressSpace *space, uint64_t base, uint64_t size,
			   uint64_t alignment, Failure *failure)
{
	uint64_t lowest = pages_to_bytes(space->root_entry_zero.range.end);
	uint64_t end = pages_to_bytes(space->taken.end);

	if (base % alignment != 0)
		return failure_parameter(failure, "baseAddress",
					 "is not a multiple of 0x%" PRIx64 "; align it", alignment);
	if (base < lowest)
		return failure_parameter(failure, "baseAddress",
					 "lies in the root table's first entry, which is always "
					 "invalid; the lowest address is 0x%" PRIx64,
					 lowest);
	if (base >= end || size > end - base)
		return failure_parameter(failure, "baseAddress",
					 "plus sizeInBytes exceeds the end of the address space, "
					 "0x%" PRIx64 "; choose a lower address",
					 end);
	return STATUS_SUCCESS;
}

static NTSTATUS check_alignment(uint64_t alignment, uint64_t leaf_coverage, Failure *failure)
{
	bool is_power_of_two = (alignment & (alignment - 1)) == 0;

	if (is_power_of_two && alignment % leaf_coverage == 0)
		return STATUS_SUCCESS;
	return failure_parameter(failure, "alignment",
				 "is neither 0 nor a power of two that is a multiple of %" PRIu64
				 " bytes, the leaf coverage",
				 leaf_coverage);
}

/* --- preparing a range ----------------------------------------------------------------------- */

static NTSTATUS find_free_place(const AddressSpace *space, const ReserveRequest *request,
				RangePlace *ret, Failure *failure)
{
	const RangeTree *taken = &space->taken;

	if (request->is_exact) {
		if (range_tree_place_at(taken, request->first,
					request->first + request->request.size, ret))
			return STATUS_SUCCESS;
		return failure_conflict(
			failure, "baseAddress",
			"some of these addresses are taken; choose others, or omit baseAddress");
	}
	if (range_tree_choose(taken, &request->request, ret))
		return STATUS_SUCCESS;
	return failure_set(failure, STATUS_NO_MEMORY, "noRoom",
			   "the address space has no free range of this size within the bounds; "
			   "request less, or free addresses");
}

/* Charges and allocates a range for ret->place, which lies in the tree. */
static NTSTATUS prepare_range(AddressSpace *space, const Payer *payer,
			      const ReserveRequest *request, RangeTree *tree, SpaceChange *ret,
			      Failure *failure)
{
	GpuRange *range;
	NTSTATUS status = tally_take(request->tally, space->accounts, payer, failure);

	if (status != STATUS_SUCCESS)
		return status;
	range = malloc(sizeof(*range));
	if (!range || !range_tree_prepare(tree)) {
		free(range);
		tally_return(request->tally, space->accounts, 1);
		return failure_no_memory(failure);
	}
	*range = request->range;
	range->range = (Range){ .first = ret->place.first, .end = ret->place.end };
	ret->tree = tree;
	ret->range = range;
	ret->tally = request->tally;
	ret->parts[0] = (RangePart){ .range = *range, .tree = tree };
	ret->part_count = 1;
	return STATUS_SUCCESS;
}

/* Checks the limits, finds free addresses, and prepares the range there. */
static NTSTATUS prepare_at_free_place(AddressSpace *space, const Payer *payer,
				      const ReserveRequest *request, SpaceChange *ret,
				      Failure *failure)
{
	NTSTATUS status = tally_check(request->tally, space->accounts, payer, failure);

	if (status == STATUS_SUCCESS)
		status = find_free_place(space, request, &ret->place, failure);
	if (status != STATUS_SUCCESS)
		return status;
	return prepare_range(space, payer, request, &space->taken, ret, failure);
}

/* Commits the change if preparing it succeeded. */
static NTSTATUS commit_now(AddressSpace *space, SpaceChange *change, NTSTATUS status,
			   uint64_t *ret_address)
{
	if (status != STATUS_SUCCESS)
		return status;
	*ret_address = pages_to_bytes(change->place.first);
	address_space_commit(space, change, NULL, NULL);
	return STATUS_SUCCESS;
}

/* --- driver reservations --------------------------------------------------------------------- */

NTSTATUS address_space_reserve_for_driver(AddressSpace *space, const Payer *payer,
					  const DriverReservation *reservation,
					  uint64_t *ret_address, Failure *failure)
{
	uint64_t leaf_coverage = pages_to_bytes(gpu_mmu_leaf_pages(space->mmu));
	uint64_t alignment = reservation->alignment > 0 ? reservation->alignment : leaf_coverage;
	NTSTATUS status = check_size(reservation->size, leaf_coverage, failure);

	if (status == STATUS_SUCCESS)
		status = check_alignment(alignment, leaf_coverage, failure);
	if (status == STATUS_SUCCESS && reservation->base_address > 0)
		status = check_base(space, reservation->base_address, reservation->size, alignment,
				    failure);
	if (status != STATUS_SUCCESS)
		return status;

	ReserveRequest request = {
		.request = {
			.size = bytes_to_pages(reservation->size),
			.alignment = bytes_to_pages(alignment),
			.unit = bytes_to_pages(leaf_coverage),
			.maximum = space->taken.end,
		},
		.is_exact = reservation->base_address > 0,
		.first = bytes_to_pages(reservation->base_address),
		.tally = &space->driver_reservations,
		.range = {
			.kind = GPU_RANGE_DRIVER_RESERVATION,
			.allow_user_mode_mapping = reservation->allow_user_mode_mapping,
		},
	};
	SpaceChange change = { 0 };
	status = prepare_at_free_place(space, payer, &request, &change, failure);
	return commit_now(space, &change, status, ret_address);
}

/* --- user reservations and mappings ---------------------------------------------------------- */

/* Validates a placement, and converts it into a request. */
static NTSTATUS read_placement(AddressSpace *space, const Placement *placement,
			       uint64_t granularity, ReserveRequest *request, Failure *failure)
{
	uint64_t minimum = placement->minimum, maximum = bytes_to_pages(placement->maximum);
	NTSTATUS status = check_size(placement->size, granularity, failure);

	request->is_exact = placement->has_base || placement->base_address > 0;
	if (status == STATUS_SUCCESS && request->is_exact)
		status = check_base(space, placement->base_address, placement->size, granularity,
				    failure);
	if (status != STATUS_SUCCESS)
		return status;
	if (!request->is_exact && minimum > placement->maximum)
		return failure_parameter(failure, "minimumAddress",
					 "is above maximumAddress; swap them");
	request->first = bytes_to_pages(placement->base_address);
	request->tally = &space->user_ranges;
	request->request = (RangeRequest){
		.size = bytes_to_pages(placement->size),
		.alignment = bytes_to_pages(granularity),
		.unit = 1,
		.minimum = bytes_to_pages(minimum) + (minimum % GPU_PAGE_SIZE > 0),
		.maximum = maximum < space->taken.end ? maximum : space->taken.end,
	};
	return STATUS_SUCCESS;
}

NTSTATUS address_space_prepare_reserve(AddressSpace *space, const Payer *payer,
				       const Placement *placement, SpaceChange *ret,
				       Failure *failure)
{
	*ret = (SpaceChange){ 0 };
	ReserveRequest request = { .range = { .kind = GPU_RANGE_USER_RESERVATION } };
	NTSTATUS status =
		read_placement(space, placement, GPU_RESERVATION_GRANULARITY, &request, failure);

	if (status != STATUS_SUCCESS)
		return status;
	return prepare_at_free_place(space, payer, &request, ret, failure);
}

static NTSTATUS check_mapping(const Mapping *mapping, uint64_t size, Failure *failure)
{
	bool needs_allocation = mapping->protection == GPU_PROTECTION_READ ||
				mapping->protection == GPU_PROTECTION_READ_WRITE;

	if (needs_allocation && !mapping->has_allocation)
		return failure_parameter(failure, "allocation",
					 "is missing; only noAccess and zero mappings need none");
	if (!mapping->has_allocation && mapping->offset > 0)
		return failure_parameter(failure, "offsetInBytes",
					 "is given without an allocation; add one, or omit the "
					 "offset");
	if (mapping->offset % GPU_PAGE_SIZE != 0)
		return failure_parameter(failure, "offsetInBytes",
					 "is not a multiple of %" PRIu64 "; align it",
					 GPU_PAGE_SIZE);
	if (mapping->offset > INT64_MAX || size > INT64_MAX - mapping->offset)
		return failure_parameter(
			failure, "offsetInBytes",
			"plus sizeInBytes exceeds 2^63 - 1; choose a smaller offset");
	return STATUS_SUCCESS;
}

/* Tests whether a mapping may lie at first to end - 1 in the reservation. */
static bool may_map_inside(const AddressSpace *space, const GpuRange *reservation, uint64_t first,
			   uint64_t end)
{
	unsigned int leaf_bits = space->mmu->index_bits[0];

	if (first < reservation->range.first || end > reservation->range.end)
		return false;
	if (reservation->kind == GPU_RANGE_USER_RESERVATION)
		return true;
	return reservation->allow_user_mode_mapping &&
	       !page_tables_has_entry(&space->page_tables, first >> leaf_bits,
				      (end - 1) >> leaf_bits);
}

/* Prepares a mapping at its base: in free addresses, or inside one reservation. */
static NTSTATUS prepare_mapping_at_base(AddressSpace *space, const Payer *payer,
					const ReserveRequest *request, SpaceChange *ret,
					Failure *failure)
{
	uint64_t first = request->first, end = first + request->request.size;
	const GpuRange *met = gpu_range_of(range_tree_overlapping(&space->taken, first, end));
	NTSTATUS status;

	if (!met)
		return prepare_at_free_place(space, payer, request, ret, failure);
	status = tally_check(request->tally, space->accounts, payer, failure);
	if (status != STATUS_SUCCESS)
		return status;
	if (met->kind == GPU_RANGE_MAPPING || !may_map_inside(space, met, first, end) ||
	    !range_tree_place_at(&space->mappings, first, end, &ret->place))
		return failure_conflict(
			failure, "baseAddress",
			"these addresses are neither all free nor all in one reservation that "
			"allows the mapping; free them, or choose others");
	return prepare_range(space, payer, request, &space->mappings, ret, failure);
}

NTSTATUS address_space_prepare_map(AddressSpace *space, const Payer *payer,
				   const Placement *placement, const Mapping *mapping,
				   SpaceChange *ret, Failure *failure)
{
	ReserveRequest request = {
		.range = {
			.kind = GPU_RANGE_MAPPING,
			.protection = mapping->protection,
			.has_allocation = mapping->has_allocation,
			.allocation = mapping->has_allocation ? mapping->allocation : 0,
			.offset = mapping->offset,
		},
	};
	NTSTATUS status = read_placement(space, placement, GPU_PAGE_SIZE, &request, failure);

	if (status == STATUS_SUCCESS)
		status = check_mapping(mapping, placement->size, failure);
	if (status != STATUS_SUCCESS)
		return status;
	*ret = (SpaceChange){ 0 };
	return request.is_exact ? prepare_mapping_at_base(space, payer, &request, ret, failure)
				: prepare_at_free_place(space, payer, &request, ret, failure);
}

NTSTATUS address_space_restore(AddressSpace *space, const Payer *payer, const GpuRange *range,
			       Failure *failure)
{
	const Placement placement = {
		.size = pages_to_bytes(range->range.end - range->range.first),
		.base_address = pages_to_bytes(range->range.first),
		.has_base = true,
	};
	const Mapping mapping = {
		.allocation = range->allocation,
		.offset = range->offset,
		.has_allocation = range->has_allocation,
		.protection = range->protection,
	};
	ReserveRequest request = { .range = *range };
	SpaceChange change = { 0 };
	uint64_t address;
	NTSTATUS status = read_placement(space, &placement, GPU_PAGE_SIZE, &request, failure);

	if (status == STATUS_SUCCESS && range->kind == GPU_RANGE_MAPPING)
		status = check_mapping(&mapping, placement.size, failure);
	if (status != STATUS_SUCCESS)
		return status;
	status = range->kind == GPU_RANGE_MAPPING
			 ? prepare_mapping_at_base(space, payer, &request, &change, failure)
			 : prepare_at_free_place(space, payer, &request, &change, failure);
	return commit_now(space, &change, status, &address);
}
