/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_ADDRESS_MAP_SPACE_H
#define CLIENT_VAILCTL_ADDRESS_MAP_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vail.h>

/*
 * A GPU address space as vaild describes it, prepared for drawing. Ranges can contain others
 * (mappings inside reservations); segments are disjoint.
 */

#define PAGE_BITS 12

/* The use of an address. A cell with several kinds shows the last one in this order. */
typedef enum AddressKind {
	ADDRESS_FREE,
	ADDRESS_INVALID, /* root entry 0 */
	ADDRESS_UNKNOWN, /* a kind that only a newer vaild knows */
	ADDRESS_DRIVER,  /* reserved by the driver */
	ADDRESS_PROCESS, /* reserved by the process */
	ADDRESS_MAPPED,
	ADDRESS_KIND_MAX,
} AddressKind;

/* Addresses start to end - 1 of the range with that index. Addresses between segments are free. */
typedef struct AddressSegment {
	uint64_t start;
	uint64_t end;
	AddressKind kind;
	size_t range;
} AddressSegment;

typedef struct MapSpace {
	const uint8_t *index_bits; /* leaf table first; borrowed */
	size_t level_count;
	uint64_t size;           /* bytes */
	const VailRange *ranges; /* borrowed */
	size_t range_count;
	AddressSegment *segments;
	size_t segment_count;
	uint64_t totals[ADDRESS_KIND_MAX]; /* bytes; their sum is the size */
} MapSpace;

/* Tests the limits of page tables: 1 to 6 levels of 1 to 24 bits, and at most 57 address bits. */
bool address_levels_valid(const uint8_t *index_bits, size_t level_count);

/*
 * Initialises a space from ranges in ascending order. Ranges past the end are clipped. Returns
 * false if out of memory; the space is then not to be deinitialised.
 */
bool map_space_init(MapSpace *space, const uint8_t *index_bits, size_t level_count,
		    const VailRange *ranges, size_t range_count);
void map_space_deinit(MapSpace *space);

AddressKind address_kind(VailRangeKind kind);

/*
 * Returns the log2 of the bytes that an entry of a table of this level covers. A whole table covers
 * as much as an entry of the next level. Level 0 is the leaf table.
 */
unsigned int address_entry_bits(const MapSpace *space, size_t level);

/*
 * Clips a segment to the 2^bits bytes at start, which it must overlap. Returns offsets from start,
 * ret_from inclusive and ret_to exclusive.
 */
void address_segment_cut(const AddressSegment *segment, uint64_t start, unsigned int bits,
			 uint64_t *ret_from, uint64_t *ret_to);

#define ADDRESS_SIZE_TEXT 24

/* Formats a size such as "1.5 GiB", exactly or rounded down to a tenth. Returns text. */
const char *address_size_text(uint64_t size, char text[ADDRESS_SIZE_TEXT]);

#endif
