/* SPDX-License-Identifier: MIT */
/* Tests the owners of level-1 entries (unowned, driver, manager) and their conflicts. */
#include "proto/macros.h"
#include "tests/unit/va/space-fixture.h"

static SpaceFixture fixture;

static void set_up(void)
{
	fixture_init(&fixture, &four_levels);
}

static void tear_down(void)
{
	fixture_deinit(&fixture);
}

/* The tests of page_table_entries_repeated set up several address spaces. */
TestSuite(page_table_entries, .init = set_up, .fini = tear_down);

/* --- owners ---------------------------------------------------------------------------------- */

Test(page_table_entries, reserved_entries_are_initially_invalid)
{
	fixture_reserve_for_driver(&fixture, LOW, 2 * LEAF, true);
	cr_expect_eq(fixture_state(&fixture, LOW), TRANSLATION_RESERVED);
	cr_expect_eq(fixture_state(&fixture, LOW + 2 * LEAF - 1), TRANSLATION_RESERVED);
	cr_expect_eq(fixture_state(&fixture, LOW + 2 * LEAF), TRANSLATION_INVALID);
	cr_expect_eq(fixture_state(&fixture, LOW - 1), TRANSLATION_INVALID);
	cr_expect_eq(fixture_written(&fixture), 0u);
}

Test(page_table_entries, driver_sets_a_single_entry)
{
	fixture_reserve_for_driver(&fixture, LOW, 3 * LEAF, false);
	cr_assert_eq(fixture_set_entry(&fixture, LOW + LEAF + 12345, 0xabc), STATUS_SUCCESS);
	cr_expect_eq(fixture_state(&fixture, LOW + LEAF - 1), TRANSLATION_RESERVED);
	expect_drivers(&fixture, LOW + LEAF, 0xabc);
	expect_drivers(&fixture, LOW + 2 * LEAF - 1, 0xabc);
	cr_expect_eq(fixture_state(&fixture, LOW + 2 * LEAF), TRANSLATION_RESERVED);
	cr_expect_eq(fixture_written(&fixture), 1u);
	cr_assert_eq(fixture_set_entry(&fixture, LOW + LEAF, UINT64_MAX), STATUS_SUCCESS);
	expect_drivers(&fixture, LOW + LEAF, UINT64_MAX);
	cr_expect_eq(fixture_written(&fixture), 1u, "setting it again is not charged");
}

Test(page_table_entries, process_maps_next_to_the_drivers_entry)
{
	fixture_reserve_for_driver(&fixture, LOW, 3 * LEAF, true);
	cr_assert_eq(fixture_set_entry(&fixture, LOW + LEAF, 1), STATUS_SUCCESS);
	cr_expect_eq(fixture_map(&fixture, LOW + LEAF - GPU_PAGE_SIZE, GPU_PAGE_SIZE),
		     STATUS_SUCCESS);
	cr_expect_eq(fixture_map(&fixture, LOW + 2 * LEAF, LEAF), STATUS_SUCCESS);
	cr_expect_eq(fixture_state(&fixture, LOW + LEAF - 1), TRANSLATION_MAPPED);
	expect_drivers(&fixture, LOW + LEAF, 1);
	cr_expect_eq(fixture_state(&fixture, LOW + 2 * LEAF), TRANSLATION_MAPPED);
	cr_expect_eq(fixture_state(&fixture, LOW), TRANSLATION_RESERVED);
}

/* Mappings that overlap the driver's entry for the second of three leaf tables. */
static const struct {
	uint64_t base;
	uint64_t size;
} overlapping_mappings[] = {
	{ LOW + LEAF, GPU_PAGE_SIZE },
	{ LOW + 2 * LEAF - GPU_PAGE_SIZE, GPU_PAGE_SIZE },
	{ LOW + LEAF - GPU_PAGE_SIZE, 2 * GPU_PAGE_SIZE },
	{ LOW + 2 * LEAF - GPU_PAGE_SIZE, 2 * GPU_PAGE_SIZE },
	{ LOW + LEAF, LEAF },
	{ LOW, 3 * LEAF },
};

Test(page_table_entries_repeated, mapping_conflicts_with_the_drivers_entry)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(overlapping_mappings); i++) {
		size_t row = i / 2;
		bool is_valid = i % 2 == 0; /* an invalid entry is still the driver's */

		fixture_init(&fixture, &four_levels);
		fixture_reserve_for_driver(&fixture, LOW, 3 * LEAF, true);
		cr_assert_eq(fixture_set_entry(&fixture, LOW + LEAF, 1), STATUS_SUCCESS);
		if (!is_valid) {
			cr_assert_eq(fixture_evict(&fixture, LOW), STATUS_SUCCESS);
			cr_assert(fixture_make_resident(&fixture, LOW, LOW));
		}
		cr_expect_eq(fixture_map(&fixture, overlapping_mappings[row].base,
					 overlapping_mappings[row].size),
			     STATUS_CONFLICTING_ADDRESSES, "row %zu", row);
		cr_expect_str_eq(fixture.failure.parameter, "baseAddress");
		cr_expect_eq(address_space_range_count(&fixture.space), 2u, "row %zu", row);
		cr_expect_eq(fixture.space.user_ranges.count, 0u, "row %zu", row);
		cr_expect_eq(fixture_state(&fixture, LOW), TRANSLATION_RESERVED, "row %zu", row);
		cr_expect_eq(fixture_state(&fixture, LOW + LEAF),
			     is_valid ? TRANSLATION_DRIVER_PAGE_TABLE : TRANSLATION_RESERVED);
		fixture_deinit(&fixture);
	}
}

Test(page_table_entries, driver_conflicts_with_the_managers_entry)
{
	fixture_reserve_for_driver(&fixture, LOW, 3 * LEAF, true);
	cr_assert_eq(fixture_map(&fixture, LOW + LEAF - GPU_PAGE_SIZE, 2 * GPU_PAGE_SIZE),
		     STATUS_SUCCESS);
	cr_expect_eq(fixture_set_entry(&fixture, LOW, 1), STATUS_CONFLICTING_ADDRESSES);
	cr_expect_str_eq(fixture.failure.parameter, "virtualAddress");
	cr_expect_eq(fixture_set_entry(&fixture, LOW + 2 * LEAF - 1, 1),
		     STATUS_CONFLICTING_ADDRESSES);
	cr_expect_eq(fixture_set_entry(&fixture, LOW + 2 * LEAF, 1), STATUS_SUCCESS);
	cr_expect_eq(fixture_written(&fixture), 1u);
	cr_expect_eq(fixture_state(&fixture, LOW), TRANSLATION_RESERVED);
	cr_expect_eq(fixture_state(&fixture, LOW + LEAF), TRANSLATION_MAPPED);

	/* The entry is the manager's exactly while anything is mapped under it. */
	cr_assert_eq(fixture_unmap(&fixture, LOW + LEAF, GPU_PAGE_SIZE), STATUS_SUCCESS);
	cr_expect_eq(fixture_set_entry(&fixture, LOW, 1), STATUS_CONFLICTING_ADDRESSES);
	cr_expect_eq(fixture_set_entry(&fixture, LOW + LEAF, 2), STATUS_SUCCESS);
	cr_assert_eq(fixture_unmap(&fixture, LOW + LEAF - GPU_PAGE_SIZE, GPU_PAGE_SIZE),
		     STATUS_SUCCESS);
	cr_expect_eq(fixture_set_entry(&fixture, LOW, 3), STATUS_SUCCESS);
	expect_drivers(&fixture, LOW, 3);
	expect_drivers(&fixture, LOW + LEAF, 2);
}

Test(page_table_entries, mapping_needs_a_reservation_that_allows_it)
{
	fixture_reserve_for_driver(&fixture, LOW, LEAF, false);
	fixture_reserve_for_driver(&fixture, LOW + LEAF, LEAF, true);
	cr_expect_eq(fixture_map(&fixture, LOW, GPU_PAGE_SIZE), STATUS_CONFLICTING_ADDRESSES);
	cr_expect_eq(fixture_map(&fixture, LOW + LEAF, LEAF), STATUS_SUCCESS);
	cr_assert_eq(fixture_unmap(&fixture, LOW + LEAF, LEAF), STATUS_SUCCESS);
	cr_expect_eq(fixture_map(&fixture, LOW + LEAF - GPU_PAGE_SIZE, 2 * GPU_PAGE_SIZE),
		     STATUS_CONFLICTING_ADDRESSES, "only inside one reservation");
	cr_expect_eq(fixture_map(&fixture, LOW + 2 * LEAF - GPU_PAGE_SIZE, 2 * GPU_PAGE_SIZE),
		     STATUS_CONFLICTING_ADDRESSES, "not beyond its end");
}

/* --- addresses ------------------------------------------------------------------------------- */

static const struct {
	const GpuMmu *mmu;
	uint64_t address;
	NTSTATUS translate;
	NTSTATUS table; /* of evicting the table and making it resident */
	NTSTATUS set;
	uint64_t begins_at; /* address of the table */
} address_rows[] = {
	{ &four_levels, 0, STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER, 0 },
	{ &four_levels, LOW - 1, STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER,
	  0 },
	{ &four_levels, LOW, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS, LOW },
	{ &four_levels, LOW + LEAF - 1, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS, LOW },
	{ &four_levels, LOW + LEAF, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_INVALID_PARAMETER, LOW },
	{ &four_levels, LOW + TABLE - 1, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_INVALID_PARAMETER,
	  LOW },
	{ &four_levels, LOW + TABLE, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_INVALID_PARAMETER,
	  LOW + TABLE },
	{ &four_levels, END - LEAF - 1, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_INVALID_PARAMETER,
	  END - TABLE },
	{ &four_levels, END - LEAF, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS, END - TABLE },
	{ &four_levels, END - 1, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS, END - TABLE },
	{ &four_levels, END, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER,
	  STATUS_INVALID_PARAMETER, 0 },
	{ &four_levels, UINT64_C(1) << 63, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER,
	  STATUS_INVALID_PARAMETER, 0 },
	{ &four_levels, UINT64_MAX, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER,
	  STATUS_INVALID_PARAMETER, 0 },
	/* With two levels the root table covers the whole space. */
	{ &two_levels, 0, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_INVALID_PARAMETER, 0 },
	{ &two_levels, SMALL - 1, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_INVALID_PARAMETER, 0 },
	{ &two_levels, SMALL, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS, 0 },
	{ &two_levels, 4 * GiB - 1, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS, 0 },
	{ &two_levels, 4 * GiB, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER,
	  STATUS_INVALID_PARAMETER, 0 },
};

static void check_address_row(size_t row)
{
	uint64_t address = address_rows[row].address, first = 1;
	NTSTATUS table = address_rows[row].table;
	bool became_resident = false;
	Translation found;

	cr_expect_eq(address_space_translate(&fixture.space, address, &found, &fixture.failure),
		     address_rows[row].translate, "row %zu", row);
	cr_expect_eq(fixture_set_entry(&fixture, address, 1), address_rows[row].set, "row %zu",
		     row);
	if (address_rows[row].set != STATUS_SUCCESS)
		cr_expect_str_eq(fixture.failure.parameter, "virtualAddress", "row %zu", row);
	cr_expect_eq(fixture_evict(&fixture, address), table, "row %zu", row);
	cr_expect_eq(address_space_make_resident(&fixture.space, address, &became_resident, &first,
						 &fixture.failure),
		     table, "row %zu", row);
	cr_expect_eq(became_resident, table == STATUS_SUCCESS, "row %zu", row);
	if (table == STATUS_SUCCESS)
		cr_expect_eq(first, address_rows[row].begins_at, "row %zu", row);
	else
		cr_expect_str_eq(fixture.failure.parameter, "virtualAddress", "row %zu", row);
}

Test(page_table_entries_repeated, address_limits)
{
	for (size_t i = 0; i < ARRAY_SIZE(address_rows); i++) {
		bool is_small = address_rows[i].mmu == &two_levels;
		uint64_t leaf = is_small ? SMALL : LEAF;

		fixture_init(&fixture, address_rows[i].mmu);
		fixture_reserve_for_driver(&fixture, is_small ? SMALL : LOW, leaf, true);
		fixture_reserve_for_driver(&fixture, (is_small ? 4 * GiB : END) - leaf, leaf, true);
		check_address_row(i);
		fixture_deinit(&fixture);
	}
}

/* A table that is not resident is reported before an address that is not reserved. */
Test(page_table_entries, entry_of_an_evicted_table_cannot_be_set)
{
	fixture_reserve_for_driver(&fixture, LOW, LEAF, true);
	cr_assert_eq(fixture_evict(&fixture, LOW + TABLE - 1), STATUS_SUCCESS);
	cr_expect_eq(fixture_set_entry(&fixture, LOW, 1), STATUS_INVALID_DEVICE_STATE);
	cr_expect_eq(fixture_set_entry(&fixture, LOW + LEAF, 1), STATUS_INVALID_DEVICE_STATE);
	cr_expect_eq(fixture_set_entry(&fixture, LOW + TABLE, 1), STATUS_INVALID_PARAMETER);
	cr_expect_eq(fixture_set_entry(&fixture, END, 1), STATUS_INVALID_PARAMETER);
	cr_expect(fixture_make_resident(&fixture, LOW, LOW));
	cr_expect_eq(fixture_set_entry(&fixture, LOW, 1), STATUS_SUCCESS);
}
