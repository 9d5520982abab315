/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_VA_GPU_MMU_H
#define DAEMON_CORE_VA_GPU_MMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/failure.h"

/*
 * The page table layout of an adapter's GPU MMU: the number of levels, and the number of address
 * bits that index each. It is validated once, when the adapter is registered, and never changes.
 * Core counts addresses in pages.
 *
 * Level 0 is the leaf table, whose entries map pages. Level-1 tables point at leaf tables. The root
 * table has the highest level; with two levels it is the level-1 table.
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

/* An unvalidated description of an MMU, as in RegisterAdapter. */
typedef struct GpuMmuDescription {
	uint64_t address_bits;
	const uint64_t *index_bits; /* borrowed */
	size_t level_count;
} GpuMmuDescription;

/*
 * Validates a description. Returns STATUS_SUCCESS, or STATUS_INVALID_PARAMETER with the name of the
 * invalid field, as in io.vaild.Gpu.RegisterAdapter.
 */
NTSTATUS gpu_mmu_from_description(const GpuMmuDescription *description, GpuMmu *ret_mmu,
				  Failure *failure);

bool gpu_mmu_is_same(const GpuMmu *a, const GpuMmu *b);

unsigned int gpu_mmu_address_bits(const GpuMmu *mmu);

/*
 * Return sizes in pages: of the whole address space, and of the addresses that one leaf table, one
 * level-1 table and one entry of the root table cover.
 */
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
