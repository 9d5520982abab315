/* SPDX-License-Identifier: MIT */
#ifndef CORE_GPU_MMU_H
#define CORE_GPU_MMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

/*
 * What an adapter declares of its GPU MMU: page table levels and how many bits of an address index
 * each. It is validated once, and never changes. Inside core everything is counted in pages.
 *
 * The tables of level 1 point at leaf tables; with two levels that is the root table.
 */

#define GPU_PAGE_BITS            12
#define GPU_PAGE_SIZE            (UINT64_C(1) << GPU_PAGE_BITS)
#define GPU_PAGE_TABLE_LEVEL_MIN 2
#define GPU_PAGE_TABLE_LEVEL_MAX 6
#define GPU_INDEX_BITS_MAX       24
#define GPU_ADDRESS_BITS_MAX     57

typedef struct GpuMmu {
	unsigned int level_count;
	uint8_t index_bits[GPU_PAGE_TABLE_LEVEL_MAX]; /* leaf table first, root table last */
} GpuMmu;

/* What RegisterAdapter says of an MMU, as it was said. */
typedef struct GpuMmuDescription {
	uint64_t address_bits;
	const uint64_t *index_bits; /* borrowed */
	size_t level_count;
} GpuMmuDescription;

/*
 * The MMU that is described. Returns STATUS_SUCCESS, or STATUS_INVALID_PARAMETER with the field at
 * fault, named as in io.vaild.Gpu.RegisterAdapter.
 */
NTSTATUS gpu_mmu_from_description(const GpuMmuDescription *description, GpuMmu *ret_mmu,
				  Failure *failure);

bool gpu_mmu_is_same(const GpuMmu *a, const GpuMmu *b);

unsigned int gpu_mmu_address_bits(const GpuMmu *mmu);

/* In pages: the whole space, what one leaf table covers, what one table of level 1 covers, and what
 * one entry of the root table covers. */
uint64_t gpu_mmu_pages(const GpuMmu *mmu);
uint64_t gpu_mmu_leaf_pages(const GpuMmu *mmu);
uint64_t gpu_mmu_level_one_pages(const GpuMmu *mmu);
uint64_t gpu_mmu_root_entry_pages(const GpuMmu *mmu);

static inline uint64_t pages_to_bytes(uint64_t pages)
{
	return pages << GPU_PAGE_BITS;
}

static inline uint64_t bytes_to_pages(uint64_t bytes)
{
	return bytes >> GPU_PAGE_BITS;
}

#endif
