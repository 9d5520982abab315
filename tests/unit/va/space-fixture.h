/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_VA_SPACE_FIXTURE_H
#define TESTS_UNIT_VA_SPACE_FIXTURE_H

#include <criterion/criterion.h>

#include "daemon/core/va/address-space.h"

/* An address space, and short functions for its operations. */
typedef struct SpaceFixture {
	Accounts accounts;
	AddressSpace space;
	Failure failure; /* of the last operation */
} SpaceFixture;

/* The payer of all operations. */
extern const Payer fixture_payer;

extern const GpuMmu four_levels;
extern const GpuMmu two_levels;

#define MiB (UINT64_C(1) << 20)
#define GiB (UINT64_C(1) << 30)

/*
 * With four levels: the end of the first root entry (LOW), the coverage of a leaf table (LEAF) and
 * of a level-1 table (TABLE), and the end of the space.
 */
#define LOW   (512 * GiB)
#define LEAF  (2 * MiB)
#define TABLE GiB
#define END   (UINT64_C(1) << 48)

/* With two levels: the coverage of an entry of the root table, which is the level-1 table. */
#define SMALL (4 * MiB)

void fixture_init(SpaceFixture *fixture, const GpuMmu *mmu);

/* Checks that all charges are returned. */
void fixture_deinit(SpaceFixture *fixture);

/* Asserts that the reservation succeeds at that base. */
void fixture_reserve_for_driver(SpaceFixture *fixture, uint64_t base, uint64_t size, bool allow);

/* Maps allocation 7 at an offset of 1 MiB, for reading and writing. */
NTSTATUS fixture_map(SpaceFixture *fixture, uint64_t base, uint64_t size);
NTSTATUS fixture_unmap(SpaceFixture *fixture, uint64_t base, uint64_t size);
NTSTATUS fixture_set_entry(SpaceFixture *fixture, uint64_t address, uint64_t page_table);
NTSTATUS fixture_evict(SpaceFixture *fixture, uint64_t address);

/*
 * Makes the table that covers address resident. Asserts that it begins at begins_at. Returns
 * whether it became resident.
 */
bool fixture_make_resident(SpaceFixture *fixture, uint64_t address, uint64_t begins_at);

Translation fixture_translation(SpaceFixture *fixture, uint64_t address);
TranslationState fixture_state(SpaceFixture *fixture, uint64_t address);

/* Returns the number of charged entries and evicted tables. */
uint64_t fixture_written(SpaceFixture *fixture);

/* Expects the address to translate to that leaf table of the driver's. */
#define expect_drivers(fixture, address, page_table)                             \
	do {                                                                     \
		Translation _found = fixture_translation(fixture, address);      \
		cr_expect_eq(_found.state, TRANSLATION_DRIVER_PAGE_TABLE);       \
		cr_expect_eq(_found.page_table_address, (uint64_t)(page_table)); \
	} while (0)

#endif
