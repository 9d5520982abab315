/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SPACE_FIXTURE_H
#define TESTS_SPACE_FIXTURE_H

#include <criterion/criterion.h>

#include "address-space.h"

/* An address space to set, evict and map in, and short words for that. */
typedef struct SpaceFixture {
	Accounts accounts;
	AddressSpace space;
	Failure failure; /* the last */
} SpaceFixture;

/* Whoever does anything in it. */
extern const Payer fixture_payer;

extern const GpuMmu four_levels;
extern const GpuMmu two_levels;

#define MiB (UINT64_C(1) << 20)
#define GiB (UINT64_C(1) << 30)

/* With four levels: the first root entry ends at LOW, a leaf covers LEAF, a level-1 table TABLE. */
#define LOW   (512 * GiB)
#define LEAF  (2 * MiB)
#define TABLE GiB
#define END   (UINT64_C(1) << 48)

/* With two: an entry of the root, which is the level-1 table, covers SMALL. */
#define SMALL (4 * MiB)

void fixture_init(SpaceFixture *fixture, const GpuMmu *mmu);

/* By then the driver's entries and what is evicted are charged, and all of it comes back. */
void fixture_deinit(SpaceFixture *fixture);

/* Has to work, at that base. */
void fixture_reserve_for_driver(SpaceFixture *fixture, uint64_t base, uint64_t size, bool allow);

/* A mapping of allocation 7, from 1 MiB of it on, to be read and written. */
NTSTATUS fixture_map(SpaceFixture *fixture, uint64_t base, uint64_t size);
NTSTATUS fixture_unmap(SpaceFixture *fixture, uint64_t base, uint64_t size);
NTSTATUS fixture_set(SpaceFixture *fixture, uint64_t address, uint64_t page_table);
NTSTATUS fixture_evict(SpaceFixture *fixture, uint64_t address);

/* Whether the table became resident, which begins at the address. */
bool fixture_make_resident(SpaceFixture *fixture, uint64_t address, uint64_t begins_at);

Translation fixture_translation(SpaceFixture *fixture, uint64_t address);
TranslationState fixture_state(SpaceFixture *fixture, uint64_t address);

/* How many entries and evicted tables are charged. */
uint64_t fixture_written(SpaceFixture *fixture);

/* The address translates to that page table of the driver's. */
#define expect_drivers(fixture, address, page_table)                             \
	do {                                                                     \
		Translation _found = fixture_translation(fixture, address);      \
		cr_expect_eq(_found.state, TRANSLATION_DRIVER_PAGE_TABLE);       \
		cr_expect_eq(_found.page_table_address, (uint64_t)(page_table)); \
	} while (0)

#endif
