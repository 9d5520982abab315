/* SPDX-License-Identifier: MIT */
/* Tests the addresses that can be freed, and the ranges that remain. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/macros.h"
#include "proto/status.h"
#include "tests/support/space-at-once.h"

TestSuite(address_free);

static const Payer payer = { .uid = 1000 };
static const GpuMmu mmu_48 = { 4, { 9, 9, 9, 9 } };

/* Pages after the first root entry. */
#define LOW      (UINT64_C(512) << 30)
#define END      (UINT64_C(1) << 48)
#define PAGE     GPU_PAGE_SIZE
#define AT(page) (LOW + (page)*PAGE)

/*
 * The initial ranges of each row, in pages:
 *     16 … 63    a reservation, with mappings at 16 … 19, 30 … 33 and 60 … 63
 *     64 … 79    another one, adjacent
 *     80 … 89    a mapping of free addresses, adjacent
 *   512 … 1023   a driver reservation, with a mapping at 600 … 609
 */
#define BEGINNING "U16-64 m16-20 m30-34 m60-64 U64-80 M80-90 D512-1024 m600-610"

static const struct {
	uint64_t base;
	uint64_t size;
	const char *parameter; /* in error; NULL if the call succeeds */
	const char *ranges;    /* the remaining ones; NULL if all remain */
} rows[] = {
	/* values */
	{ AT(16), 0, "sizeInBytes", NULL },
	{ AT(16), 1, "sizeInBytes", NULL },
	{ AT(16), PAGE - 1, "sizeInBytes", NULL },
	{ AT(16), PAGE + 1, "sizeInBytes", NULL },
	{ AT(16) + 1, PAGE, "baseAddress", NULL },
	{ AT(17) - 1, PAGE, "baseAddress", NULL },
	/* not in one range */
	{ 0, PAGE, "baseAddress", NULL },
	{ LOW - PAGE, PAGE, "baseAddress", NULL },
	{ LOW - PAGE, 2 * PAGE, "baseAddress", NULL },
	{ LOW, PAGE, "baseAddress", NULL },
	{ AT(15), PAGE, "baseAddress", NULL },
	{ AT(15), 2 * PAGE, "baseAddress", NULL },
	{ AT(63), 2 * PAGE, "baseAddress", NULL },
	{ AT(16), 64 * PAGE, "baseAddress", NULL },
	{ AT(79), 2 * PAGE, "baseAddress", NULL },
	{ AT(89), 2 * PAGE, "baseAddress", NULL },
	{ AT(90), PAGE, "baseAddress", NULL },
	{ AT(512), PAGE, "baseAddress", NULL },
	{ AT(512), 512 * PAGE, "baseAddress", NULL },
	{ AT(599), PAGE, "baseAddress", NULL },
	{ AT(599), 2 * PAGE, "baseAddress", NULL },
	{ AT(609), 2 * PAGE, "baseAddress", NULL },
	{ AT(610), PAGE, "baseAddress", NULL },
	/* the end of the space, and of 64 bits */
	{ END - PAGE, PAGE, "baseAddress", NULL },
	{ END - PAGE, 2 * PAGE, "baseAddress", NULL },
	{ END, PAGE, "baseAddress", NULL },
	{ UINT64_C(1) << 63, PAGE, "baseAddress", NULL },
	{ UINT64_C(1) << 63, UINT64_C(1) << 63, "baseAddress", NULL },
	{ UINT64_C(0) - PAGE, PAGE, "baseAddress", NULL },
	{ UINT64_C(0) - PAGE, 2 * PAGE, "baseAddress", NULL },
	{ AT(16), UINT64_C(0) - PAGE, "baseAddress", NULL },
	{ AT(16), UINT64_C(0) - AT(16), "baseAddress", NULL },
	{ AT(16), UINT64_C(0) - AT(16) + 2 * PAGE, "baseAddress", NULL },
	{ AT(16), UINT64_C(1) << 63, "baseAddress", NULL },
	/* in a mapping: only the mapping is cut */
	{ AT(16), 4 * PAGE, NULL, "U16-64 m30-34 m60-64 U64-80 M80-90 D512-1024 m600-610" },
	{ AT(30), PAGE, NULL, "U16-64 m16-20 m31-34+1 m60-64 U64-80 M80-90 D512-1024 m600-610" },
	{ AT(33), PAGE, NULL, "U16-64 m16-20 m30-33 m60-64 U64-80 M80-90 D512-1024 m600-610" },
	{ AT(31), PAGE, NULL,
	  "U16-64 m16-20 m30-31 m32-34+2 m60-64 U64-80 M80-90 D512-1024 m600-610" },
	{ AT(80), 10 * PAGE, NULL, "U16-64 m16-20 m30-34 m60-64 U64-80 D512-1024 m600-610" },
	{ AT(80), PAGE, NULL, "U16-64 m16-20 m30-34 m60-64 U64-80 M81-90+1 D512-1024 m600-610" },
	{ AT(89), PAGE, NULL, "U16-64 m16-20 m30-34 m60-64 U64-80 M80-89 D512-1024 m600-610" },
	{ AT(81), 8 * PAGE, NULL,
	  "U16-64 m16-20 m30-34 m60-64 U64-80 M80-81 M89-90+9 D512-1024 m600-610" },
	{ AT(600), 10 * PAGE, NULL, "U16-64 m16-20 m30-34 m60-64 U64-80 M80-90 D512-1024" },
	{ AT(604), PAGE, NULL,
	  "U16-64 m16-20 m30-34 m60-64 U64-80 M80-90 D512-1024 m600-604 m605-610+5" },
	/* not in a mapping: the reservation is cut, with the mappings in it */
	{ AT(16), 48 * PAGE, NULL, "U64-80 M80-90 D512-1024 m600-610" },
	{ AT(64), 16 * PAGE, NULL, "U16-64 m16-20 m30-34 m60-64 M80-90 D512-1024 m600-610" },
	{ AT(16), 5 * PAGE, NULL, "U21-64 m30-34 m60-64 U64-80 M80-90 D512-1024 m600-610" },
	{ AT(59), 5 * PAGE, NULL, "U16-59 m16-20 m30-34 U64-80 M80-90 D512-1024 m600-610" },
	{ AT(20), PAGE, NULL,
	  "U16-20 m16-20 U21-64 m30-34 m60-64 U64-80 M80-90 D512-1024 m600-610" },
	{ AT(28), 8 * PAGE, NULL, "U16-28 m16-20 U36-64 m60-64 U64-80 M80-90 D512-1024 m600-610" },
	{ AT(18), 3 * PAGE, NULL,
	  "U16-18 m16-18 U21-64 m30-34 m60-64 U64-80 M80-90 D512-1024 m600-610" },
	{ AT(29), 2 * PAGE, NULL,
	  "U16-29 m16-20 U31-64 m31-34+1 m60-64 U64-80 M80-90 D512-1024 m600-610" },
	{ AT(19), 12 * PAGE, NULL,
	  "U16-19 m16-19 U31-64 m31-34+1 m60-64 U64-80 M80-90 D512-1024 m600-610" },
	{ AT(17), 45 * PAGE, NULL,
	  "U16-17 m16-17 U62-64 m62-64+2 U64-80 M80-90 D512-1024 m600-610" },
	{ AT(63), PAGE, NULL, "U16-64 m16-20 m30-34 m60-63 U64-80 M80-90 D512-1024 m600-610" },
};

static void map_at(AddressSpace *space, uint64_t page, uint64_t pages)
{
	uint64_t address;
	Failure failure;

	cr_assert_eq(
		address_space_map(space, &payer,
				  &(Placement){ .size = pages * PAGE, .base_address = AT(page) },
				  &(Mapping){ .has_allocation = true, .allocation = page },
				  &address, &failure),
		STATUS_SUCCESS, "%s", failure.message);
}

static void space_init(AddressSpace *space, Accounts *accounts)
{
	uint64_t address;
	Failure failure;

	accounts_init(accounts, &limits_default);
	cr_assert(address_space_init(space, &mmu_48, accounts));
	address_space_reserve(space, &payer,
			      &(Placement){ .size = 48 * PAGE, .base_address = AT(16) }, &address,
			      &failure);
	address_space_reserve(space, &payer,
			      &(Placement){ .size = 16 * PAGE, .base_address = AT(64) }, &address,
			      &failure);
	address_space_reserve_for_driver(space, &payer,
					 &(DriverReservation){ .size = 512 * PAGE,
							       .base_address = AT(512),
							       .allow_user_mode_mapping = true },
					 &address, &failure);
	map_at(space, 16, 4);
	map_at(space, 30, 4);
	map_at(space, 60, 4);
	map_at(space, 80, 10);
	map_at(space, 600, 10);
}

/*
 * Describes the ranges. An `m` is a mapping inside a reservation, and the number after a plus is
 * its offset in pages.
 */
static void describe(const AddressSpace *space, char text[static 256])
{
	const uint64_t low = LOW / PAGE;
	const GpuRange *range;
	uint64_t cursor = 0, last_end = 0;
	size_t length = 0;

	text[0] = '\0';
	while ((range = address_space_next(space, &cursor))) {
		if (range->kind == GPU_RANGE_ROOT_ENTRY_ZERO)
			continue;
		bool is_inside = range->range.first < last_end;
		length += (size_t)snprintf(
			text + length, 256 - length, "%s%c%d-%d", length > 0 ? " " : "",
			is_inside ? 'm' : " DUM"[range->kind], (int)(range->range.first - low),
			(int)(range->range.end - low));
		if (range->kind == GPU_RANGE_MAPPING && range->offset > 0)
			length += (size_t)snprintf(text + length, 256 - length, "+%d",
						   (int)(range->offset / PAGE));
		if (!is_inside)
			last_end = range->range.end;
	}
}

Test(address_free, freeing_parts_of_ranges)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AddressSpace space;
		Accounts accounts;
		Failure failure = FAILURE_INIT;
		char text[256];

		space_init(&space, &accounts);
		NTSTATUS status =
			address_space_free(&space, &payer, rows[i].base, rows[i].size, &failure);
		cr_expect_eq(status, rows[i].parameter ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS,
			     "row %zu: %s %s", i, status_name(status), failure.message);
		if (rows[i].parameter)
			cr_expect_str_eq(failure.parameter, rows[i].parameter, "row %zu", i);
		describe(&space, text);
		cr_expect_str_eq(text, rows[i].ranges ? rows[i].ranges : BEGINNING, "row %zu", i);
		address_space_check(&space);
		address_space_deinit(&space);
		accounts_deinit(&accounts);
	}
}

/* The limit of a split is checked first, even if mappings are freed by the same call. */
Test(address_free, split_checks_the_limit_first)
{
	AddressSpace space;
	Accounts accounts;
	Failure failure = FAILURE_INIT;
	char text[256];

	space_init(&space, &accounts);
	accounts.limits.per_entity[LIMIT_USER_RANGES] = space.user_ranges.count;
	cr_expect_eq(address_space_free(&space, &payer, AT(29), 6 * PAGE, &failure),
		     STATUS_QUOTA_EXCEEDED);
	cr_expect_str_eq(failure.limit, "userRangesPerProcess");
	cr_expect_eq(failure.maximum, 7u);
	cr_expect_eq(failure.used, 7u);
	cr_expect_eq(address_space_free(&space, &payer, AT(85), PAGE, &failure),
		     STATUS_QUOTA_EXCEEDED);
	describe(&space, text);
	cr_expect_str_eq(text, BEGINNING, "a refused split changes nothing");
	cr_expect_eq(address_space_free(&space, &payer, AT(80), PAGE, &failure), STATUS_SUCCESS,
		     "trimming needs no further range");
	cr_expect_eq(address_space_free(&space, &payer, AT(16), 4 * PAGE, &failure),
		     STATUS_SUCCESS);
	cr_expect_eq(address_space_free(&space, &payer, AT(29), 6 * PAGE, &failure),
		     STATUS_SUCCESS);
	cr_expect_eq(space.user_ranges.count, 6u,
		     "the split adds one range, and two mappings are freed");
	address_space_check(&space);
	address_space_deinit(&space);
	accounts_deinit(&accounts);
}
