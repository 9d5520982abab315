/* SPDX-License-Identifier: MIT */
#include "daemon/core/va/gpu-mmu.h"

#include <stdio.h>
#include <string.h>

static NTSTATUS check_levels(const GpuMmuDescription *description, Failure *failure)
{
	char parameter[64];

	if (description->level_count < GPU_PAGE_TABLE_LEVEL_MIN ||
	    description->level_count > GPU_PAGE_TABLE_LEVEL_MAX)
		return failure_parameter(failure, "pageTableIndexBitCount",
					 "has %zu page table levels; a GPU MMU has %d to %d, leaf "
					 "table first",
					 description->level_count, GPU_PAGE_TABLE_LEVEL_MIN,
					 GPU_PAGE_TABLE_LEVEL_MAX);
	for (size_t level = 0; level < description->level_count; level++) {
		if (description->index_bits[level] >= 1 &&
		    description->index_bits[level] <= GPU_INDEX_BITS_MAX)
			continue;
		snprintf(parameter, sizeof(parameter), "pageTableIndexBitCount[%zu]", level);
		return failure_parameter(failure, parameter,
					 "is outside 1 to %d, the possible index bits of a level",
					 GPU_INDEX_BITS_MAX);
	}
	return STATUS_SUCCESS;
}

NTSTATUS gpu_mmu_from_description(const GpuMmuDescription *description, GpuMmu *ret_mmu,
				  Failure *failure)
{
	GpuMmu mmu = { .level_count = (unsigned int)description->level_count };
	NTSTATUS status = check_levels(description, failure);

	if (status != STATUS_SUCCESS)
		return status;
	for (unsigned int level = 0; level < mmu.level_count; level++)
		mmu.index_bits[level] = (uint8_t)description->index_bits[level];
	if (gpu_mmu_address_bits(&mmu) > GPU_ADDRESS_BITS_MAX)
		return failure_parameter(failure, "pageTableIndexBitCount",
					 "makes addresses of %u bits, including %d bits of page "
					 "offset; the maximum is %d",
					 gpu_mmu_address_bits(&mmu), GPU_PAGE_BITS,
					 GPU_ADDRESS_BITS_MAX);
	if (gpu_mmu_address_bits(&mmu) != description->address_bits)
		return failure_parameter(failure, "virtualAddressBitCount",
					 "is not %u, the sum of pageTableIndexBitCount and %d bits "
					 "of page offset",
					 gpu_mmu_address_bits(&mmu), GPU_PAGE_BITS);
	*ret_mmu = mmu;
	return STATUS_SUCCESS;
}

/* Returns the number of index bits of all levels below this one. */
static unsigned int bits_below(const GpuMmu *mmu, unsigned int level)
{
	unsigned int bits = 0;

	for (unsigned int below = 0; below < level; below++)
		bits += mmu->index_bits[below];
	return bits;
}

bool gpu_mmu_is_same(const GpuMmu *a, const GpuMmu *b)
{
	return a->level_count == b->level_count &&
	       memcmp(a->index_bits, b->index_bits, a->level_count) == 0;
}

unsigned int gpu_mmu_address_bits(const GpuMmu *mmu)
{
	return GPU_PAGE_BITS + bits_below(mmu, mmu->level_count);
}

uint64_t gpu_mmu_pages(const GpuMmu *mmu)
{
	return UINT64_C(1) << bits_below(mmu, mmu->level_count);
}

uint64_t gpu_mmu_leaf_pages(const GpuMmu *mmu)
{
	return UINT64_C(1) << bits_below(mmu, 1);
}

uint64_t gpu_mmu_level_one_pages(const GpuMmu *mmu)
{
	return UINT64_C(1) << bits_below(mmu, 2);
}

uint64_t gpu_mmu_root_entry_pages(const GpuMmu *mmu)
{
	return UINT64_C(1) << bits_below(mmu, mmu->level_count - 1);
}
