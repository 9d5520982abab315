/* SPDX-License-Identifier: MIT */
#include "daemon/core/va/page-tables.h"

#include <assert.h>
#include <stdlib.h>

static int compare_entries(const PageTableEntry *a, const PageTableEntry *b)
{
	return compare_numbers(a->number, b->number);
}

static int compare_evicted(const EvictedTable *a, const EvictedTable *b)
{
	return compare_numbers(a->number, b->number);
}

TREE_GENERATE(PageTableEntryTree, PageTableEntry, by_number, compare_entries)
TREE_GENERATE(EvictedTableTree, EvictedTable, by_number, compare_evicted)

/* Minimum size of a two-level MMU's root table. */
#define ROOT_ENTRIES_MIN 2

void page_tables_init(PageTables *tables, const GpuMmu *mmu)
{
	*tables = (PageTables){
		.entries = RB_INITIALIZER(&tables->entries),
		.evicted = RB_INITIALIZER(&tables->evicted),
		.epoch = 1,
		.entry_bits = mmu->index_bits[1],
		.root_entries = mmu->level_count == 2 ? ROOT_ENTRIES_MIN : 0,
		.written = TALLY_INIT(LIMIT_PAGE_TABLE_ENTRIES),
	};
}

void page_tables_end(PageTables *tables, Accounts *accounts)
{
	tables->has_ended = true;
	tally_return(&tables->written, accounts, tables->written.count);
}

bool page_tables_reap(PageTables *tables, uint64_t *ret_serial)
{
	PageTableEntry *entry = RB_ROOT(&tables->entries);
	EvictedTable *table = RB_ROOT(&tables->evicted);

	if (!page_tables_has_garbage(tables))
		return false;
	*ret_serial = entry ? entry->serial : 0;
	if (entry)
		RB_REMOVE(PageTableEntryTree, &tables->entries, entry);
	else
		RB_REMOVE(EvictedTableTree, &tables->evicted, table);
	free(entry ? (void *)entry : table);
	return true;
}

bool page_tables_has_garbage(const PageTables *tables)
{
	return tables->has_ended && (!RB_EMPTY(&tables->entries) || !RB_EMPTY(&tables->evicted));
}

/* --- residency ------------------------------------------------------------------------------- */

static EvictedTable *find_evicted(const PageTables *tables, uint64_t entry)
{
	return RB_FIND(EvictedTableTree, (EvictedTableTree *)&tables->evicted,
		       &(EvictedTable){ .number = entry >> tables->entry_bits });
}

bool page_tables_is_resident(const PageTables *tables, uint64_t entry)
{
	return !find_evicted(tables, entry);
}

NTSTATUS page_tables_evict(PageTables *tables, Accounts *accounts, const Payer *payer,
			   uint64_t entry, Failure *failure)
{
	EvictedTable *table;
	NTSTATUS status;

	if (find_evicted(tables, entry))
		return STATUS_SUCCESS;
	status = tally_take(&tables->written, accounts, payer, failure);
	if (status != STATUS_SUCCESS)
		return status;
	table = calloc(1, sizeof(*table));
	if (!table) {
		tally_return(&tables->written, accounts, 1);
		return failure_no_memory(failure);
	}
	table->number = entry >> tables->entry_bits;
	RB_INSERT(EvictedTableTree, &tables->evicted, table);
	return STATUS_SUCCESS;
}

static PageTableEntry *first_entry_from(const PageTables *tables, uint64_t number)
{
	return RB_NFIND(PageTableEntryTree, (PageTableEntryTree *)&tables->entries,
			&(PageTableEntry){ .number = number });
}

/* Invalidates the driver's entries in the table. */
static void invalidate_entries(PageTables *tables, uint64_t table)
{
	PageTableEntry *entry = first_entry_from(tables, table << tables->entry_bits);

	if (tables->root_entries > 0) { /* there is no other table */
		tables->epoch++;
		return;
	}
	for (; entry && entry->number >> tables->entry_bits == table;
	     entry = RB_NEXT(PageTableEntryTree, NULL, entry))
		entry->epoch = 0;
}

bool page_tables_make_resident(PageTables *tables, Accounts *accounts, uint64_t entry)
{
	EvictedTable *table = find_evicted(tables, entry);

	if (!table)
		return false;
	RB_REMOVE(EvictedTableTree, &tables->evicted, table);
	free(table);
	tally_return(&tables->written, accounts, 1);
	invalidate_entries(tables, entry >> tables->entry_bits);
	return true;
}

void page_tables_resize_root(PageTables *tables, Accounts *accounts, uint64_t entries)
{
	uint64_t root_entries = ROOT_ENTRIES_MIN;

	while (root_entries < entries)
		root_entries *= 2;
	if (tables->root_entries == 0 || tables->root_entries == root_entries)
		return;
	tables->root_entries = root_entries;
	tables->root_generation++;
	if (!page_tables_make_resident(tables, accounts, 0))
		invalidate_entries(tables, 0);
}

/* --- entries --------------------------------------------------------------------------------- */

static PageTableEntry *find_entry(const PageTables *tables, uint64_t number)
{
	return RB_FIND(PageTableEntryTree, (PageTableEntryTree *)&tables->entries,
		       &(PageTableEntry){ .number = number });
}

const PageTableEntry *page_tables_find_entry(const PageTables *tables, uint64_t entry)
{
	return find_entry(tables, entry);
}

bool page_tables_has_entry(const PageTables *tables, uint64_t first, uint64_t last)
{
	const PageTableEntry *entry = first_entry_from(tables, first);

	return entry && entry->number <= last;
}

NTSTATUS page_tables_check_limit(const PageTables *tables, Accounts *accounts, const Payer *payer,
				 uint64_t entry, Failure *failure)
{
	return find_entry(tables, entry) ? STATUS_SUCCESS
					 : tally_check(&tables->written, accounts, payer, failure);
}

const PageTableEntry *page_tables_next_entry(const PageTables *tables, uint64_t entry)
{
	return first_entry_from(tables, entry);
}

/* Allocates an entry for the driver. */
static NTSTATUS entry_new(PageTables *tables, Accounts *accounts, const Payer *payer,
			  uint64_t number, PageTableEntry **ret_entry, Failure *failure)
{
	PageTableEntry *entry;
	NTSTATUS status = tally_take(&tables->written, accounts, payer, failure);

	if (status != STATUS_SUCCESS)
		return status;
	entry = calloc(1, sizeof(*entry));
	if (!entry) {
		tally_return(&tables->written, accounts, 1);
		return failure_no_memory(failure);
	}
	entry->number = number;
	*ret_entry = entry;
	return STATUS_SUCCESS;
}

NTSTATUS page_tables_prepare_entry(PageTables *tables, Accounts *accounts, const Payer *payer,
				   uint64_t number, uint64_t page_table_address, EntryChange *ret,
				   Failure *failure)
{
	*ret = (EntryChange){
		.entry = find_entry(tables, number),
		.page_table_address = page_table_address,
	};
	ret->is_new = !ret->entry;
	if (!ret->is_new)
		return STATUS_SUCCESS;
	return entry_new(tables, accounts, payer, number, &ret->entry, failure);
}

void page_tables_commit_entry(PageTables *tables, const EntryChange *change, bool is_valid)
{
	PageTableEntry *entry = change->entry;

	if (change->is_new)
		RB_INSERT(PageTableEntryTree, &tables->entries, entry);
	entry->page_table_address = change->page_table_address;
	entry->epoch = is_valid ? tables->epoch : 0;
}

void page_tables_discard_entry(PageTables *tables, Accounts *accounts, const EntryChange *change)
{
	if (!change->is_new)
		return;
	tally_return(&tables->written, accounts, 1);
	free(change->entry);
}

void page_tables_check(const PageTables *tables)
{
	const PageTableEntry *entry = first_entry_from(tables, 0);
	EvictedTable *table = RB_MIN(EvictedTableTree, (EvictedTableTree *)&tables->evicted);
	uint64_t count = 0;

	for (; entry; entry = RB_NEXT(PageTableEntryTree, NULL, (PageTableEntry *)entry)) {
		assert(entry->epoch <= tables->epoch);
		count++;
	}
	for (; table; table = RB_NEXT(EvictedTableTree, NULL, table))
		count++;
	assert(count == tables->written.count);
	assert((tables->root_entries & (tables->root_entries - 1)) == 0);
}
