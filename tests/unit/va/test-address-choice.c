/* SPDX-License-Identifier: MIT */
/*
 * Tests the manager's choice of addresses between ranges, and conflicts of exact addresses. The
 * manager chooses the lowest place in the lowest gap of at least size + alignment - unit, or else
 * the lowest place that fits.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "proto/macros.h"
#include "proto/status.h"
#include "tests/support/space-at-once.h"

TestSuite(address_choice);

static const Payer payer = { .uid = 1000 };

/* Addresses are in pages after the first root entry. */
static const GpuMmu mmu_48 = { 4, { 9, 9, 9, 9 } };
#define LOW  (UINT64_C(512) << 30)
#define LEAF 512
#define UNIT 16 /* 64 KiB */
#define LAST ((UINT64_C(1) << 36) - (UINT64_C(1) << 27))

typedef struct Taken {
	uint64_t first;
	uint64_t pages;
} Taken;

typedef enum RangeUser { DRIVER, RESERVE, MAP } RangeUser;

static const struct {
	RangeUser user;
	uint64_t pages;
	uint64_t alignment; /* of a driver reservation, in pages */
	uint64_t base;      /* 0 if the manager chooses */
	uint64_t minimum;
	uint64_t maximum; /* 0 for the end */
	Taken taken[4];
	NTSTATUS status;
	uint64_t first;
} rows[] = {
	/* A gap of 64 KiB + 64 KiB - 4 KiB is generous; one page less is not. */
	{ RESERVE, UNIT, 0, 0, 0, 0, { { 16, 16 } }, 0, 32 },
	{ RESERVE, UNIT, 0, 0, 0, 0, { { 30, 16 } }, 0, 48 },
	{ RESERVE, UNIT, 0, 0, 0, 0, { { 31, 16 } }, 0, 0 },
	{ RESERVE, UNIT, 0, 0, 0, 0, { { 32, 16 } }, 0, 0 },
	{ RESERVE, 2 * UNIT, 0, 0, 0, 0, { { 46, 1 } }, 0, 48 },
	{ RESERVE, 2 * UNIT, 0, 0, 0, 0, { { 47, 1 } }, 0, 0 },
	/* The gap does not begin at a multiple of 64 KiB, but the place does. */
	{ RESERVE, UNIT, 0, 0, 0, 0, { { 0, 1 }, { 32, 1 } }, 0, 16 },
	{ RESERVE, UNIT, 0, 0, 0, 0, { { 0, 2 }, { 32, 1 } }, 0, 48 },
	{ RESERVE, UNIT, 0, 0, 0, 0, { { 0, 15 }, { 46, 1 } }, 0, 16 },
	/* No generous gap within the bounds: the lowest place that fits. */
	{ RESERVE, UNIT, 0, 0, 0, 46, { { 16, 16 } }, 0, 0 },
	{ RESERVE, UNIT, 0, 0, 0, 47, { { 16, 1 } }, 0, 0 },
	{ RESERVE, UNIT, 0, 0, 17, 48, { { 16, 1 } }, 0, 32 },
	{ RESERVE, UNIT, 0, 0, 18, 48, { { 16, 1 } }, 0, 32 },
	{ RESERVE, UNIT, 0, 0, 0, 47, { { 0, 1 }, { 31, 1 } }, STATUS_NO_MEMORY, 0 },
	{ RESERVE, UNIT, 0, 0, 0, 31, { { 1, 1 } }, STATUS_NO_MEMORY, 0 },
	{ RESERVE, UNIT, 0, 0, 0, 48, { { 1, 1 }, { 17, 1 } }, 0, 32 },
	/* Gaps are clipped to the bounds before their size is compared. */
	{ RESERVE, UNIT, 0, 0, 1, 0, { { 31, 1 } }, 0, 32 },
	{ RESERVE, UNIT, 0, 0, 1, 0, { { 32, 1 } }, 0, 16 },
	{ RESERVE, UNIT, 0, 0, 2, 0, { { 32, 1 } }, 0, 48 },
	{ RESERVE, UNIT, 0, 0, 2, 63, { { 32, 1 } }, 0, 16 },
	{ RESERVE, UNIT, 0, 0, 2, 64, { { 32, 1 } }, 0, 48 },
	{ RESERVE, UNIT, 0, 0, 100, 0, { { 0, 200 } }, 0, 208 },
	/* A mapping is only aligned to a page, so the first fit is chosen. */
	{ MAP, 1, 0, 0, 0, 0, { { 1, 1 } }, 0, 0 },
	{ MAP, 2, 0, 0, 0, 0, { { 1, 1 } }, 0, 2 },
	{ MAP, 2, 0, 0, 0, 0, { { 1, 1 }, { 4, 1 } }, 0, 2 },
	{ MAP, 3, 0, 0, 0, 0, { { 1, 1 }, { 4, 1 } }, 0, 5 },
	{ MAP, 1, 0, 0, 0, 2, { { 0, 2 } }, STATUS_NO_MEMORY, 0 },
	{ MAP, 2, 0, 0, 0, 4, { { 0, 2 } }, 0, 2 },
	{ MAP, 3, 0, 0, 0, 4, { { 0, 2 } }, STATUS_NO_MEMORY, 0 },
	{ MAP, 1, 0, 0, 0, 0, { { 0, LAST - 1 } }, 0, LAST - 1 },
	{ MAP, 2, 0, 0, 0, 0, { { 0, LAST - 1 } }, STATUS_NO_MEMORY, 0 },
	{ MAP, 1, 0, 0, 0, 0, { { 0, LAST } }, STATUS_NO_MEMORY, 0 },
	{ MAP, LAST - 1, 0, 0, 0, 0, { { LAST - 1, 1 } }, 0, 0 },
	{ MAP, LAST, 0, 0, 0, 0, { { LAST - 1, 1 } }, STATUS_NO_MEMORY, 0 },
	/* The unit of a driver is leaf coverage. */
	{ DRIVER, LEAF, 0, 0, 0, 0, { { LEAF, 1 } }, 0, 0 },
	{ DRIVER, LEAF, 2 * LEAF, 0, 0, 0, { { LEAF, LEAF } }, 0, 2 * LEAF },
	{ DRIVER, LEAF, 2 * LEAF, 0, 0, 0, { { 2 * LEAF, LEAF } }, 0, 0 },
	{ DRIVER, LEAF, 4 * LEAF, 0, 0, 0, { { 3 * LEAF, LEAF } }, 0, 4 * LEAF },
	{ DRIVER, LEAF, 4 * LEAF, 0, 0, 0, { { 4 * LEAF, LEAF } }, 0, 0 },
	{ DRIVER, LEAF, 0, 0, 0, 0, { { LEAF, LAST - LEAF } }, 0, 0 },
	{ DRIVER, LEAF, 2 * LEAF, 0, 0, 0, { { LEAF, LAST - LEAF } }, 0, 0 },
	{ DRIVER,
	  LEAF,
	  2 * LEAF,
	  0,
	  0,
	  0,
	  { { 0, LEAF }, { 2 * LEAF, LAST - 2 * LEAF } },
	  STATUS_NO_MEMORY,
	  0 },
	/* Exact addresses: adjacent, and overlapping by one page. */
	{ MAP, 1, 0, 9, 0, 0, { { 10, 10 } }, 0, 9 },
	{ MAP, 2, 0, 9, 0, 0, { { 10, 10 } }, STATUS_CONFLICTING_ADDRESSES, 0 },
	{ MAP, 1, 0, 10, 0, 0, { { 10, 10 } }, STATUS_CONFLICTING_ADDRESSES, 0 },
	{ MAP, 1, 0, 19, 0, 0, { { 10, 10 } }, STATUS_CONFLICTING_ADDRESSES, 0 },
	{ MAP, 1, 0, 20, 0, 0, { { 10, 10 } }, 0, 20 },
	{ MAP, 40, 0, 1, 0, 0, { { 10, 10 } }, STATUS_CONFLICTING_ADDRESSES, 0 },
	{ RESERVE, UNIT, 0, 16, 0, 0, { { 15, 1 }, { 32, 1 } }, 0, 16 },
	{ RESERVE, UNIT, 0, 16, 0, 0, { { 31, 1 } }, STATUS_CONFLICTING_ADDRESSES, 0 },
	{ RESERVE, UNIT, 0, 16, 0, 0, { { 16, 1 } }, STATUS_CONFLICTING_ADDRESSES, 0 },
	{ RESERVE, 4 * UNIT, 0, 16, 0, 0, { { 40, 1 } }, STATUS_CONFLICTING_ADDRESSES, 0 },
	{ DRIVER, LEAF, 0, LEAF, 0, 0, { { LEAF - 1, 1 }, { 2 * LEAF, 1 } }, 0, LEAF },
	{ DRIVER, LEAF, 0, LEAF, 0, 0, { { 2 * LEAF - 1, 1 } }, STATUS_CONFLICTING_ADDRESSES, 0 },
	{ DRIVER, LEAF, 0, LEAF, 0, 0, { { LEAF, 1 } }, STATUS_CONFLICTING_ADDRESSES, 0 },
};

/* Returns the address in bytes; 0 stays 0. */
static uint64_t address_of(uint64_t page)
{
	return page == 0 ? 0 : LOW + page * GPU_PAGE_SIZE;
}

static NTSTATUS request_range(AddressSpace *space, size_t row, uint64_t *ret_address,
			      Failure *failure)
{
	Placement placement = { .size = rows[row].pages * GPU_PAGE_SIZE,
				.base_address = address_of(rows[row].base),
				.minimum = address_of(rows[row].minimum),
				.maximum = rows[row].maximum > 0 ? address_of(rows[row].maximum)
								 : UINT64_MAX };
	DriverReservation reservation = { .size = placement.size,
					  .alignment = rows[row].alignment * GPU_PAGE_SIZE,
					  .base_address = placement.base_address };
	Mapping mapping = { .protection = GPU_PROTECTION_ZERO };

	switch (rows[row].user) {
	case DRIVER:
		return address_space_reserve_for_driver(space, &payer, &reservation, ret_address,
							failure);
	case RESERVE:
		return address_space_reserve(space, &payer, &placement, ret_address, failure);
	default:
		return address_space_map(space, &payer, &placement, &mapping, ret_address, failure);
	}
}

static void check_row(size_t row)
{
	Accounts accounts;
	AddressSpace space;
	uint64_t address = 0;
	Failure failure = FAILURE_INIT;

	accounts_init(&accounts, &limits_default);
	cr_assert(address_space_init(&space, &mmu_48, &accounts));
	for (const Taken *taken = rows[row].taken; taken->pages > 0; taken++)
		cr_assert_eq(
			address_space_map(
				&space, &payer,
				&(Placement){ .size = taken->pages * GPU_PAGE_SIZE,
					      .base_address = LOW + taken->first * GPU_PAGE_SIZE },
				&(Mapping){ .protection = GPU_PROTECTION_NO_ACCESS }, &address,
				&failure),
			STATUS_SUCCESS, "row %zu: %s", row, failure.message);
	uint64_t ranges = address_space_range_count(&space);
	NTSTATUS status = request_range(&space, row, &address, &failure);
	cr_expect_eq(status, rows[row].status, "row %zu: %s", row, status_name(status));
	if (status == STATUS_SUCCESS)
		cr_expect_eq(address, LOW + rows[row].first * GPU_PAGE_SIZE,
			     "row %zu: page %lld instead of %lld", row,
			     (long long)(address - LOW) / 4096, (long long)rows[row].first);
	cr_expect_eq(address_space_range_count(&space), ranges + (status == STATUS_SUCCESS),
		     "row %zu", row);
	address_space_check(&space);
	address_space_deinit(&space);
	accounts_deinit(&accounts);
}

Test(address_choice, chosen_and_exact_addresses_between_ranges)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(i);
}
