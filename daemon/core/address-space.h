/* SPDX-License-Identifier: MIT */
#ifndef CORE_ADDRESS_SPACE_H
#define CORE_ADDRESS_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "account.h"
#include "failure.h"
#include "gpu-mmu.h"
#include "page-tables.h"
#include "range-tree.h"

/*
 * The virtual address space of one GPU process: what is reserved and mapped in it, and its page
 * tables. It knows nothing of processes, drivers and their states, and asks nobody who may do what:
 * gpu-process.c does.
 *
 * Taken ranges never overlap: the first entry of the root table, which is permanent, what the
 * driver has reserved, what the process has reserved, and mappings of free addresses. Mappings
 * inside a reservation form a second layer, and never reach beyond the one that they are in.
 *
 * Arguments are in bytes; everything behind the border is in pages. Each operation that changes
 * something keeps one order: values, limits, room or conflict, memory; then it cannot fail.
 */

typedef enum __attribute__((packed)) GpuRangeKind {
	GPU_RANGE_ROOT_ENTRY_ZERO,
	GPU_RANGE_DRIVER_RESERVATION,
	GPU_RANGE_USER_RESERVATION,
	GPU_RANGE_MAPPING,
	GPU_RANGE_MAX,
} GpuRangeKind;

typedef enum __attribute__((packed)) GpuProtection {
	GPU_PROTECTION_READ,
	GPU_PROTECTION_READ_WRITE,
	GPU_PROTECTION_NO_ACCESS,
	GPU_PROTECTION_ZERO,
	GPU_PROTECTION_MAX,
} GpuProtection;

/* "rootEntryZero" and so on; NULL behind the last. */
extern const char *const gpu_range_kind_names[];
extern const char *const gpu_protection_names[];

/* What is mapped, and how. */
typedef struct Mapping {
	uint64_t allocation; /* the process's own number, kept and given back, not interpreted */
	uint64_t offset;     /* where in it the mapping begins, in bytes; 0 without one */
	bool has_allocation;
	GpuProtection protection;
} Mapping;

/* One range. An address space may hold very many, so what only some kinds have is packed in. */
typedef struct GpuRange {
	Range range;
	uint64_t allocation; /* of a mapping, as are all but the last; see Mapping */
	uint64_t offset;
	uint64_t serial; /* that it is made lasting under; 0: it is not, or not by itself */
	bool has_allocation;
	GpuProtection protection;
	GpuRangeKind kind;
	bool allow_user_mode_mapping; /* of a driver reservation */
} GpuRange;

static inline GpuRange *gpu_range_of(const Range *range)
{
	return range ? container_of(range, GpuRange, range) : NULL;
}

typedef struct AddressSpace {
	const GpuMmu *mmu; /* the adapter's */
	Accounts *accounts;
	RangeTree taken;
	RangeTree mappings; /* inside reservations */
	GpuRange root_entry_zero;
	Tally driver_reservations;
	Tally user_ranges; /* user reservations and all mappings */
	PageTables page_tables;
} AddressSpace;

/* False: there is no memory. The mmu and the accounts must outlive the space. */
bool address_space_init(AddressSpace *space, const GpuMmu *mmu, Accounts *accounts);
void address_space_deinit(AddressSpace *space);

/* A range as it is to be. */
typedef struct RangePart {
	GpuRange range;
	RangeTree *tree; /* that it is going to be in */
} RangePart;

/* What is left of a reservation that is cut in two, and of a mapping at either edge. */
#define SPACE_CHANGE_PARTS 4

/*
 * A change that is prepared. The parts are what is to be there when it is made, instead of what it
 * meets: who keeps them may give them serials until then. It is good until the space changes.
 */
typedef struct SpaceChange {
	bool is_freeing;
	RangeTree *tree;
	GpuRange *range; /* new, or the one that is cut */
	GpuRange *rest;  /* new, where that leaves two; or NULL */
	RangePlace place;
	Tally *tally;
	uint64_t first; /* what is freed */
	uint64_t end;
	RangePart parts[SPACE_CHANGE_PARTS];
	size_t part_count;
} SpaceChange;

/* What DXGKARGCB_RESERVEGPUVIRTUALADDRESSRANGE says, in bytes. */
typedef struct DriverReservation {
	uint64_t size;
	uint64_t alignment;    /* 0: leaf coverage */
	uint64_t base_address; /* 0: the manager chooses */
	bool allow_user_mode_mapping;
} DriverReservation;

/*
 * Reserves for the driver, as DXGKCB_RESERVEGPUVIRTUALADDRESSRANGE does. All level-1 entries of the
 * range are invalid afterwards. *ret_address is the first address.
 *
 * Returns STATUS_SUCCESS; STATUS_INVALID_PARAMETER (sizeInBytes is no positive multiple of leaf
 * coverage; alignment is neither 0 nor a power of two that is a multiple of it; baseAddress is no
 * multiple of the larger of the two, in the root table's first entry, or past the end, or the range
 * is); STATUS_QUOTA_EXCEEDED; STATUS_CONFLICTING_ADDRESSES (baseAddress meets a taken range);
 * STATUS_NO_MEMORY (no place, whatever the size, or no memory).
 */
NTSTATUS address_space_reserve_for_driver(AddressSpace *space, const Payer *payer,
					  const DriverReservation *reservation,
					  uint64_t *ret_address, Failure *failure);

/* Where the process wants something of its own, in bytes. With a base address minimum and maximum
 * are not looked at. */
typedef struct Placement {
	uint64_t size;
	uint64_t base_address; /* exact */
	bool has_base;         /* false, and a base of 0: the manager chooses */
	uint64_t minimum;
	uint64_t maximum; /* the range ends there or before; UINT64_MAX for the end of the space */
} Placement;

/* Sizes and base addresses of user reservations are multiples of this. */
#define GPU_RESERVATION_GRANULARITY (UINT64_C(64) << 10)

/*
 * Reserves for the process. Sizes and bases are multiples of 64 KiB. Returns as
 * address_space_reserve_for_driver(); STATUS_INVALID_PARAMETER also for a minimumAddress above
 * maximumAddress.
 */
NTSTATUS address_space_prepare_reserve(AddressSpace *space, const Payer *payer,
				       const Placement *placement, SpaceChange *ret,
				       Failure *failure);

/*
 * Maps, in pages of 4 KiB: at free addresses, inside one user reservation, or inside one driver
 * reservation that allows it and whose entries there the driver has not set. The entries are the
 * manager's then, as long as anything is mapped under them.
 *
 * Returns as address_space_prepare_reserve(); STATUS_INVALID_PARAMETER also when allocation is
 * absent with a protection that needs one, or offsetInBytes is there without one, is no multiple of
 * 4 KiB, or with the size is above 2^63 - 1; STATUS_CONFLICTING_ADDRESSES also for an entry that is
 * the driver's.
 */
NTSTATUS address_space_prepare_map(AddressSpace *space, const Payer *payer,
				   const Placement *placement, const Mapping *mapping,
				   SpaceChange *ret, Failure *failure);

/*
 * Frees addresses that lie in one mapping or in one user reservation. Inside a mapping only the
 * mapping goes, and what was reserved under it is reserved again; otherwise that part of the
 * reservation goes with what is mapped in it. What is cut in two counts as two.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER (no multiples of 4 KiB, or they lie in no such
 * range), STATUS_QUOTA_EXCEEDED (of a cut, asked first), STATUS_NO_MEMORY.
 */
NTSTATUS address_space_prepare_free(AddressSpace *space, const Payer *payer, uint64_t base_address,
				    uint64_t size, SpaceChange *ret, Failure *failure);

/* Makes the change, which cannot fail. gone is told of each range, as it was, that is no more, or
 * is what a part says from now on, what encloses others before them; NULL: nobody is told. */
void address_space_commit(AddressSpace *space, SpaceChange *change,
			  void (*gone)(void *context, const GpuRange *range), void *context);
void address_space_discard(AddressSpace *space, SpaceChange *change);

/*
 * Puts a user reservation or a mapping back where it was, however it came by its size. Returns
 * STATUS_SUCCESS, STATUS_NO_MEMORY, or STATUS_INVALID_PARAMETER and STATUS_CONFLICTING_ADDRESSES
 * where it does not fit.
 */
NTSTATUS address_space_restore(AddressSpace *space, const Payer *payer, const GpuRange *range,
			       Failure *failure);

/*
 * Points the reserved level-1 entry that covers the address at a leaf table of the driver's.
 * page_table_address is in the driver's own terms, kept and given back.
 *
 * Returns STATUS_SUCCESS; STATUS_INVALID_PARAMETER (past the end, or under no driver reservation);
 * STATUS_INVALID_DEVICE_STATE (the table that the entry is in is not resident);
 * STATUS_QUOTA_EXCEEDED; STATUS_CONFLICTING_ADDRESSES (the entry is the manager's);
 * STATUS_NO_MEMORY.
 */
NTSTATUS address_space_prepare_entry(AddressSpace *space, const Payer *payer,
				     uint64_t virtual_address, uint64_t page_table_address,
				     EntryChange *ret, Failure *failure);
void address_space_commit_entry(AddressSpace *space, const EntryChange *change);
void address_space_discard_entry(AddressSpace *space, const EntryChange *change);

/*
 * The entry of that number was the driver's: it is again, and invalid. STATUS_SUCCESS,
 * STATUS_NO_MEMORY, or STATUS_INVALID_PARAMETER where it cannot be.
 */
NTSTATUS address_space_restore_entry(AddressSpace *space, const Payer *payer, uint64_t number,
				     uint64_t serial, Failure *failure);

/* The driver's entries, in ascending order, valid or not; the cursor is 0 at the beginning. NULL at
 * the end. */
const PageTableEntry *address_space_next_entry(const AddressSpace *space, uint64_t *cursor);

/*
 * Evicts the level-1 table that covers the address, or makes it resident; both are idempotent. Of a
 * table that becomes resident the driver's and the unowned entries are invalid.
 * *ret_became_resident says whether it did; *ret_address is the first that the table covers.
 *
 * Return STATUS_SUCCESS; STATUS_INVALID_PARAMETER (past the end, or in the first entry of a root
 * table that is above level 1, which points at no table); STATUS_QUOTA_EXCEEDED and
 * STATUS_NO_MEMORY when evicting.
 */
NTSTATUS address_space_evict(AddressSpace *space, const Payer *payer, uint64_t virtual_address,
			     Failure *failure);
NTSTATUS address_space_make_resident(AddressSpace *space, uint64_t virtual_address,
				     bool *ret_became_resident, uint64_t *ret_address,
				     Failure *failure);

typedef enum TranslationState {
	TRANSLATION_INVALID, /* nothing there, or the first entry of the root table */
	TRANSLATION_RESERVED,
	TRANSLATION_DRIVER_PAGE_TABLE,
	TRANSLATION_NOT_RESIDENT, /* something is there, and its level-1 table is evicted */
	TRANSLATION_USER_RESERVED,
	TRANSLATION_MAPPED,
	TRANSLATION_MAX,
} TranslationState;

extern const char *const translation_state_names[];

typedef struct Translation {
	TranslationState state;
	uint64_t page_table_address; /* with TRANSLATION_DRIVER_PAGE_TABLE */
	GpuProtection protection;    /* with TRANSLATION_MAPPED, as are the others */
	bool has_allocation;
	uint64_t allocation;
	uint64_t offset; /* of the address itself, in bytes */
} Translation;

/* STATUS_SUCCESS, or STATUS_INVALID_PARAMETER for an address past the end. */
NTSTATUS address_space_translate(const AddressSpace *space, uint64_t virtual_address,
				 Translation *ret, Failure *failure);

/*
 * All ranges in ascending order, what encloses others before them. The cursor is 0 at the
 * beginning and moves behind the range that is returned; it stays good whatever comes and goes.
 * NULL at the end.
 */
const GpuRange *address_space_next(const AddressSpace *space, uint64_t *cursor);

/* How many that are. */
uint64_t address_space_range_count(const AddressSpace *space);

/* How much it holds of what a limit of that kind bounds. */
uint64_t address_space_count(const AddressSpace *space, LimitKind kind);

/*
 * How often the root table was made anew. With two levels it is as large as the highest range needs
 * (a power of two of entries, and at least two); growing and shrinking is a new root table, which
 * becomes resident, so that the driver's entries in it are invalid.
 */
uint64_t address_space_root_generation(const AddressSpace *space);

void address_space_check(const AddressSpace *space);

/* For the files of the address space alone: the taken ranges have changed. */
void address_space_fit_root_table(AddressSpace *space);

#endif
