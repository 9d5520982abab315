/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_NAIVE_SPACE_H
#define TESTS_MODEL_NAIVE_SPACE_H

#include "daemon/core/va/address-space.h"

/*
 * A second implementation of address-space.h and account.h, as simple as possible: arrays that are
 * searched linearly. It is written from those headers and the documentation, not from their
 * implementation, so that a comparison of the two is meaningful.
 */

/* Uids are 0 to NAIVE_UID_MAX - 1. */
#define NAIVE_UID_MAX       4
#define NAIVE_RANGE_MAX     2048
#define NAIVE_ENTRY_MAX     2048
#define NAIVE_PARAMETER_MAX 5

/* The use of each limit by each uid, as an operator (1) and otherwise (0). The sum is all use. */
typedef struct NaiveAccounts {
	Limits limits;
	uint64_t used[NAIVE_UID_MAX][2][LIMIT_MAX];
} NaiveAccounts;

typedef struct NaiveTally {
	LimitKind kind;
	uint64_t count;
	bool is_charged; /* to the first payer */
	Payer payer;
} NaiveTally;

/* A range, in pages. A mapping inside a reservation has inside set. Other ranges never overlap. */
typedef struct NaiveRange {
	uint64_t first;
	uint64_t end;
	bool inside;
	GpuRangeKind kind;
	bool allow_user_mode_mapping;
	GpuProtection protection;
	bool has_allocation;
	uint64_t allocation;
	uint64_t offset; /* in pages */
} NaiveRange;

typedef struct FakeStoreEntry {
	uint64_t number;
	uint64_t page_table_address;
	bool is_valid;
} FakeStoreEntry;

/* Events that the test counts, in order to prove that they occur. */
typedef enum NaiveEvent {
	NAIVE_CHOSE_GENEROUS_GAP,
	NAIVE_CHOSE_ABOVE_LOWEST_FIT, /* a lower place would fit, but its gap is not generous */
	NAIVE_CHOSE_TIGHT_GAP,
	NAIVE_FOUND_NO_GAP,
	NAIVE_FILLED_GAP, /* completely */
	NAIVE_REMOVED,
	NAIVE_TRIMMED_FRONT,
	NAIVE_TRIMMED_BACK,
	NAIVE_SPLIT_MAPPING,
	NAIVE_SPLIT_RESERVATION,
	NAIVE_TRIMMED_UNDER_RESERVATION,
	NAIVE_REMOVED_UNDER_RESERVATION,
	NAIVE_REFUSED_SPLIT,
	NAIVE_MAPPED_FREE,
	NAIVE_MAPPED_IN_USER_RESERVATION,
	NAIVE_MAPPED_IN_DRIVER_RESERVATION,
	NAIVE_MET_DRIVERS_ENTRY,
	NAIVE_MET_MANAGERS_ENTRY,
	NAIVE_SET_AGAIN,
	NAIVE_INVALIDATED_ENTRY,
	NAIVE_EVICTED_AGAIN,
	NAIVE_ROOT_GREW,
	NAIVE_ROOT_SHRANK,
	NAIVE_ROOT_DROPPED_EVICTION,
	NAIVE_LIMIT_OF_OWNER,
	NAIVE_LIMIT_OF_UID,
	NAIVE_LIMIT_OF_ALL,
	NAIVE_EVENT_MAX,
} NaiveEvent;

typedef struct NaiveSpace {
	GpuMmu mmu;
	NaiveAccounts *naive_accounts;
	uint64_t *events;                   /* count of each */
	NaiveRange ranges[NAIVE_RANGE_MAX]; /* ascending, a reservation before the mappings in it */
	size_t range_count;
	FakeStoreEntry entries[NAIVE_ENTRY_MAX]; /* set by the driver */
	size_t entry_count;
	uint64_t evicted[NAIVE_ENTRY_MAX]; /* table numbers */
	size_t evicted_count;
	NaiveTally driver_reservations;
	NaiveTally user_ranges;
	NaiveTally written;
	uint64_t root_entries; /* 0 with more than two levels */
	uint64_t root_generation;
} NaiveSpace;

typedef struct NaiveAnswer {
	NTSTATUS status;
	uint64_t address;
	bool became_resident;

	/*
	 * All parameters in error for STATUS_INVALID_PARAMETER or STATUS_CONFLICTING_ADDRESSES. The
	 * failure may name any of them.
	 */
	const char *parameters[NAIVE_PARAMETER_MAX];
	size_t parameter_count;

	/* For STATUS_QUOTA_EXCEEDED. */
	const char *limit;
	uint64_t maximum;
	uint64_t used;
} NaiveAnswer;

void naive_space_init(NaiveSpace *space, const GpuMmu *mmu, NaiveAccounts *naive_accounts,
		      uint64_t *events);
void naive_space_deinit(NaiveSpace *space);

NaiveAnswer naive_space_reserve_for_driver(NaiveSpace *space, const Payer *payer,
					   const DriverReservation *reservation);
NaiveAnswer naive_space_reserve(NaiveSpace *space, const Payer *payer, const Placement *placement);
NaiveAnswer naive_space_map(NaiveSpace *space, const Payer *payer, const Placement *placement,
			    const Mapping *mapping);
NaiveAnswer naive_space_free(NaiveSpace *space, const Payer *payer, uint64_t base_address,
			     uint64_t size);
NaiveAnswer naive_space_set_entry(NaiveSpace *space, const Payer *payer, uint64_t virtual_address,
				  uint64_t page_table_address);
NaiveAnswer naive_space_evict(NaiveSpace *space, const Payer *payer, uint64_t virtual_address);
NaiveAnswer naive_space_make_resident(NaiveSpace *space, uint64_t virtual_address);
NaiveAnswer naive_space_translate(const NaiveSpace *space, uint64_t virtual_address,
				  Translation *ret);

/* The layout of the space, for comparison and random requests. */
uint64_t naive_space_pages(const NaiveSpace *space);
uint64_t naive_space_leaf_pages(const NaiveSpace *space);
uint64_t naive_space_table_pages(const NaiveSpace *space); /* of a level-1 table */
uint64_t naive_space_root_entry_pages(const NaiveSpace *space);

/* Returns the range after last, or the first if last is NULL. Returns NULL at the end. */
const NaiveRange *naive_space_next(const NaiveSpace *space, const NaiveRange *last);

/* Internal to the model: resizes the root table after the ranges have changed. */
void naive_tables_init(NaiveSpace *space);
void naive_tables_resize_root(NaiveSpace *space);
bool naive_tables_has_entry(const NaiveSpace *space, uint64_t first_page, uint64_t end_page);
NaiveAnswer naive_fault(NTSTATUS status, const char *parameter);

/* Accounting, in naive-accounts.c. */
uint64_t naive_accounts_used(const NaiveAccounts *naive_accounts,
			     LimitKind kind); /* by all payers */

/* Tests whether one more is allowed. If not, stores the reason in the answer. */
bool naive_tally_allows(const NaiveTally *tally, const NaiveAccounts *naive_accounts,
			const Payer *payer, NaiveAnswer *answer, uint64_t *events);
void naive_tally_take(NaiveTally *tally, NaiveAccounts *naive_accounts, const Payer *payer);
void naive_tally_return(NaiveTally *tally, NaiveAccounts *naive_accounts, uint64_t count);

#endif
