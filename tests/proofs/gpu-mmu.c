/* SPDX-License-Identifier: MIT */
/*
 * Descriptions of a GPU MMU, daemon/core/va/gpu-mmu.c.
 *
 * Proved: gpu_mmu_from_description() accepts exactly the MMUs of the contract: 2 to 6 levels of 1
 * to 24 index bits, and addresses of at most 57 bits, the sum of these and 12. It leaves the result
 * unchanged if it refuses a description. For every accepted MMU no shift or sum overflows, the
 * sizes are powers of two, each larger than the one below, and the size in bytes fits into 64 bits.
 *
 * Nothing is bounded: all counts and numbers are tried. The code reads no more numbers than the
 * count says, and none if the count is invalid.
 */
#include <stdlib.h>

#include "daemon/core/va/gpu-mmu.h"
#include "tests/proofs/proof.h"

typedef struct Bits {
	uint64_t of_level[GPU_PAGE_TABLE_LEVEL_MAX];
} Bits;

Bits nondet_bits(void);
GpuMmu nondet_mmu(void);

static bool is_power_of_two(uint64_t number)
{
	return number != 0 && (number & (number - 1)) == 0;
}

static void check_sizes(const GpuMmu *mmu)
{
	uint64_t pages = gpu_mmu_pages(mmu), leaf = gpu_mmu_leaf_pages(mmu);
	uint64_t level_one = gpu_mmu_level_one_pages(mmu);
	uint64_t root_entry = gpu_mmu_root_entry_pages(mmu);

	assert(is_power_of_two(pages) && is_power_of_two(leaf) && is_power_of_two(level_one) &&
	       is_power_of_two(root_entry));
	assert(leaf >= 2 && leaf < level_one && level_one <= pages);
	assert(leaf <= root_entry && root_entry < pages);
	assert(bytes_to_pages(pages_to_bytes(pages)) == pages);
}

PROOF(gpu_mmu)
{
	Bits bits = nondet_bits();
	size_t count = nondet_size();
	bool is_sound = count >= 2 && count <= 6;
	size_t given = is_sound ? count : 0;
	/* The numbers that are given end where the array ends. */
	GpuMmuDescription description = {
		.address_bits = nondet_uint64(),
		.index_bits = bits.of_level + GPU_PAGE_TABLE_LEVEL_MAX - given,
		.level_count = count,
	};
	GpuMmu before = nondet_mmu(), mmu = before;
	Failure failure;
	uint64_t sum = 12;

	for (size_t i = 0; i < given; i++) {
		uint64_t of_level = description.index_bits[i];

		is_sound = is_sound && of_level >= 1 && of_level <= 24;
		sum += is_sound ? of_level : 0;
	}
	is_sound = is_sound && sum <= 57 && description.address_bits == sum;
	NTSTATUS status = gpu_mmu_from_description(&description, &mmu, &failure);

	assert(status == (is_sound ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER));
	if (status != STATUS_SUCCESS) {
		assert(mmu.level_count == before.level_count);
		return;
	}
	assert(mmu.level_count == count);
	for (size_t i = 0; i < given; i++)
		assert(mmu.index_bits[i] == description.index_bits[i]);
	assert(gpu_mmu_address_bits(&mmu) == sum);
	assert(gpu_mmu_is_same(&mmu, &mmu));
	check_sizes(&mmu);
}
