/* SPDX-License-Identifier: MIT */
/* The page tables of an address space: the driver's entries, residency and translation. */
#include <inttypes.h>

#include "daemon/core/va/address-space.h"

static NTSTATUS check_address(const AddressSpace *space, uint64_t virtual_address, Failure *failure)
{
	uint64_t end = pages_to_bytes(space->taken.end);

	if (virtual_address < end)
		return STATUS_SUCCESS;
	return failure_parameter(failure, "virtualAddress",
				 "is past the end of the address space, 0x%" PRIx64, end);
}

/* Returns the number of the level-1 entry that covers the address. */
static uint64_t entry_number(const AddressSpace *space, uint64_t virtual_address)
{
	return bytes_to_pages(virtual_address) >> space->mmu->index_bits[0];
}

static const GpuRange *find_taken(const AddressSpace *space, uint64_t virtual_address)
{
	return gpu_range_of(range_tree_find(&space->taken, bytes_to_pages(virtual_address)));
}

/* Tests whether anything is mapped under the entry, which makes it the manager's. */
static bool is_managers_entry(const AddressSpace *space, uint64_t entry)
{
	unsigned int leaf_bits = space->mmu->index_bits[0];

	return range_tree_overlapping(&space->mappings, entry << leaf_bits,
				      (entry + 1) << leaf_bits);
}

static NTSTATUS check_settable(const AddressSpace *space, uint64_t virtual_address,
			       Failure *failure)
{
	const GpuRange *around;
	NTSTATUS status = check_address(space, virtual_address, failure);

	if (status != STATUS_SUCCESS)
		return status;
	if (!page_tables_is_resident(&space->page_tables, entry_number(space, virtual_address)))
		return failure_set(failure, STATUS_INVALID_DEVICE_STATE, "notResident",
				   "the page table of this entry is evicted; make it resident "
				   "first");
	around = find_taken(space, virtual_address);
	if (!around || around->kind != GPU_RANGE_DRIVER_RESERVATION)
		return failure_parameter(failure, "virtualAddress",
					 "is not in a range that the driver has reserved");
	return STATUS_SUCCESS;
}

NTSTATUS address_space_prepare_entry(AddressSpace *space, const Payer *payer,
				     uint64_t virtual_address, uint64_t page_table_address,
				     EntryChange *ret, Failure *failure)
{
	PageTables *tables = &space->page_tables;
	uint64_t entry = entry_number(space, virtual_address);
	NTSTATUS status = check_settable(space, virtual_address, failure);

	if (status == STATUS_SUCCESS)
		status = page_tables_check_limit(tables, space->accounts, payer, entry, failure);
	if (status != STATUS_SUCCESS)
		return status;
	if (is_managers_entry(space, entry))
		return failure_conflict(failure, "virtualAddress",
					"the process has a mapping under this entry, which belongs "
					"to the manager until the mapping is freed");
	return page_tables_prepare_entry(tables, space->accounts, payer, entry, page_table_address,
					 ret, failure);
}

void address_space_commit_entry(AddressSpace *space, const EntryChange *change)
{
	page_tables_commit_entry(&space->page_tables, change, true);
}

void address_space_discard_entry(AddressSpace *space, const EntryChange *change)
{
	page_tables_discard_entry(&space->page_tables, space->accounts, change);
}

NTSTATUS address_space_restore_entry(AddressSpace *space, const Payer *payer, uint64_t number,
				     uint64_t serial, Failure *failure)
{
	unsigned int leaf_bits = space->mmu->index_bits[0];
	EntryChange change;

	if (number >= space->taken.end >> leaf_bits || is_managers_entry(space, number) ||
	    page_tables_find_entry(&space->page_tables, number))
		return STATUS_INVALID_PARAMETER;
	NTSTATUS status = check_settable(space, pages_to_bytes(number << leaf_bits), failure);
	if (status == STATUS_SUCCESS)
		status = page_tables_prepare_entry(&space->page_tables, space->accounts, payer,
						   number, 0, &change, failure);
	if (status != STATUS_SUCCESS)
		return status;
	change.entry->serial = serial;
	page_tables_commit_entry(&space->page_tables, &change, false);
	return STATUS_SUCCESS;
}

const PageTableEntry *address_space_next_entry(const AddressSpace *space, uint64_t *cursor)
{
	const PageTableEntry *entry = page_tables_next_entry(&space->page_tables, *cursor);

	if (entry)
		*cursor = entry->number + 1;
	return entry;
}

/* --- residency ------------------------------------------------------------------------------- */

/* Checks that a level-1 table can cover the address. */
static NTSTATUS check_table(const AddressSpace *space, uint64_t virtual_address, Failure *failure)
{
	NTSTATUS status = check_address(space, virtual_address, failure);
	uint64_t lowest = pages_to_bytes(space->root_entry_zero.range.end);

	if (status != STATUS_SUCCESS || space->mmu->level_count == 2 || virtual_address >= lowest)
		return status;
	return failure_parameter(failure, "virtualAddress",
				 "lies in the root table's first entry, which points at no table; "
				 "the lowest address is 0x%" PRIx64,
				 lowest);
}

NTSTATUS address_space_evict(AddressSpace *space, const Payer *payer, uint64_t virtual_address,
			     Failure *failure)
{
	NTSTATUS status = check_table(space, virtual_address, failure);

	if (status != STATUS_SUCCESS)
		return status;
	return page_tables_evict(&space->page_tables, space->accounts, payer,
				 entry_number(space, virtual_address), failure);
}

NTSTATUS address_space_make_resident(AddressSpace *space, uint64_t virtual_address,
				     bool *ret_became_resident, uint64_t *ret_address,
				     Failure *failure)
{
	uint64_t coverage = pages_to_bytes(gpu_mmu_level_one_pages(space->mmu));
	NTSTATUS status = check_table(space, virtual_address, failure);

	if (status != STATUS_SUCCESS)
		return status;
	*ret_became_resident = page_tables_make_resident(&space->page_tables, space->accounts,
							 entry_number(space, virtual_address));
	*ret_address = virtual_address & ~(coverage - 1);
	return STATUS_SUCCESS;
}

/* --- translation ----------------------------------------------------------------------------- */

static void translate_mapping(const GpuRange *mapping, uint64_t virtual_address, Translation *ret)
{
	*ret = (Translation){
		.state = TRANSLATION_MAPPED,
		.protection = mapping->protection,
		.has_allocation = mapping->has_allocation,
		.allocation = mapping->allocation,
	};
	if (mapping->has_allocation)
		ret->offset =
			mapping->offset + virtual_address - pages_to_bytes(mapping->range.first);
}

/* Translates an address inside a driver reservation at which nothing is mapped. */
static void translate_reserved(const AddressSpace *space, uint64_t virtual_address,
			       Translation *ret)
{
	const PageTableEntry *entry =
		page_tables_find_entry(&space->page_tables, entry_number(space, virtual_address));

	*ret = (Translation){ .state = TRANSLATION_RESERVED };
	if (!entry || !page_tables_is_valid(&space->page_tables, entry))
		return;
	ret->state = TRANSLATION_DRIVER_PAGE_TABLE;
	ret->page_table_address = entry->page_table_address;
}

NTSTATUS address_space_translate(const AddressSpace *space, uint64_t virtual_address,
				 Translation *ret, Failure *failure)
{
	const GpuRange *around, *mapping;
	NTSTATUS status = check_address(space, virtual_address, failure);

	if (status != STATUS_SUCCESS)
		return status;
	*ret = (Translation){ .state = TRANSLATION_INVALID };
	around = find_taken(space, virtual_address);
	if (!around || around->kind == GPU_RANGE_ROOT_ENTRY_ZERO)
		return STATUS_SUCCESS;
	mapping = around->kind == GPU_RANGE_MAPPING
			  ? around
			  : gpu_range_of(range_tree_find(&space->mappings,
							 bytes_to_pages(virtual_address)));
	if (!page_tables_is_resident(&space->page_tables, entry_number(space, virtual_address)))
		ret->state = TRANSLATION_NOT_RESIDENT;
	else if (mapping)
		translate_mapping(mapping, virtual_address, ret);
	else if (around->kind == GPU_RANGE_USER_RESERVATION)
		ret->state = TRANSLATION_USER_RESERVED;
	else
		translate_reserved(space, virtual_address, ret);
	return STATUS_SUCCESS;
}
