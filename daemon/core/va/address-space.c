/* SPDX-License-Identifier: MIT */
/* An address space as a whole: creation, the root table, iteration and checks. */
#include "daemon/core/va/address-space.h"

#include <assert.h>
#include <stdlib.h>

bool address_space_init(AddressSpace *space, const GpuMmu *mmu, Accounts *accounts)
{
	RangePlace place;

	*space = (AddressSpace){
		.mmu = mmu,
		.accounts = accounts,
		.root_entry_zero = { .kind = GPU_RANGE_ROOT_ENTRY_ZERO },
		.driver_reservations = TALLY_INIT(LIMIT_DRIVER_RESERVATIONS),
		.user_ranges = TALLY_INIT(LIMIT_USER_RANGES),
	};
	range_tree_init(&space->taken, gpu_mmu_pages(mmu),
			bytes_to_pages(GPU_RESERVATION_GRANULARITY));
	range_tree_init_counting(&space->mappings, gpu_mmu_pages(mmu));
	page_tables_init(&space->page_tables, mmu);
	if (!range_tree_prepare(&space->taken))
		return false;
	range_tree_place_at(&space->taken, 0, gpu_mmu_root_entry_pages(mmu), &place);
	range_tree_insert(&space->taken, &place, &space->root_entry_zero.range);
	return true;
}

void address_space_end(AddressSpace *space)
{
	/* Root entry zero is part of the AddressSpace, not an allocation. */
	if (space->taken.root)
		range_tree_remove(&space->taken, &space->root_entry_zero.range);
	range_tree_detach_all(&space->taken, &space->garbage);
	range_tree_detach_all(&space->mappings, &space->garbage);
	page_tables_end(&space->page_tables, space->accounts);
	tally_return(&space->driver_reservations, space->accounts,
		     space->driver_reservations.count);
	tally_return(&space->user_ranges, space->accounts, space->user_ranges.count);
}

bool address_space_reap(AddressSpace *space, uint64_t *ret_serial)
{
	GpuRange *range = gpu_range_of(range_garbage_take(&space->garbage));

	if (!range)
		return page_tables_reap(&space->page_tables, ret_serial);
	*ret_serial = range->serial;
	free(range);
	return true;
}

bool address_space_has_garbage(const AddressSpace *space)
{
	return space->garbage.ranges || space->garbage.nodes ||
	       page_tables_has_garbage(&space->page_tables);
}

void address_space_deinit(AddressSpace *space)
{
	uint64_t serial;

	address_space_end(space);
	while (address_space_reap(space, &serial))
		;
}

void address_space_fit_root_table(AddressSpace *space)
{
	uint64_t entry_pages = gpu_mmu_leaf_pages(space->mmu);
	const Range *highest;

	if (space->mmu->level_count > 2)
		return;
	highest = range_tree_last(&space->taken);
	page_tables_resize_root(&space->page_tables, space->accounts,
				(highest->end + entry_pages - 1) / entry_pages);
}

uint64_t address_space_root_generation(const AddressSpace *space)
{
	return space->page_tables.root_generation;
}

/* --- iteration ------------------------------------------------------------------------------- */

/*
 * Returns a sort key: by first page, a reservation before the mapping that begins at the same page.
 */
static uint64_t order_key(const Range *range, bool is_inside)
{
	return range->first << 1 | is_inside;
}

/* Returns the first range that begins at the page or behind it. */
static Range *first_at_or_after(const RangeTree *tree, uint64_t page)
{
	return page > 0 ? range_tree_after(tree, page - 1) : range_tree_first(tree);
}

const GpuRange *address_space_next(const AddressSpace *space, uint64_t *cursor)
{
	const Range *taken = first_at_or_after(&space->taken, *cursor / 2 + *cursor % 2);
	const Range *mapping = first_at_or_after(&space->mappings, *cursor / 2);
	bool is_inside = mapping && (!taken || order_key(mapping, true) < order_key(taken, false));
	const Range *next = is_inside ? mapping : taken;

	if (next)
		*cursor = order_key(next, is_inside) + 1;
	return gpu_range_of(next);
}

uint64_t address_space_range_count(const AddressSpace *space)
{
	return 1 + space->driver_reservations.count + space->user_ranges.count;
}

uint64_t address_space_count(const AddressSpace *space, LimitKind kind)
{
	switch (kind) {
	case LIMIT_DRIVER_RESERVATIONS:
		return space->driver_reservations.count;
	case LIMIT_USER_RANGES:
		return space->user_ranges.count;
	case LIMIT_PAGE_TABLE_ENTRIES:
		return space->page_tables.written.count;
	default:
		return 0;
	}
}

/* --- checking -------------------------------------------------------------------------------- */

/* Asserts that a mapping lies in one reservation, and under no entry of the driver's. */
static void check_inner_mapping(const AddressSpace *space, const GpuRange *mapping)
{
	const Range *range = &mapping->range;
	const GpuRange *around = gpu_range_of(range_tree_find(&space->taken, range->first));
	unsigned int leaf_bits = space->mmu->index_bits[0];

	assert(mapping->kind == GPU_RANGE_MAPPING);
	assert(around && range->end <= around->range.end);
	if (around->kind == GPU_RANGE_USER_RESERVATION)
		return;
	assert(around->kind == GPU_RANGE_DRIVER_RESERVATION && around->allow_user_mode_mapping);
	assert(!page_tables_has_entry(&space->page_tables, range->first >> leaf_bits,
				      (range->end - 1) >> leaf_bits));
	(void)leaf_bits;
}

void address_space_check(const AddressSpace *space)
{
	uint64_t counts[GPU_RANGE_MAX] = { 0 }, cursor = 0, inside = 0;
	const GpuRange *range;

	range_tree_check(&space->taken);
	range_tree_check(&space->mappings);
	page_tables_check(&space->page_tables);
	while ((range = address_space_next(space, &cursor))) {
		counts[range->kind]++;
		if (cursor % 2 == 0) { /* the cursor is behind an odd key, which is a mapping's */
			check_inner_mapping(space, range);
			inside++;
		}
	}
	assert(counts[GPU_RANGE_ROOT_ENTRY_ZERO] == 1);
	assert(counts[GPU_RANGE_DRIVER_RESERVATION] == space->driver_reservations.count);
	assert(counts[GPU_RANGE_USER_RESERVATION] + counts[GPU_RANGE_MAPPING] ==
	       space->user_ranges.count);
	assert(inside <= counts[GPU_RANGE_MAPPING]);
}
