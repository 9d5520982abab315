/* SPDX-License-Identifier: MIT */
/* Tests the eviction of level-1 tables, and the replacement of a two-level root table. */
#include "proto/macros.h"
#include "tests/unit/va/space-fixture.h"

static SpaceFixture fixture;

static void set_up(void)
{
	fixture_init(&fixture, &four_levels);
}

static void set_up_two_levels(void)
{
	fixture_init(&fixture, &two_levels);
}

static void tear_down(void)
{
	fixture_deinit(&fixture);
}

TestSuite(page_table_residency, .init = set_up, .fini = tear_down);
TestSuite(page_table_residency_two_levels, .init = set_up_two_levels, .fini = tear_down);

Test(page_table_residency, eviction_affects_one_table)
{
	fixture_reserve_for_driver(&fixture, LOW, 2 * LEAF, true);
	fixture_reserve_for_driver(&fixture, LOW + TABLE, LEAF, true);
	cr_assert_eq(fixture_set_entry(&fixture, LOW, 1), STATUS_SUCCESS);
	cr_assert_eq(fixture_set_entry(&fixture, LOW + TABLE, 2), STATUS_SUCCESS);
	cr_assert_eq(fixture_map(&fixture, LOW + TABLE - 2 * LEAF, LEAF), STATUS_SUCCESS);
	cr_assert_eq(fixture_evict(&fixture, LOW + 123 * LEAF), STATUS_SUCCESS);
	cr_expect_eq(fixture_state(&fixture, LOW), TRANSLATION_NOT_RESIDENT);
	cr_expect_eq(fixture_state(&fixture, LOW + LEAF), TRANSLATION_NOT_RESIDENT);
	cr_expect_eq(fixture_state(&fixture, LOW + TABLE - 2 * LEAF), TRANSLATION_NOT_RESIDENT);
	cr_expect_eq(fixture_state(&fixture, LOW + 2 * LEAF), TRANSLATION_INVALID,
		     "free addresses remain invalid");
	cr_expect_eq(fixture_state(&fixture, LOW + TABLE - 1), TRANSLATION_INVALID);
	cr_expect_eq(fixture_state(&fixture, LOW - 1), TRANSLATION_INVALID);
	expect_drivers(&fixture, LOW + TABLE, 2);
}

Test(page_table_residency, driver_entries_become_invalid_with_residency)
{
	fixture_reserve_for_driver(&fixture, LOW, 3 * LEAF, true);
	fixture_reserve_for_driver(&fixture, LOW + TABLE, LEAF, true);
	cr_assert_eq(fixture_set_entry(&fixture, LOW, 1), STATUS_SUCCESS);
	cr_assert_eq(fixture_set_entry(&fixture, LOW + TABLE, 2), STATUS_SUCCESS);
	cr_assert_eq(fixture_map(&fixture, LOW + LEAF, 4 * GPU_PAGE_SIZE), STATUS_SUCCESS);
	cr_assert_eq(fixture_evict(&fixture, LOW), STATUS_SUCCESS);
	cr_assert(fixture_make_resident(&fixture, LOW + TABLE - 1, LOW));

	cr_expect_eq(fixture_state(&fixture, LOW), TRANSLATION_RESERVED,
		     "the driver's entry is invalid");
	cr_expect_eq(fixture_state(&fixture, LOW + 2 * LEAF), TRANSLATION_RESERVED,
		     "the unowned entry is invalid");
	Translation found = fixture_translation(&fixture, LOW + LEAF + 3 * GPU_PAGE_SIZE + 5);
	cr_expect_eq(found.state, TRANSLATION_MAPPED, "the manager's entry is valid again");
	cr_expect_eq(found.protection, GPU_PROTECTION_READ_WRITE);
	cr_expect_eq(found.allocation, 7u);
	cr_expect_eq(found.offset, MiB + 3 * GPU_PAGE_SIZE + 5);
	expect_drivers(&fixture, LOW + TABLE, 2);
	cr_expect_eq(fixture_set_entry(&fixture, LOW, 4), STATUS_SUCCESS);
	expect_drivers(&fixture, LOW, 4);
	cr_expect_eq(fixture_written(&fixture), 2u, "the entry remained the driver's");
}

Test(page_table_residency, evict_and_make_resident_are_idempotent)
{
	fixture_reserve_for_driver(&fixture, LOW, LEAF, true);
	cr_assert_eq(fixture_set_entry(&fixture, LOW, 1), STATUS_SUCCESS);
	cr_expect_not(fixture_make_resident(&fixture, LOW, LOW), "it was resident already");
	expect_drivers(&fixture, LOW, 1);
	cr_assert_eq(fixture_evict(&fixture, LOW), STATUS_SUCCESS);
	cr_assert_eq(fixture_evict(&fixture, LOW + TABLE - 1), STATUS_SUCCESS);
	cr_expect_eq(fixture_written(&fixture), 2u);
	cr_expect(fixture_make_resident(&fixture, LOW, LOW));
	cr_expect_eq(fixture_written(&fixture), 1u);
	cr_assert_eq(fixture_set_entry(&fixture, LOW, 2), STATUS_SUCCESS);
	cr_expect_not(fixture_make_resident(&fixture, LOW, LOW));
	expect_drivers(&fixture, LOW, 2);
}

Test(page_table_residency, limit_counts_entries_and_evicted_tables)
{
	fixture.accounts.limits.per_entity[LIMIT_PAGE_TABLE_ENTRIES] = 2;
	fixture_reserve_for_driver(&fixture, LOW, 3 * LEAF, true);
	cr_assert_eq(fixture_map(&fixture, LOW + 2 * LEAF, GPU_PAGE_SIZE), STATUS_SUCCESS);
	cr_assert_eq(fixture_set_entry(&fixture, LOW, 1), STATUS_SUCCESS);
	cr_assert_eq(fixture_evict(&fixture, LOW + TABLE), STATUS_SUCCESS);
	cr_expect_eq(fixture_set_entry(&fixture, LOW + LEAF, 1), STATUS_QUOTA_EXCEEDED);
	cr_expect_str_eq(fixture.failure.limit, "pageTableEntriesPerProcess");
	cr_expect_eq(fixture_state(&fixture, LOW + LEAF), TRANSLATION_RESERVED);
	cr_expect_eq(fixture_set_entry(&fixture, LOW + 2 * LEAF, 1), STATUS_QUOTA_EXCEEDED,
		     "the limit is checked before conflicts");
	cr_expect_eq(fixture_evict(&fixture, LOW), STATUS_QUOTA_EXCEEDED);
	expect_drivers(&fixture, LOW, 1);
	cr_expect_eq(fixture_set_entry(&fixture, LOW, 2), STATUS_SUCCESS,
		     "the entry is charged already");
	cr_expect_eq(fixture_evict(&fixture, LOW + TABLE), STATUS_SUCCESS,
		     "the table is charged already");
	cr_assert(fixture_make_resident(&fixture, LOW + TABLE, LOW + TABLE));
	cr_expect_eq(fixture_set_entry(&fixture, LOW + LEAF, 1), STATUS_SUCCESS);
}

/* --- two levels ------------------------------------------------------------------------------ */

/* The size of the root table for a range that ends at that entry. */
static const struct {
	uint64_t end;
	uint64_t entries;
} root_rows[] = {
	{ 2, 2 },   { 3, 4 },   { 4, 4 },     { 5, 8 },      { 8, 8 },       { 9, 16 },
	{ 16, 16 }, { 17, 32 }, { 512, 512 }, { 513, 1024 }, { 1023, 1024 }, { 1024, 1024 },
};

Test(page_table_residency_repeated, root_table_size_follows_the_highest_range)
{
	for (size_t i = 0; i < ARRAY_SIZE(root_rows); i++) {
		uint64_t entries = root_rows[i].entries;

		set_up_two_levels();
		cr_expect_eq(fixture.space.page_tables.root_entries, 2u, "the minimum");
		/* Map the first page of the last entry, so that its number is rounded up. */
		cr_assert_eq(fixture_map(&fixture, root_rows[i].end * SMALL - SMALL, GPU_PAGE_SIZE),
			     STATUS_SUCCESS);
		cr_expect_eq(fixture.space.page_tables.root_entries, entries, "row %zu", i);
		cr_expect_eq(address_space_root_generation(&fixture.space), entries > 2 ? 1u : 0u,
			     "row %zu", i);
		cr_assert_eq(
			fixture_unmap(&fixture, root_rows[i].end * SMALL - SMALL, GPU_PAGE_SIZE),
			STATUS_SUCCESS);
		cr_expect_eq(fixture.space.page_tables.root_entries, 2u, "row %zu", i);
		cr_expect_eq(address_space_root_generation(&fixture.space), entries > 2 ? 2u : 0u,
			     "row %zu", i);
		tear_down();
	}
}

Test(page_table_residency_two_levels, resized_root_table_is_replaced)
{
	fixture_reserve_for_driver(&fixture, SMALL, SMALL, true);
	cr_assert_eq(fixture_set_entry(&fixture, SMALL, 1), STATUS_SUCCESS);
	expect_drivers(&fixture, SMALL, 1);
	cr_assert_eq(fixture_map(&fixture, 2 * SMALL, GPU_PAGE_SIZE),
		     STATUS_SUCCESS); /* 4 entries */
	cr_expect_eq(fixture_state(&fixture, SMALL), TRANSLATION_RESERVED, "the root table grew");
	cr_assert_eq(fixture_set_entry(&fixture, SMALL, 2), STATUS_SUCCESS);
	cr_assert_eq(fixture_map(&fixture, 3 * SMALL, GPU_PAGE_SIZE),
		     STATUS_SUCCESS); /* still 4 entries */
	cr_assert_eq(fixture_unmap(&fixture, 3 * SMALL, GPU_PAGE_SIZE), STATUS_SUCCESS);
	expect_drivers(&fixture, SMALL, 2);
	cr_assert_eq(fixture_unmap(&fixture, 2 * SMALL, GPU_PAGE_SIZE), STATUS_SUCCESS);
	cr_expect_eq(fixture_state(&fixture, SMALL), TRANSLATION_RESERVED, "the root table shrank");
	cr_expect_eq(address_space_root_generation(&fixture.space), 2u);
	cr_expect_eq(fixture_map(&fixture, SMALL, GPU_PAGE_SIZE), STATUS_CONFLICTING_ADDRESSES,
		     "the entry remains the driver's");
	cr_expect_eq(fixture_written(&fixture), 1u);
}

Test(page_table_residency_two_levels, new_root_table_is_resident)
{
	fixture_reserve_for_driver(&fixture, SMALL, SMALL, true);
	cr_assert_eq(fixture_map(&fixture, SMALL, GPU_PAGE_SIZE), STATUS_SUCCESS);
	cr_assert_eq(fixture_evict(&fixture, 0), STATUS_SUCCESS);
	cr_expect_eq(fixture_state(&fixture, SMALL), TRANSLATION_NOT_RESIDENT);
	cr_expect_eq(fixture_set_entry(&fixture, 0, 1), STATUS_INVALID_DEVICE_STATE);
	cr_expect_eq(fixture_written(&fixture), 1u);
	cr_assert_eq(fixture_map(&fixture, 2 * SMALL, GPU_PAGE_SIZE), STATUS_SUCCESS);
	cr_expect_eq(fixture_state(&fixture, SMALL), TRANSLATION_MAPPED);
	cr_expect_eq(fixture_written(&fixture), 0u, "the charge of the evicted table was returned");
	cr_expect_not(fixture_make_resident(&fixture, 4 * GiB - 1, 0), "it is resident already");
}
