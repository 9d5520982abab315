/* SPDX-License-Identifier: MIT */
#ifndef TESTS_NAIVE_SPACE_H
#define TESTS_NAIVE_SPACE_H

#include "address-space.h"

/*
 * What address-space.h and account.h say, a second time and without any cleverness: arrays that are
 * searched from one end to the other. Written from those headers and the contract, not from the
 * code behind them, so that agreement of the two means something.
 */

/* Uids are 0 to NAIVE_UID_MAX - 1. */
#define NAIVE_UID_MAX       4
#define NAIVE_RANGE_MAX     2048
#define NAIVE_ENTRY_MAX     2048
#define NAIVE_PARAMETER_MAX 5

/* The books: what each uid uses; what all use is the sum. */
typedef struct NaiveBooks {
	Limits limits;
	uint64_t used[NAIVE_UID_MAX][LIMIT_MAX];
} NaiveBooks;

typedef struct NaiveTally {
	LimitKind kind;
	uint64_t count;
	bool is_charged; /* to the uid, which was the first to pay */
	uid_t uid;
} NaiveTally;

/* In pages. Mappings that lie inside a reservation are `inside`; nothing else ever overlaps. */
typedef struct NaiveRange {
	uint64_t first;
	uint64_t end;
	bool inside;
	GpuRangeKind kind;
	bool allow_user_mode_mapping;
	GpuProtection protection;
	bool has_allocation;
	uint64_t allocation;
	uint64_t offset; /* in pages, too */
} NaiveRange;

typedef struct NaiveEntry {
	uint64_t number;
	uint64_t page_table_address;
	bool is_valid;
} NaiveEntry;

/* What happened on the way, for whoever wants to know that it happens at all. */
typedef enum NaiveEvent {
	NAIVE_CHOSE_GENEROUS_GAP,
	NAIVE_CHOSE_ABOVE_LOWEST_FIT, /* a lower place would have fitted, in a gap too small */
	NAIVE_CHOSE_TIGHT_GAP,
	NAIVE_FOUND_NO_GAP,
	NAIVE_FILLED_GAP, /* from end to end */
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
	NaiveBooks *books;
	uint64_t *events;                   /* how often each happened */
	NaiveRange ranges[NAIVE_RANGE_MAX]; /* ascending, what encloses others before them */
	size_t range_count;
	NaiveEntry entries[NAIVE_ENTRY_MAX]; /* the driver's */
	size_t entry_count;
	uint64_t evicted[NAIVE_ENTRY_MAX]; /* numbers of tables */
	size_t evicted_count;
	NaiveTally driver_reservations;
	NaiveTally user_ranges;
	NaiveTally written;
	uint64_t root_entries; /* with two levels, else 0 */
	uint64_t root_generation;
} NaiveSpace;

typedef struct NaiveAnswer {
	NTSTATUS status;
	uint64_t address;
	bool became_resident;

	/* With STATUS_INVALID_PARAMETER and STATUS_CONFLICTING_ADDRESSES: all that are at fault,
	 * any of which may be named. */
	const char *parameters[NAIVE_PARAMETER_MAX];
	size_t parameter_count;

	/* With STATUS_QUOTA_EXCEEDED. */
	const char *limit;
	uint64_t maximum;
	uint64_t used;
} NaiveAnswer;

void naive_space_init(NaiveSpace *space, const GpuMmu *mmu, NaiveBooks *books, uint64_t *events);
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

/* Where things are, for who compares and for who rolls dice. */
uint64_t naive_space_pages(const NaiveSpace *space);
uint64_t naive_space_leaf_pages(const NaiveSpace *space);
uint64_t naive_space_table_pages(const NaiveSpace *space); /* of level 1; with two, all */
uint64_t naive_space_root_entry_pages(const NaiveSpace *space);

/* What comes next behind the range that was returned last, of which NULL is none yet. */
const NaiveRange *naive_space_next(const NaiveSpace *space, const NaiveRange *last);

/* Between the files of the model: what is taken has changed, so that the root may have to. */
void naive_tables_init(NaiveSpace *space);
void naive_tables_follow(NaiveSpace *space);
bool naive_tables_has_entry(const NaiveSpace *space, uint64_t first_page, uint64_t end_page);
NaiveAnswer naive_at_fault(NTSTATUS status, const char *parameter);

/* The books' part of it: naive-books.c. */
uint64_t naive_books_used(const NaiveBooks *books, LimitKind kind); /* by all */

/* Whether one more is allowed; if not, the answer says why. */
bool naive_tally_allows(const NaiveTally *tally, const NaiveBooks *books, const Payer *payer,
			NaiveAnswer *answer, uint64_t *events);
void naive_tally_take(NaiveTally *tally, NaiveBooks *books, const Payer *payer);
void naive_tally_return(NaiveTally *tally, NaiveBooks *books, uint64_t count);

#endif
