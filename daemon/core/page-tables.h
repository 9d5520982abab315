/* SPDX-License-Identifier: MIT */
#ifndef CORE_PAGE_TABLES_H
#define CORE_PAGE_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "account.h"
#include "failure.h"
#include "gpu-mmu.h"
#include "tree.h"

/*
 * The level-1 tables of an address space, as far as somebody has written into them: which are
 * evicted, and which entries are the driver's. An entry that was the driver's once stays the
 * driver's, and is invalid after its table has become resident, until it is set again. That an
 * entry is the manager's is not written here: it is as long as something is mapped under it.
 *
 * Entries and tables are named by their numbers in the whole space. What is not in a tree here is
 * resident and unowned, so memory goes by what was written, not by size.
 */

typedef struct PageTableEntry {
	uint64_t number;
	uint64_t page_table_address;
	uint64_t serial; /* that it is made lasting under; 0: not by itself */
	bool is_valid;
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
	uint64_t valid_count; /* of the entries */
	EvictedTableTree evicted;
	unsigned int entry_bits; /* from an entry's number to that of its table */
	uint64_t root_entries;   /* with two levels: how large the root table is; else 0 */
	uint64_t root_generation;
	Tally written; /* entries and evicted tables */
} PageTables;

void page_tables_init(PageTables *tables, const GpuMmu *mmu);
void page_tables_deinit(PageTables *tables, Accounts *accounts);

bool page_tables_is_resident(const PageTables *tables, uint64_t entry);

/* STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED or STATUS_NO_MEMORY. */
NTSTATUS page_tables_evict(PageTables *tables, Accounts *accounts, const Payer *payer,
			   uint64_t entry, Failure *failure);

/* Whether the table became resident, and was not before. */
bool page_tables_make_resident(PageTables *tables, Accounts *accounts, uint64_t entry);

/* The driver's entry of that number, valid or not; NULL: it is not the driver's. */
const PageTableEntry *page_tables_entry(const PageTables *tables, uint64_t entry);

/* Whether any of the entries from first to last is the driver's. */
bool page_tables_has_entry(const PageTables *tables, uint64_t first, uint64_t last);

/* The first of the driver's entries from that number on; NULL: there is none. */
const PageTableEntry *page_tables_entry_from(const PageTables *tables, uint64_t entry);

/* Whether page_tables_prepare_entry() would find a limit passed. STATUS_SUCCESS or
 * STATUS_QUOTA_EXCEEDED. */
NTSTATUS page_tables_check_limit(const PageTables *tables, Accounts *accounts, const Payer *payer,
				 uint64_t entry, Failure *failure);

/* An entry that is going to be the driver's, if it is not yet. */
typedef struct EntryChange {
	PageTableEntry *entry; /* new, or as it is until then */
	bool is_new;
	uint64_t page_table_address;
} EntryChange;

/* STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED or STATUS_NO_MEMORY. Good until the tables change. */
NTSTATUS page_tables_prepare_entry(PageTables *tables, Accounts *accounts, const Payer *payer,
				   uint64_t entry, uint64_t page_table_address, EntryChange *ret,
				   Failure *failure);

/* It is the driver's, and valid or not. */
void page_tables_commit_entry(PageTables *tables, const EntryChange *change, bool is_valid);
void page_tables_discard_entry(PageTables *tables, Accounts *accounts, const EntryChange *change);

/* With two levels: the root table is to have room for so many entries. A new one is resident. */
void page_tables_resize_root(PageTables *tables, Accounts *accounts, uint64_t entries);

void page_tables_check(const PageTables *tables);

#endif
