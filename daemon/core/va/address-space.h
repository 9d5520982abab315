/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_VA_ADDRESS_SPACE_H
#define DAEMON_CORE_VA_ADDRESS_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/account.h"
#include "daemon/core/failure.h"
#include "daemon/core/va/gpu-mmu.h"
#include "daemon/core/va/page-tables.h"
#include "daemon/core/va/range-tree.h"

/*
 * The virtual address space of one GPU process: its reservations, its mappings and its page tables.
 * vaild is its video memory manager, "the manager" below. Access control and the states of
 * processes and drivers are left to gpu-process.c.
 *
 * A page has 4 KiB. A leaf table maps pages, and covers "leaf coverage" bytes of addresses. The
 * entries of level-1 tables point at leaf tables, and so on up to the root table. The driver may
 * manage leaf tables itself: it reserves addresses, and then sets the level-1 entries that cover
 * them. Driver reservations are therefore multiples of leaf coverage, so that no entry is shared
 * with the manager.
 *
 * Ranges form two layers. Ranges of the outer layer never overlap: the first entry of the root
 * table, which is permanent, driver reservations, user reservations, and mappings of free
 * addresses. The inner layer has the mappings inside reservations; each lies within one
 * reservation. Each layer is a RangeTree, which also chooses free addresses. The alignment of a
 * choice is leaf coverage or more for drivers, 64 KiB for user reservations and a page for
 * mappings.
 *
 * Parameters are in bytes, and stored values are in pages. Each operation checks values, limits,
 * addresses and memory in this order. After that it cannot fail.
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

/* The target and the protection of a mapping. */
typedef struct Mapping {
	uint64_t allocation; /* number chosen by the process, not interpreted */
	uint64_t offset;     /* of the mapping's first byte in the allocation; 0 without one */
	bool has_allocation;
	GpuProtection protection;
} Mapping;

/* One range. Members are packed, because an address space may have very many. */
typedef struct GpuRange {
	Range range;
	union {
		uint64_t allocation; /* mappings only, see Mapping */
		/*
		 * User reservations only: the lowest possible serial of a mapping inside. Mappings
		 * with lower serials are freed, but the reaper may not have removed their persisted
		 * records yet. 0 if all mappings are valid.
		 */
		uint64_t mappings_from;
	};
	uint64_t offset;          /* mappings only */
	uint64_t serial;          /* of its persisted record; 0 if it has none */
	bool has_allocation;      /* mappings only */
	GpuProtection protection; /* mappings only */
	GpuRangeKind kind;
	bool allow_user_mode_mapping; /* driver reservations only */
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
	Tally user_ranges; /* number of user reservations and mappings */
	PageTables page_tables;
	RangeGarbage garbage; /* freed ranges that are not reaped yet */
} AddressSpace;

/* Returns false if out of memory. The mmu and the accounts must outlive the space until its end. */
bool address_space_init(AddressSpace *space, const GpuMmu *mmu, Accounts *accounts);

/*
 * Ends the space in O(log n): returns all charges, and leaves its ranges, entries and evicted
 * tables to address_space_reap(). Only that, address_space_has_garbage() and address_space_deinit()
 * may be called afterwards.
 */
void address_space_end(AddressSpace *space);

/*
 * Frees the memory of one freed range, or of one entry or evicted table of a space that has ended.
 * Returns false if there is nothing to free. *ret_serial is the serial of its persisted record,
 * which the caller removes; 0 if it has none.
 */
bool address_space_reap(AddressSpace *space, uint64_t *ret_serial);
bool address_space_has_garbage(const AddressSpace *space);

/* Ends the space and reaps everything. */
void address_space_deinit(AddressSpace *space);

/* A range as it will be after a change. */
typedef struct RangePart {
	GpuRange range;
	RangeTree *tree; /* layer of the range */
} RangePart;

/* At most two parts of a reservation that is split, and one of a mapping at either edge. */
#define SPACE_CHANGE_PARTS 4

/*
 * A prepared change, for address_space_commit() or address_space_discard(). The parts are the
 * ranges that replace the ones the change affects. Until the commit the caller may give them
 * serials, in order to persist them. Any other change of the space invalidates it.
 */
typedef struct SpaceChange {
	bool is_freeing;
	RangeTree *tree;
	GpuRange *range; /* new, or the one to cut */
	GpuRange *tail;  /* second range of a split, otherwise NULL */
	RangePlace place;
	Tally *tally;
	uint64_t first; /* freed pages */
	uint64_t end;
	RangePart parts[SPACE_CHANGE_PARTS];
	size_t part_count;
} SpaceChange;

/* The parameters of DXGKARGCB_RESERVEGPUVIRTUALADDRESSRANGE, in bytes. */
typedef struct DriverReservation {
	uint64_t size;
	uint64_t alignment;    /* 0 for leaf coverage */
	uint64_t base_address; /* 0 if the manager chooses */
	bool allow_user_mode_mapping;
} DriverReservation;

/*
 * Reserves addresses for the driver, as DXGKCB_RESERVEGPUVIRTUALADDRESSRANGE does. All level-1
 * entries of the range are invalid afterwards. Stores the first address in *ret_address.
 *
 * Returns STATUS_SUCCESS or:
 *   STATUS_INVALID_PARAMETER      sizeInBytes is not a positive multiple of leaf coverage;
 *                                 alignment is neither 0 nor a power of two that is a multiple of
 *                                 leaf coverage; or baseAddress is not a multiple of the alignment,
 *                                 is inside the root table's first entry, or reaches past the end
 *   STATUS_QUOTA_EXCEEDED         a limit is reached
 *   STATUS_CONFLICTING_ADDRESSES  the range at baseAddress overlaps another
 *   STATUS_NO_MEMORY              no place is free, for any size; or out of memory
 */
NTSTATUS address_space_reserve_for_driver(AddressSpace *space, const Payer *payer,
					  const DriverReservation *reservation,
					  uint64_t *ret_address, Failure *failure);

/*
 * The addresses that a process asks for, in bytes. With a base address, minimum and maximum are
 * ignored.
 */
typedef struct Placement {
	uint64_t size;
	uint64_t base_address; /* exact */
	bool has_base;         /* if false and the base is 0, the manager chooses */
	uint64_t minimum;
	uint64_t maximum; /* upper bound of the range's end; UINT64_MAX for the end of the space */
} Placement;

/* Granularity of the sizes and base addresses of user reservations. */
#define GPU_RESERVATION_GRANULARITY (UINT64_C(64) << 10)

/*
 * Prepares a user reservation. Sizes and bases are multiples of 64 KiB. Returns the statuses of
 * address_space_reserve_for_driver(), and STATUS_INVALID_PARAMETER also if minimumAddress is above
 * maximumAddress.
 */
NTSTATUS address_space_prepare_reserve(AddressSpace *space, const Payer *payer,
				       const Placement *placement, SpaceChange *ret,
				       Failure *failure);

/*
 * Prepares a mapping, in pages of 4 KiB: at free addresses, inside one user reservation, or inside
 * one driver reservation. A driver reservation must allow it, and the driver must not have set the
 * level-1 entries there. These entries are the manager's while anything is mapped under them.
 *
 * Returns the statuses of address_space_prepare_reserve(), and also:
 *   STATUS_INVALID_PARAMETER      the protection needs an allocation, but none is given; or
 *                                 offsetInBytes is given without an allocation, is not a multiple
 *                                 of 4 KiB, or exceeds 2^63 - 1 together with the size
 *   STATUS_CONFLICTING_ADDRESSES  an entry is the driver's
 */
NTSTATUS address_space_prepare_map(AddressSpace *space, const Payer *payer,
				   const Placement *placement, const Mapping *mapping,
				   SpaceChange *ret, Failure *failure);

/*
 * Prepares the freeing of addresses that lie in one mapping or in one user reservation. Inside a
 * mapping, only the mapping is cut; a reservation around it remains. Otherwise that part of the
 * reservation is freed together with the mappings in it. A range that is split in two counts as
 * two.
 *
 * Returns STATUS_SUCCESS or:
 *   STATUS_INVALID_PARAMETER  not multiples of 4 KiB, or not inside one such range
 *   STATUS_QUOTA_EXCEEDED     a split would exceed a limit; checked before ranges are freed
 *   STATUS_NO_MEMORY          out of memory
 */
NTSTATUS address_space_prepare_free(AddressSpace *space, const Payer *payer, uint64_t base_address,
				    uint64_t size, SpaceChange *ret, Failure *failure);

/*
 * Commits the change, which cannot fail and takes O(log n). Calls removed, if it is not NULL, for
 * the range that is cut and then for mappings at the edges, as they were. The mappings between the
 * edges become garbage, for address_space_reap().
 */
void address_space_commit(AddressSpace *space, SpaceChange *change,
			  void (*removed)(void *context, const GpuRange *range), void *context);
void address_space_discard(AddressSpace *space, SpaceChange *change);

/*
 * Restores a user reservation or a mapping at its former addresses. Its size need not be a multiple
 * of 64 KiB, since a part may have been freed. Returns STATUS_SUCCESS, STATUS_NO_MEMORY, or
 * STATUS_INVALID_PARAMETER or STATUS_CONFLICTING_ADDRESSES if it does not fit.
 */
NTSTATUS address_space_restore(AddressSpace *space, const Payer *payer, const GpuRange *range,
			       Failure *failure);

/*
 * Prepares to point the level-1 entry that covers the address at a leaf table of the driver's.
 * page_table_address is in the driver's terms, and is not interpreted.
 *
 * Returns STATUS_SUCCESS or:
 *   STATUS_INVALID_PARAMETER      the address is past the end, or in no driver reservation
 *   STATUS_INVALID_DEVICE_STATE   the entry's table is not resident
 *   STATUS_QUOTA_EXCEEDED         a limit is reached
 *   STATUS_CONFLICTING_ADDRESSES  the entry is the manager's
 *   STATUS_NO_MEMORY              out of memory
 */
NTSTATUS address_space_prepare_entry(AddressSpace *space, const Payer *payer,
				     uint64_t virtual_address, uint64_t page_table_address,
				     EntryChange *ret, Failure *failure);
void address_space_commit_entry(AddressSpace *space, const EntryChange *change);
void address_space_discard_entry(AddressSpace *space, const EntryChange *change);

/*
 * Restores an entry of the driver's by its number. It is invalid afterwards. Returns
 * STATUS_SUCCESS, STATUS_NO_MEMORY, or STATUS_INVALID_PARAMETER if the driver cannot own this
 * entry.
 */
NTSTATUS address_space_restore_entry(AddressSpace *space, const Payer *payer, uint64_t number,
				     uint64_t serial, Failure *failure);

/*
 * Iterates over the driver's entries, valid or not, in ascending order. The cursor starts at 0.
 * Returns NULL at the end.
 */
const PageTableEntry *address_space_next_entry(const AddressSpace *space, uint64_t *cursor);

/*
 * Evict the level-1 table that covers the address, or make it resident; both are idempotent. When a
 * table becomes resident, the driver's and the unowned entries in it are invalid. Stores in
 * *ret_became_resident whether the table was not resident before, and in *ret_address the first
 * address that it covers.
 *
 * Return STATUS_SUCCESS or:
 *   STATUS_INVALID_PARAMETER  the address is past the end; or it is inside the first entry of a
 *                             root table above level 1, which points at no table
 *   STATUS_QUOTA_EXCEEDED     a limit is reached (evict only)
 *   STATUS_NO_MEMORY          out of memory (evict only)
 */
NTSTATUS address_space_evict(AddressSpace *space, const Payer *payer, uint64_t virtual_address,
			     Failure *failure);
NTSTATUS address_space_make_resident(AddressSpace *space, uint64_t virtual_address,
				     bool *ret_became_resident, uint64_t *ret_address,
				     Failure *failure);

typedef enum TranslationState {
	TRANSLATION_INVALID, /* free, or the first entry of the root table */
	TRANSLATION_RESERVED,
	TRANSLATION_DRIVER_PAGE_TABLE,
	TRANSLATION_NOT_RESIDENT, /* taken, but the level-1 table is evicted */
	TRANSLATION_USER_RESERVED,
	TRANSLATION_MAPPED,
	TRANSLATION_MAX,
} TranslationState;

typedef struct Translation {
	TranslationState state;
	uint64_t page_table_address; /* with TRANSLATION_DRIVER_PAGE_TABLE */
	GpuProtection protection;    /* this and the next members: with TRANSLATION_MAPPED */
	bool has_allocation;
	uint64_t allocation;
	uint64_t offset; /* of the address in the allocation, in bytes */
} Translation;

/*
 * Translates an address. Returns STATUS_SUCCESS, or STATUS_INVALID_PARAMETER if it is past the end.
 */
NTSTATUS address_space_translate(const AddressSpace *space, uint64_t virtual_address,
				 Translation *ret, Failure *failure);

/*
 * Iterates over all ranges in ascending order, a reservation before the mappings in it. The cursor
 * starts at 0, and stays valid if ranges change. Returns NULL at the end.
 */
const GpuRange *address_space_next(const AddressSpace *space, uint64_t *cursor);

/* Returns the number of ranges. */
uint64_t address_space_range_count(const AddressSpace *space);

/* Returns how much the space uses of the limit kind. */
uint64_t address_space_count(const AddressSpace *space, LimitKind kind);

/*
 * Returns how often the root table was replaced. With two levels its size is a power of two of
 * entries, at least two, that suffices for the highest range. A new size is a new root table, which
 * becomes resident, so that the driver's entries in it are invalid.
 */
uint64_t address_space_root_generation(const AddressSpace *space);

void address_space_check(const AddressSpace *space);

/* Internal to the address space: call after the outer ranges have changed. */
void address_space_fit_root_table(AddressSpace *space);

#endif
