/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_VA_PAGE_TABLES_H
#define DAEMON_CORE_VA_PAGE_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/account.h"
#include "daemon/core/failure.h"
#include "daemon/core/tree.h"
#include "daemon/core/va/gpu-mmu.h"

/*
 * The level-1 page tables of an address space. An entry of a level-1 table points at a leaf table.
 * Only two facts are stored: which tables are evicted, and which entries the driver has set.
 * Everything else is resident and unowned, so memory grows with what was written, not with the
 * address space.
 *
 * An entry that the driver has set once remains the driver's. It becomes invalid when its table
 * becomes resident, until the driver sets it again. An entry belongs to the manager while anything
 * is mapped under it; that is not stored here.
 *
 * Entries and tables are numbered across the whole address space.
 */

typedef struct PageTableEntry {
	uint64_t number;
	uint64_t page_table_address;
	uint64_t serial; /* of its persisted record; 0 if it has none */
	uint64_t epoch;  /* in which the driver has set the entry; 0 if it is invalid */
	RB_ENTRY(PageTableEntry) by_number;
} PageTableEntry;

typedef RB_HEAD(PageTableEntryTree, PageTableEntry) PageTableEntryTree;

typedef struct EvictedTable {
	uint64_t number;
	RB_ENTRY(EvictedTable) by_number;
} EvictedTable;

typedef RB_HEAD(EvictedTableTree, EvictedTable) EvictedTableTree;

typedef struct PageTables {
	PageTableEntryTree entries;
	EvictedTableTree evicted;
	uint64_t epoch; /* entries of earlier epochs are invalid */
	bool has_ended;
	unsigned int entry_bits; /* shift from an entry's number to its table's */
	uint64_t root_entries;   /* size of the root table with two levels, otherwise 0 */
	uint64_t root_generation;
	Tally written; /* number of entries and evicted tables */
} PageTables;

void page_tables_init(PageTables *tables, const GpuMmu *mmu);

/* Returns all charges. Only the next two functions may be called afterwards. */
void page_tables_end(PageTables *tables, Accounts *accounts);

/*
 * Frees one entry or evicted table of tables that have ended. Returns false if there is none.
 * *ret_serial is the serial of its persisted record, or 0 without a record.
 */
bool page_tables_reap(PageTables *tables, uint64_t *ret_serial);
bool page_tables_has_garbage(const PageTables *tables);

bool page_tables_is_resident(const PageTables *tables, uint64_t entry);

/*
 * Evicts the level-1 table of the entry; a second call has no effect. Returns STATUS_SUCCESS,
 * STATUS_QUOTA_EXCEEDED or STATUS_NO_MEMORY.
 */
NTSTATUS page_tables_evict(PageTables *tables, Accounts *accounts, const Payer *payer,
			   uint64_t entry, Failure *failure);

/*
 * Makes the entry's level-1 table resident, and invalidates the driver's entries in it. Returns
 * false if it was resident already.
 */
bool page_tables_make_resident(PageTables *tables, Accounts *accounts, uint64_t entry);

/* Returns the driver's entry of that number, valid or not, or NULL if the driver has not set it. */
const PageTableEntry *page_tables_find_entry(const PageTables *tables, uint64_t entry);

/* Tests whether the entry points at a leaf table of the driver's. */
static inline bool page_tables_is_valid(const PageTables *tables, const PageTableEntry *entry)
{
	return entry->epoch == tables->epoch;
}

/* Tests whether any entry from first to last is the driver's. */
bool page_tables_has_entry(const PageTables *tables, uint64_t first, uint64_t last);

/* Returns the first of the driver's entries with at least that number, or NULL. */
const PageTableEntry *page_tables_next_entry(const PageTables *tables, uint64_t entry);

/*
 * Checks the limits for page_tables_prepare_entry(). Returns STATUS_SUCCESS or
 * STATUS_QUOTA_EXCEEDED.
 */
NTSTATUS page_tables_check_limit(const PageTables *tables, Accounts *accounts, const Payer *payer,
				 uint64_t entry, Failure *failure);

/* A prepared change of an entry to the driver's. */
typedef struct EntryChange {
	PageTableEntry *entry; /* new, or the unchanged existing one */
	bool is_new;
	uint64_t page_table_address;
} EntryChange;

/*
 * Prepares an entry, for page_tables_commit_entry() or page_tables_discard_entry(). Any other
 * change of the tables invalidates it. Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED or
 * STATUS_NO_MEMORY.
 */
NTSTATUS page_tables_prepare_entry(PageTables *tables, Accounts *accounts, const Payer *payer,
				   uint64_t entry, uint64_t page_table_address, EntryChange *ret,
				   Failure *failure);

/* Makes the entry the driver's. It points at the driver's leaf table if is_valid. */
void page_tables_commit_entry(PageTables *tables, const EntryChange *change, bool is_valid);
void page_tables_discard_entry(PageTables *tables, Accounts *accounts, const EntryChange *change);

/*
 * Resizes the root table of a two-level MMU to hold at least that many entries. A new size is a new
 * root table, which is resident: its entries are invalidated in O(1), because a process can cause
 * it at any time. Does nothing for other MMUs.
 */
void page_tables_resize_root(PageTables *tables, Accounts *accounts, uint64_t entries);

void page_tables_check(const PageTables *tables);

#endif
