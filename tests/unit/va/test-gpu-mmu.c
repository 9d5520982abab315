/* SPDX-License-Identifier: MIT */
/* Tests the limits of the MMU descriptions in RegisterAdapter, and the sizes derived from them. */
#include <criterion/criterion.h>

#include "daemon/core/va/gpu-mmu.h"
#include "proto/macros.h"

TestSuite(gpu_mmu);

#define LEVELS_MAX 8

typedef struct Description {
	uint64_t address_bits;
	size_t level_count;
	uint64_t index_bits[LEVELS_MAX];
	const char *parameter; /* in error; NULL if valid */
} Description;

#define LEVELS    "pageTableIndexBitCount"
#define LEVEL(nr) "pageTableIndexBitCount[" #nr "]"
#define ADDRESS   "virtualAddressBitCount"

static const Description descriptions[] = {
	/* levels */
	{ 12, 0, { 0 }, LEVELS },
	{ 21, 1, { 9 }, LEVELS },
	{ 30, 2, { 9, 9 }, NULL },
	{ 48, 6, { 6, 6, 6, 6, 6, 6 }, NULL },
	{ 47, 7, { 5, 5, 5, 5, 5, 5, 5 }, LEVELS },
	{ 52, 8, { 5, 5, 5, 5, 5, 5, 5, 5 }, LEVELS },
	/* bits of a level: leaf, middle, root */
	{ 21, 2, { 0, 9 }, LEVEL(0) },
	{ 22, 2, { 1, 9 }, NULL },
	{ 45, 2, { 24, 9 }, NULL },
	{ 46, 2, { 25, 9 }, LEVEL(0) },
	{ 30, 3, { 9, 0, 9 }, LEVEL(1) },
	{ 31, 3, { 9, 1, 9 }, NULL },
	{ 54, 3, { 9, 24, 9 }, NULL },
	{ 55, 3, { 9, 25, 9 }, LEVEL(1) },
	{ 21, 2, { 9, 0 }, LEVEL(1) },
	{ 22, 2, { 9, 1 }, NULL },
	{ 45, 2, { 9, 24 }, NULL },
	{ 46, 2, { 9, 25 }, LEVEL(1) },
	{ 57, 6, { 9, 9, 9, 9, 9, 0 }, LEVEL(5) },
	{ 48, 4, { 9, 9, 9, UINT64_MAX }, LEVEL(3) },
	{ 48, 4, { 9, 9, 9, 256 + 9 }, LEVEL(3) }, /* 9 if truncated to a byte */
	{ 48, 4, { (UINT64_C(1) << 32) + 9, 9, 9, 9 }, LEVEL(0) },
	/* their sum */
	{ 14, 2, { 1, 1 }, NULL },
	{ 18, 6, { 1, 1, 1, 1, 1, 1 }, NULL },
	{ 56, 5, { 9, 9, 9, 9, 8 }, NULL },
	{ 57, 5, { 9, 9, 9, 9, 9 }, NULL },
	{ 58, 5, { 9, 9, 9, 9, 10 }, LEVELS },
	{ 57, 2, { 21, 24 }, NULL },
	{ 58, 2, { 22, 24 }, LEVELS },
	{ 60, 2, { 24, 24 }, LEVELS },
	{ 156, 6, { 24, 24, 24, 24, 24, 24 }, LEVELS },
	/* the total number of address bits */
	{ 47, 4, { 9, 9, 9, 9 }, ADDRESS },
	{ 48, 4, { 9, 9, 9, 9 }, NULL },
	{ 49, 4, { 9, 9, 9, 9 }, ADDRESS },
	{ 36, 4, { 9, 9, 9, 9 }, ADDRESS }, /* without the page's bits */
	{ 0, 4, { 9, 9, 9, 9 }, ADDRESS },
	{ UINT64_MAX, 4, { 9, 9, 9, 9 }, ADDRESS },
	{ (UINT64_C(1) << 32) + 48, 4, { 9, 9, 9, 9 }, ADDRESS },
	{ 32, 2, { 10, 10 }, NULL },
	{ 40, 3, { 9, 9, 10 }, NULL },
};

static void check_description(const Description *row, size_t number)
{
	const GpuMmu untouched = { .level_count = 77 };
	GpuMmu mmu = untouched;
	Failure failure = FAILURE_INIT;
	NTSTATUS status =
		gpu_mmu_from_description(&(GpuMmuDescription){ .address_bits = row->address_bits,
							       .index_bits = row->index_bits,
							       .level_count = row->level_count },
					 &mmu, &failure);

	if (row->parameter) {
		cr_expect_eq(status, STATUS_INVALID_PARAMETER, "row %zu", number);
		cr_expect_str_eq(failure.parameter, row->parameter, "row %zu", number);
		cr_expect_eq(mmu.level_count, untouched.level_count, "row %zu", number);
		return;
	}
	cr_assert_eq(status, STATUS_SUCCESS, "row %zu: %s", number, failure.message);
	cr_expect_eq(mmu.level_count, row->level_count, "row %zu", number);
	for (size_t level = 0; level < row->level_count; level++)
		cr_expect_eq(mmu.index_bits[level], row->index_bits[level], "row %zu", number);
	cr_expect_eq(gpu_mmu_address_bits(&mmu), row->address_bits, "row %zu", number);
	cr_expect_eq(pages_to_bytes(gpu_mmu_pages(&mmu)), UINT64_C(1) << row->address_bits,
		     "row %zu", number);
}

Test(gpu_mmu, description_limits)
{
	for (size_t i = 0; i < ARRAY_SIZE(descriptions); i++)
		check_description(&descriptions[i], i);
}

/* The coverage of a leaf table, a level-1 table and a root entry, as a number of address bits. */
static const struct {
	GpuMmu mmu;
	unsigned int leaf;
	unsigned int level_one;
	unsigned int root_entry;
} coverages[] = {
	{ { 2, { 10, 10 } }, 22, 32, 22 },
	{ { 2, { 1, 19 } }, 13, 32, 13 },
	{ { 3, { 9, 9, 10 } }, 21, 30, 30 },
	{ { 4, { 9, 9, 9, 9 } }, 21, 30, 39 }, /* 512 GiB, as documented */
	{ { 5, { 9, 9, 9, 4, 4 } }, 21, 30, 43 },
	{ { 5, { 9, 9, 9, 9, 9 } }, 21, 30, 48 },
	{ { 6, { 8, 8, 8, 7, 7, 7 } }, 20, 28, 50 },
};

Test(gpu_mmu, coverage_of_tables)
{
	for (size_t i = 0; i < ARRAY_SIZE(coverages); i++) {
		const GpuMmu *mmu = &coverages[i].mmu;

		cr_expect_eq(pages_to_bytes(gpu_mmu_leaf_pages(mmu)),
			     UINT64_C(1) << coverages[i].leaf, "row %zu", i);
		cr_expect_eq(pages_to_bytes(gpu_mmu_level_one_pages(mmu)),
			     UINT64_C(1) << coverages[i].level_one, "row %zu", i);
		cr_expect_eq(pages_to_bytes(gpu_mmu_root_entry_pages(mmu)),
			     UINT64_C(1) << coverages[i].root_entry, "row %zu", i);
	}
}
