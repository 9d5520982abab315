/* SPDX-License-Identifier: MIT */
/*
 * Tests sizes, bases, alignments and bounds just below, at and just above each limit of an address
 * space, for GPU MMUs of 32 to 57 bits with 2 to 6 levels. Each row is one call in a new space.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/macros.h"
#include "proto/status.h"
#include "tests/support/space-at-once.h"

TestSuite(address_boundaries);

#define KiB           (UINT64_C(1) << 10)
#define MiB           (UINT64_C(1) << 20)
#define GiB           (UINT64_C(1) << 30)
#define POWER(number) (UINT64_C(1) << (number))
#define BELOW_ZERO(n) (UINT64_C(0) - (n)) /* 2^64 - n */

#define DONE    STATUS_SUCCESS
#define INVALID STATUS_INVALID_PARAMETER
#define NO_ROOM STATUS_NO_MEMORY

/* Named after the number of bits and the number of levels. */
static const GpuMmu mmu_32_2 = { 2, { 10, 10 } };
static const GpuMmu mmu_32_2_small_leaf = { 2, { 1, 19 } };
static const GpuMmu mmu_40_3 = { 3, { 9, 9, 10 } };
static const GpuMmu mmu_47_5 = { 5, { 9, 9, 9, 4, 4 } };
static const GpuMmu mmu_48_4 = { 4, { 9, 9, 9, 9 } };
static const GpuMmu mmu_57_5 = { 5, { 9, 9, 9, 9, 9 } };
static const GpuMmu mmu_57_6 = { 6, { 8, 8, 8, 7, 7, 7 } };
static const GpuMmu mmu_57_2 = { 2, { 21, 24 } };

/* The end of the first root entry (LOW) and of the space (END). */
#define LOW_32  (4 * MiB)
#define END_32  POWER(32)
#define LOW_40  GiB
#define END_40  POWER(40)
#define LOW_47  POWER(43)
#define END_47  POWER(47)
#define LOW_48  (512 * GiB)
#define END_48  POWER(48)
#define LOW_57  POWER(48) /* five levels */
#define LOW_576 POWER(50) /* six levels */
#define LOW_572 POWER(33) /* two levels */
#define END_57  POWER(57)

#define LEAF (2 * MiB) /* with a leaf index of nine bits */

static const Payer payer = { .uid = 1000 };

typedef struct Fixture {
	Accounts accounts;
	AddressSpace space;
} Fixture;

static void fixture_init(Fixture *fixture, const GpuMmu *mmu)
{
	accounts_init(&fixture->accounts, &limits_default);
	cr_assert(address_space_init(&fixture->space, mmu, &fixture->accounts));
}

static void fixture_deinit(Fixture *fixture)
{
	address_space_check(&fixture->space);
	address_space_deinit(&fixture->space);
	accounts_deinit(&fixture->accounts);
}

/* The expected result of a row. If two bounds contradict each other, either may be named. */
typedef struct Outcome {
	NTSTATUS status;
	const char *parameter;
	uint64_t address;
} Outcome;

#define EITHER "minimumAddress or maximumAddress"

static void check_outcome(const Outcome *expected, NTSTATUS status, uint64_t address,
			  const Failure *failure, const char *table, size_t row)
{
	cr_expect_eq(status, expected->status, "%s[%zu]: %s instead of %s %s", table, row,
		     status_name(status), status_name(expected->status), failure->message);
	if (status != expected->status)
		return;
	if (status == STATUS_SUCCESS)
		cr_expect_eq(address, expected->address, "%s[%zu]: %#lx", table, row,
			     (unsigned long)address);
	else if (expected->parameter)
		cr_expect(failure->parameter[0] != '\0' &&
				  (strcmp(expected->parameter, failure->parameter) == 0 ||
				   (strcmp(expected->parameter, EITHER) == 0 &&
				    strstr(EITHER, failure->parameter))),
			  "%s[%zu]: %s", table, row, failure->parameter);
}

/* --- driver reservations --------------------------------------------------------------------- */

static const struct {
	const GpuMmu *mmu;
	uint64_t size;
	uint64_t alignment;
	uint64_t base;
	Outcome outcome;
} driver_rows[] = {
	/* sizes */
	{ &mmu_48_4, 0, 0, 0, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, 1, 0, 0, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, 4 * KiB, 0, 0, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, 64 * KiB, 0, 0, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, LEAF - 4 * KiB, 0, 0, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, LEAF - 1, 0, 0, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, LEAF, 0, 0, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, LEAF + 1, 0, 0, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, 2 * LEAF, 0, 0, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, END_48 - LOW_48 - LEAF, 0, 0, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, END_48 - LOW_48, 0, 0, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, END_48 - LOW_48 + LEAF, 0, 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, END_48, 0, 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, END_48 + LEAF, 0, 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, POWER(63) - LEAF, 0, 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, POWER(63), 0, 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, BELOW_ZERO(LEAF), 0, 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, BELOW_ZERO(1), 0, 0, { INVALID, "sizeInBytes", 0 } },
	/* alignments */
	{ &mmu_48_4, LEAF, 1, 0, { INVALID, "alignment", 0 } },
	{ &mmu_48_4, LEAF, 4 * KiB, 0, { INVALID, "alignment", 0 } },
	{ &mmu_48_4, LEAF, LEAF / 2, 0, { INVALID, "alignment", 0 } },
	{ &mmu_48_4, LEAF, LEAF - 1, 0, { INVALID, "alignment", 0 } },
	{ &mmu_48_4, LEAF, LEAF, 0, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, LEAF, LEAF + 1, 0, { INVALID, "alignment", 0 } },
	{ &mmu_48_4, LEAF, 3 * LEAF, 0, { INVALID, "alignment", 0 } },
	{ &mmu_48_4, LEAF, 2 * LEAF, 0, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, LEAF, LOW_48, 0, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, LEAF, 2 * LOW_48, 0, { DONE, NULL, 2 * LOW_48 } },
	{ &mmu_48_4, LEAF, END_48 / 2, 0, { DONE, NULL, END_48 / 2 } },
	{ &mmu_48_4, END_48 / 2, END_48 / 2, 0, { DONE, NULL, END_48 / 2 } },
	{ &mmu_48_4, END_48 / 2 + LEAF, END_48 / 2, 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, LEAF, END_48, 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, LEAF, 2 * END_48, 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, LEAF, POWER(63), 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, BELOW_ZERO(LEAF), POWER(63), 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, LEAF, BELOW_ZERO(LEAF), 0, { INVALID, "alignment", 0 } },
	{ &mmu_48_4, LEAF, BELOW_ZERO(1), 0, { INVALID, "alignment", 0 } },
	/* bases: the first root entry */
	{ &mmu_48_4, LEAF, 0, 1, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, LEAF, 0, LEAF, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, LEAF, 0, LOW_48 - LEAF, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, 2 * LEAF, 0, LOW_48 - LEAF, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, LEAF, 0, LOW_48 - 1, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, LEAF, 0, LOW_48, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, LEAF, 0, LOW_48 + 1, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, LEAF, 0, LOW_48 + 64 * KiB, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, LEAF, 0, LOW_48 + LEAF, { DONE, NULL, LOW_48 + LEAF } },
	{ &mmu_48_4, LEAF, 2 * LEAF, LOW_48 + LEAF, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, LEAF, 2 * LEAF, LOW_48 + 2 * LEAF, { DONE, NULL, LOW_48 + 2 * LEAF } },
	{ &mmu_48_4, LEAF, POWER(63), LOW_48, { INVALID, "baseAddress", 0 } },
	/* the end of the space, and of 64 bits */
	{ &mmu_48_4, LEAF, 0, END_48 - LEAF, { DONE, NULL, END_48 - LEAF } },
	{ &mmu_48_4, 2 * LEAF, 0, END_48 - LEAF, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, LEAF, 0, END_48 - 1, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, LEAF, 0, END_48, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, LEAF, 0, END_48 + LEAF, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, END_48 - LOW_48, 0, LOW_48, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, END_48 - LOW_48 + LEAF, 0, LOW_48, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, POWER(63), 0, LOW_48, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, BELOW_ZERO(LOW_48), 0, LOW_48, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, BELOW_ZERO(LEAF), 0, LOW_48 + 2 * LEAF, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, LEAF, 0, POWER(63), { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, POWER(63), 0, POWER(63), { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, LEAF, 0, BELOW_ZERO(LEAF), { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, END_48, 0, BELOW_ZERO(LEAF), { INVALID, "baseAddress", 0 } },
	/* other MMUs */
	{ &mmu_32_2, 4 * MiB, 0, 0, { DONE, NULL, LOW_32 } },
	{ &mmu_32_2, 2 * MiB, 0, 0, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_32_2, END_32 - LOW_32, 0, 0, { DONE, NULL, LOW_32 } },
	{ &mmu_32_2, END_32, 0, 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_32_2, 4 * MiB, 0, END_32 - 4 * MiB, { DONE, NULL, END_32 - 4 * MiB } },
	{ &mmu_32_2, 4 * MiB, 0, END_32, { INVALID, "baseAddress", 0 } },
	{ &mmu_32_2_small_leaf, 8 * KiB, 0, 0, { DONE, NULL, 8 * KiB } },
	{ &mmu_32_2_small_leaf, 8 * KiB, 0, 8 * KiB, { DONE, NULL, 8 * KiB } },
	{ &mmu_32_2_small_leaf, 8 * KiB, 0, 4 * KiB, { INVALID, "baseAddress", 0 } },
	{ &mmu_32_2_small_leaf, 8 * KiB, 0, END_32 - 8 * KiB, { DONE, NULL, END_32 - 8 * KiB } },
	{ &mmu_40_3, LEAF, 0, LOW_40 - LEAF, { INVALID, "baseAddress", 0 } },
	{ &mmu_40_3, LEAF, 0, 0, { DONE, NULL, LOW_40 } },
	{ &mmu_40_3, LEAF, 0, END_40 - LEAF, { DONE, NULL, END_40 - LEAF } },
	{ &mmu_40_3, LEAF, 0, END_40, { INVALID, "baseAddress", 0 } },
	{ &mmu_47_5, LEAF, 0, 0, { DONE, NULL, LOW_47 } },
	{ &mmu_47_5, LEAF, END_47 / 2, 0, { DONE, NULL, END_47 / 2 } },
	{ &mmu_47_5, LEAF, 0, END_47 - LEAF, { DONE, NULL, END_47 - LEAF } },
	{ &mmu_47_5, LEAF, 0, END_47, { INVALID, "baseAddress", 0 } },
	{ &mmu_57_5, LEAF, 0, 0, { DONE, NULL, LOW_57 } },
	{ &mmu_57_5, LEAF, 0, LOW_57 - LEAF, { INVALID, "baseAddress", 0 } },
	{ &mmu_57_5, END_57 - LOW_57, 0, 0, { DONE, NULL, LOW_57 } },
	{ &mmu_57_5, END_57, 0, 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_57_5, LEAF, 0, END_57 - LEAF, { DONE, NULL, END_57 - LEAF } },
	{ &mmu_57_5, LEAF, 0, END_57, { INVALID, "baseAddress", 0 } },
	{ &mmu_57_6, MiB, 0, 0, { DONE, NULL, LOW_576 } },
	{ &mmu_57_6, MiB, 0, LOW_576 - MiB, { INVALID, "baseAddress", 0 } },
	{ &mmu_57_6, MiB, END_57 / 2, 0, { DONE, NULL, END_57 / 2 } },
	{ &mmu_57_2, POWER(33), 0, 0, { DONE, NULL, LOW_572 } },
	{ &mmu_57_2, POWER(33), 0, END_57 - POWER(33), { DONE, NULL, END_57 - POWER(33) } },
	{ &mmu_57_2, POWER(32), 0, 0, { INVALID, "sizeInBytes", 0 } },
};

Test(address_boundaries, driver_reservations)
{
	for (size_t i = 0; i < ARRAY_SIZE(driver_rows); i++) {
		Fixture fixture;
		uint64_t address = 0;
		Failure failure = FAILURE_INIT;

		fixture_init(&fixture, driver_rows[i].mmu);
		NTSTATUS status = address_space_reserve_for_driver(
			&fixture.space, &payer,
			&(DriverReservation){ .size = driver_rows[i].size,
					      .alignment = driver_rows[i].alignment,
					      .base_address = driver_rows[i].base },
			&address, &failure);
		check_outcome(&driver_rows[i].outcome, status, address, &failure, "driver_rows", i);
		cr_expect_eq(address_space_range_count(&fixture.space),
			     status == STATUS_SUCCESS ? 2u : 1u);
		fixture_deinit(&fixture);
	}
}

/* --- user reservations ----------------------------------------------------------------------- */

#define UNIT GPU_RESERVATION_GRANULARITY

typedef struct UserRow {
	const GpuMmu *mmu;
	uint64_t size;
	uint64_t base;
	uint64_t minimum;
	uint64_t maximum;
	Outcome outcome;
} UserRow;

static const UserRow user_rows[] = {
	/* sizes */
	{ &mmu_48_4, 0, 0, 0, UINT64_MAX, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, 4 * KiB, 0, 0, UINT64_MAX, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, UNIT - 1, 0, 0, UINT64_MAX, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, UNIT, 0, 0, UINT64_MAX, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, UNIT + 1, 0, 0, UINT64_MAX, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, UNIT + 4 * KiB, 0, 0, UINT64_MAX, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, END_48 - LOW_48, 0, 0, UINT64_MAX, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, END_48 - LOW_48 + UNIT, 0, 0, UINT64_MAX, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, POWER(63), 0, 0, UINT64_MAX, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, BELOW_ZERO(UNIT), 0, 0, UINT64_MAX, { NO_ROOM, NULL, 0 } },
	/* bases; minimum and maximum are then ignored */
	{ &mmu_48_4, UNIT, 1, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, UNIT, UNIT, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, UNIT, LOW_48 - UNIT, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, UNIT, LOW_48, 0, UINT64_MAX, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, UNIT, LOW_48, 2, 1, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, UNIT, LOW_48, END_48, END_48, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, UNIT, LOW_48 + 4 * KiB, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, UNIT, LOW_48 + UNIT - 1, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, UNIT, LOW_48 + UNIT, 0, UINT64_MAX, { DONE, NULL, LOW_48 + UNIT } },
	{ &mmu_48_4, UNIT, END_48 - UNIT, 0, UINT64_MAX, { DONE, NULL, END_48 - UNIT } },
	{ &mmu_48_4, 2 * UNIT, END_48 - UNIT, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, UNIT, END_48, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, BELOW_ZERO(UNIT), LOW_48, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, BELOW_ZERO(LOW_48), LOW_48, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, POWER(63), POWER(63), 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, UNIT, BELOW_ZERO(UNIT), 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	/* minimum, which is rounded up */
	{ &mmu_48_4, UNIT, 0, LOW_48 - 1, UINT64_MAX, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, UNIT, 0, LOW_48, UINT64_MAX, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, UNIT, 0, LOW_48 + 1, UINT64_MAX, { DONE, NULL, LOW_48 + UNIT } },
	{ &mmu_48_4, UNIT, 0, LOW_48 + UNIT, UINT64_MAX, { DONE, NULL, LOW_48 + UNIT } },
	{ &mmu_48_4, UNIT, 0, LOW_48 + UNIT + 1, UINT64_MAX, { DONE, NULL, LOW_48 + 2 * UNIT } },
	{ &mmu_48_4, UNIT, 0, END_48 - UNIT, UINT64_MAX, { DONE, NULL, END_48 - UNIT } },
	{ &mmu_48_4, UNIT, 0, END_48 - UNIT + 1, UINT64_MAX, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, UNIT, 0, END_48 - 1, UINT64_MAX, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, UNIT, 0, END_48, UINT64_MAX, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, UNIT, 0, POWER(63), UINT64_MAX, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, UNIT, 0, UINT64_MAX - 1, UINT64_MAX, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, UNIT, 0, UINT64_MAX, UINT64_MAX, { NO_ROOM, NULL, 0 } },
	/* maximum, which is rounded down, and the end of the range */
	{ &mmu_48_4, UNIT, 0, 0, 0, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, UNIT, 0, 0, 1, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, UNIT, 0, 0, LOW_48, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, UNIT, 0, 0, LOW_48 + UNIT - 1, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, UNIT, 0, 0, LOW_48 + UNIT, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, UNIT, 0, 0, LOW_48 + UNIT + 1, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, END_48 - LOW_48, 0, 0, END_48 - 1, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, END_48 - LOW_48, 0, 0, END_48, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, END_48 - LOW_48, 0, 0, END_48 + 1, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, END_48 - LOW_48, 0, 0, POWER(63), { DONE, NULL, LOW_48 } },
	/* both: a gap that is just large enough, and one that is too small */
	{ &mmu_48_4, UNIT, 0, LOW_48 + UNIT, LOW_48 + 2 * UNIT, { DONE, NULL, LOW_48 + UNIT } },
	{ &mmu_48_4, UNIT, 0, LOW_48 + UNIT + 1, LOW_48 + 2 * UNIT, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, UNIT, 0, LOW_48 + UNIT, LOW_48 + 2 * UNIT - 1, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4,
	  UNIT,
	  0,
	  LOW_48 + UNIT - 4095,
	  LOW_48 + 2 * UNIT,
	  { DONE, NULL, LOW_48 + UNIT } },
	{ &mmu_48_4, UNIT, 0, LOW_48, LOW_48, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, UNIT, 0, LOW_48 + 1, LOW_48, { INVALID, EITHER, 0 } },
	{ &mmu_48_4, UNIT, 0, 1, 0, { INVALID, EITHER, 0 } },
	{ &mmu_48_4, UNIT, 0, UINT64_MAX, UINT64_MAX - 1, { INVALID, EITHER, 0 } },
	/* other MMUs */
	{ &mmu_32_2, UNIT, 0, 0, UINT64_MAX, { DONE, NULL, LOW_32 } },
	{ &mmu_32_2, UNIT, LOW_32 - UNIT, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_32_2, UNIT, END_32 - UNIT, 0, UINT64_MAX, { DONE, NULL, END_32 - UNIT } },
	{ &mmu_32_2, UNIT, END_32, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_32_2_small_leaf, UNIT, 0, 0, UINT64_MAX, { DONE, NULL, UNIT } },
	{ &mmu_32_2_small_leaf, 8 * KiB, 0, 0, UINT64_MAX, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_32_2_small_leaf, UNIT, 8 * KiB, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_57_5, UNIT, END_57 - UNIT, 0, UINT64_MAX, { DONE, NULL, END_57 - UNIT } },
	{ &mmu_57_5, UNIT, 0, END_57 - UNIT, UINT64_MAX, { DONE, NULL, END_57 - UNIT } },
	{ &mmu_57_6, END_57 - LOW_576, 0, 0, UINT64_MAX, { DONE, NULL, LOW_576 } },
};

Test(address_boundaries, user_reservations)
{
	for (size_t i = 0; i < ARRAY_SIZE(user_rows); i++) {
		const UserRow *row = &user_rows[i];
		Fixture fixture;
		uint64_t address = 0;
		Failure failure = FAILURE_INIT;

		fixture_init(&fixture, row->mmu);
		NTSTATUS status = address_space_reserve(&fixture.space, &payer,
							&(Placement){ .size = row->size,
								      .base_address = row->base,
								      .minimum = row->minimum,
								      .maximum = row->maximum },
							&address, &failure);
		check_outcome(&row->outcome, status, address, &failure, "user_rows", i);
		fixture_deinit(&fixture);
	}
}

/* --- mappings -------------------------------------------------------------------------------- */

#define PAGE GPU_PAGE_SIZE

static const UserRow mapping_rows[] = {
	{ &mmu_48_4, 0, 0, 0, UINT64_MAX, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, PAGE - 1, 0, 0, UINT64_MAX, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, PAGE, 0, 0, UINT64_MAX, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, PAGE + 1, 0, 0, UINT64_MAX, { INVALID, "sizeInBytes", 0 } },
	{ &mmu_48_4, END_48 - LOW_48, 0, 0, UINT64_MAX, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, END_48 - LOW_48 + PAGE, 0, 0, UINT64_MAX, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, POWER(63) - PAGE, 0, 0, UINT64_MAX, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, PAGE, PAGE, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, PAGE, LOW_48 - PAGE, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, 2 * PAGE, LOW_48 - PAGE, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, PAGE, LOW_48, 0, UINT64_MAX, { DONE, NULL, LOW_48 } },
	{ &mmu_48_4, PAGE, LOW_48 + 1, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, PAGE, LOW_48 + PAGE, 0, UINT64_MAX, { DONE, NULL, LOW_48 + PAGE } },
	{ &mmu_48_4, PAGE, END_48 - PAGE, 0, UINT64_MAX, { DONE, NULL, END_48 - PAGE } },
	{ &mmu_48_4, 2 * PAGE, END_48 - PAGE, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, PAGE, END_48, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, PAGE, BELOW_ZERO(PAGE), 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4,
	  POWER(63) - PAGE,
	  POWER(63) + PAGE,
	  0,
	  UINT64_MAX,
	  { INVALID, "baseAddress", 0 } },
	{ &mmu_48_4, PAGE, 0, LOW_48 + 1, UINT64_MAX, { DONE, NULL, LOW_48 + PAGE } },
	{ &mmu_48_4, PAGE, 0, LOW_48 + PAGE, LOW_48 + 2 * PAGE, { DONE, NULL, LOW_48 + PAGE } },
	{ &mmu_48_4, PAGE, 0, LOW_48 + 1, LOW_48 + 2 * PAGE - 1, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, PAGE, 0, 0, LOW_48 + PAGE - 1, { NO_ROOM, NULL, 0 } },
	{ &mmu_48_4, PAGE, 0, END_48 - PAGE, END_48, { DONE, NULL, END_48 - PAGE } },
	{ &mmu_48_4, PAGE, 0, 2, 1, { INVALID, EITHER, 0 } },
	{ &mmu_32_2_small_leaf, PAGE, 8 * KiB, 0, UINT64_MAX, { DONE, NULL, 8 * KiB } },
	{ &mmu_32_2_small_leaf, PAGE, 4 * KiB, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
	{ &mmu_32_2, PAGE, END_32 - PAGE, 0, UINT64_MAX, { DONE, NULL, END_32 - PAGE } },
	{ &mmu_57_5, PAGE, END_57 - PAGE, 0, UINT64_MAX, { DONE, NULL, END_57 - PAGE } },
	{ &mmu_57_5, PAGE, END_57, 0, UINT64_MAX, { INVALID, "baseAddress", 0 } },
};

static NTSTATUS map(Fixture *fixture, const Placement *placement, const Mapping *mapping,
		    uint64_t *ret_address, Failure *failure)
{
	return address_space_map(&fixture->space, &payer, placement, mapping, ret_address, failure);
}

Test(address_boundaries, mappings)
{
	for (size_t i = 0; i < ARRAY_SIZE(mapping_rows); i++) {
		const UserRow *row = &mapping_rows[i];
		Fixture fixture;
		uint64_t address = 0;
		Failure failure = FAILURE_INIT;

		fixture_init(&fixture, row->mmu);
		NTSTATUS status = map(&fixture,
				      &(Placement){ .size = row->size,
						    .base_address = row->base,
						    .minimum = row->minimum,
						    .maximum = row->maximum },
				      &(Mapping){ .has_allocation = true }, &address, &failure);
		check_outcome(&row->outcome, status, address, &failure, "mapping_rows", i);
		fixture_deinit(&fixture);
	}
}

static const struct {
	GpuProtection protection;
	bool has_allocation;
	uint64_t allocation;
	uint64_t offset;
	uint64_t size;
	Outcome outcome;
} content_rows[] = {
	{ GPU_PROTECTION_READ, true, 0, 0, PAGE, { DONE, NULL, LOW_48 } },
	{ GPU_PROTECTION_READ, false, 0, 0, PAGE, { INVALID, "allocation", 0 } },
	{ GPU_PROTECTION_READ_WRITE, true, UINT64_MAX, 0, PAGE, { DONE, NULL, LOW_48 } },
	{ GPU_PROTECTION_READ_WRITE, false, 0, 0, PAGE, { INVALID, "allocation", 0 } },
	{ GPU_PROTECTION_NO_ACCESS, false, 0, 0, PAGE, { DONE, NULL, LOW_48 } },
	{ GPU_PROTECTION_NO_ACCESS, true, 1, 0, PAGE, { DONE, NULL, LOW_48 } },
	{ GPU_PROTECTION_ZERO, false, 0, 0, PAGE, { DONE, NULL, LOW_48 } },
	{ GPU_PROTECTION_ZERO, true, 1, 0, PAGE, { DONE, NULL, LOW_48 } },
	{ GPU_PROTECTION_READ, true, 1, 1, PAGE, { INVALID, "offsetInBytes", 0 } },
	{ GPU_PROTECTION_READ, true, 1, PAGE - 1, PAGE, { INVALID, "offsetInBytes", 0 } },
	{ GPU_PROTECTION_READ, true, 1, PAGE, PAGE, { DONE, NULL, LOW_48 } },
	{ GPU_PROTECTION_READ, true, 1, POWER(63) - 2 * PAGE, PAGE, { DONE, NULL, LOW_48 } },
	{ GPU_PROTECTION_READ,
	  true,
	  1,
	  POWER(63) - 2 * PAGE,
	  3 * PAGE,
	  { INVALID, "offsetInBytes", 0 } },
	{ GPU_PROTECTION_READ, true, 1, POWER(63), PAGE, { INVALID, "offsetInBytes", 0 } },
	{ GPU_PROTECTION_READ, true, 1, BELOW_ZERO(PAGE), PAGE, { INVALID, "offsetInBytes", 0 } },
	{ GPU_PROTECTION_READ,
	  true,
	  1,
	  BELOW_ZERO(PAGE),
	  2 * PAGE,
	  { INVALID, "offsetInBytes", 0 } },
};

Test(address_boundaries, allocations_and_offsets)
{
	for (size_t i = 0; i < ARRAY_SIZE(content_rows); i++) {
		Fixture fixture;
		uint64_t address = 0;
		Failure failure = FAILURE_INIT;
		Translation found = { .state = TRANSLATION_MAX };

		fixture_init(&fixture, &mmu_48_4);
		NTSTATUS status =
			map(&fixture,
			    &(Placement){ .size = content_rows[i].size, .maximum = UINT64_MAX },
			    &(Mapping){ .protection = content_rows[i].protection,
					.has_allocation = content_rows[i].has_allocation,
					.allocation = content_rows[i].allocation,
					.offset = content_rows[i].offset },
			    &address, &failure);
		check_outcome(&content_rows[i].outcome, status, address, &failure, "content_rows",
			      i);
		address_space_translate(&fixture.space, LOW_48 + PAGE - 1, &found, &failure);
		cr_expect_eq(found.state,
			     status == STATUS_SUCCESS ? TRANSLATION_MAPPED : TRANSLATION_INVALID);
		if (found.state == TRANSLATION_MAPPED && content_rows[i].has_allocation) {
			cr_expect_eq(found.allocation, content_rows[i].allocation, "row %zu", i);
			cr_expect_eq(found.offset, content_rows[i].offset + PAGE - 1, "row %zu", i);
		}
		fixture_deinit(&fixture);
	}
}
