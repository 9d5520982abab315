/* SPDX-License-Identifier: MIT */
#ifndef ADDRESS_MAP_SPACE_H
#define ADDRESS_MAP_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vail.h"

/*
 * A GPU address space as vaild tells it, prepared for drawing: ranges may hold others (mappings
 * stand inside reservations), segments lie side by side.
 */

#define PAGE_BITS 12

/* What is at an address. Where a cell of a drawing holds several, the later one is shown. */
typedef enum AddressKind {
	ADDRESS_FREE,
	ADDRESS_INVALID, /* root entry 0 */
	ADDRESS_UNKNOWN, /* vaild is newer than this */
	ADDRESS_DRIVER,  /* reserved by the driver */
	ADDRESS_PROCESS, /* reserved by the process */
	ADDRESS_MAPPED,
	ADDRESS_KIND_MAX,
} AddressKind;

/* From start to before end; range is an index. What is between segments is free. */
typedef struct AddressSegment {
	uint64_t start;
	uint64_t end;
	AddressKind kind;
	size_t range;
} AddressSegment;

typedef struct MapSpace {
	const uint8_t *index_bits; /* leaf table first; not the space's */
	size_t level_count;
	uint64_t size;           /* bytes */
	const VailRange *ranges; /* not the space's */
	size_t range_count;
	AddressSegment *segments;
	size_t segment_count;
	uint64_t totals[ADDRESS_KIND_MAX]; /* bytes; they sum up to the size */
} MapSpace;

/* Whether page tables can be so: 1 to 6 levels of 1 to 24 bits, and at most 57 in all. */
bool address_levels_valid(const uint8_t *index_bits, size_t level_count);

/* ranges: in ascending order; what is past the end is cut off. Returns false, with nothing to be
 * deinited, when there is no memory. */
bool map_space_init(MapSpace *space, const uint8_t *index_bits, size_t level_count,
		    const VailRange *ranges, size_t range_count);
void map_space_deinit(MapSpace *space);

AddressKind address_kind(VailRangeKind kind);

/* log2 of what one entry of a table of this level covers, in bytes; a whole table is what an entry
 * of the next level covers. Level 0 is the leaf. */
unsigned int address_entry_bits(const MapSpace *space, size_t level);

/* The part of a segment that lies in so many bits of addresses at start, counted from there: from
 * ret_from to before ret_to. The segment reaches into them. */
void address_segment_cut(const AddressSegment *segment, uint64_t start, unsigned int bits,
			 uint64_t *ret_from, uint64_t *ret_to);

#define ADDRESS_SIZE_TEXT 24

/* "1.5 GiB": exact, or rounded down to a tenth. Returns text. */
const char *address_size_text(uint64_t size, char text[ADDRESS_SIZE_TEXT]);

#endif
