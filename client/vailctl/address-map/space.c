/* SPDX-License-Identifier: MIT */
#include "client/vailctl/address-map/space.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

bool address_levels_valid(const uint8_t *index_bits, size_t level_count)
{
	unsigned int bits = PAGE_BITS;

	if (level_count < 1 || level_count > VAIL_PAGE_TABLE_LEVEL_MAX)
		return false;
	for (size_t i = 0; i < level_count; i++) {
		if (index_bits[i] < 1 || index_bits[i] > 24)
			return false;
		bits += index_bits[i];
	}
	return bits <= 57;
}

unsigned int address_entry_bits(const MapSpace *space, size_t level)
{
	unsigned int bits = PAGE_BITS;

	for (size_t i = 0; i < level; i++)
		bits += space->index_bits[i];
	return bits;
}

AddressKind address_kind(VailRangeKind kind)
{
	switch (kind) {
	case VAIL_RANGE_ROOT_ENTRY_ZERO:
		return ADDRESS_INVALID;
	case VAIL_RANGE_DRIVER_RESERVATION:
		return ADDRESS_DRIVER;
	case VAIL_RANGE_USER_RESERVATION:
		return ADDRESS_PROCESS;
	case VAIL_RANGE_MAPPING:
		return ADDRESS_MAPPED;
	default:
		return ADDRESS_UNKNOWN;
	}
}

/* Adds the part of the segment behind the end of the last one. */
static void add_segment(MapSpace *space, AddressSegment segment)
{
	size_t count = space->segment_count;
	uint64_t cursor = count > 0 ? space->segments[count - 1].end : 0;

	if (segment.start < cursor)
		segment.start = cursor;
	if (segment.start >= segment.end)
		return;
	space->segments[space->segment_count++] = segment;
	space->totals[segment.kind] += segment.end - segment.start;
	space->totals[ADDRESS_FREE] -= segment.end - segment.start;
}

static AddressSegment segment_of(const MapSpace *space, size_t range)
{
	const VailRange *from = &space->ranges[range];
	uint64_t start = from->address < space->size ? from->address : space->size;
	uint64_t left = space->size - start;

	return (AddressSegment){
		.start = start,
		.end = start + (from->size_in_bytes < left ? from->size_in_bytes : left),
		.kind = address_kind(from->kind),
		.range = range,
	};
}

/* Adds an outer range in pieces, between the mappings inside it. */
static void add_segments(MapSpace *space)
{
	AddressSegment outer = { 0 };

	for (size_t i = 0; i < space->range_count; i++) {
		AddressSegment segment = segment_of(space, i), piece = outer;

		if (piece.end > segment.start)
			piece.end = segment.start;
		add_segment(space, piece);
		if (segment.kind == ADDRESS_MAPPED)
			add_segment(space, segment);
		else
			outer = segment;
	}
	add_segment(space, outer);
}

bool map_space_init(MapSpace *space, const uint8_t *index_bits, size_t level_count,
		    const VailRange *ranges, size_t range_count)
{
	assert(address_levels_valid(index_bits, level_count));
	*space = (MapSpace){
		.index_bits = index_bits,
		.level_count = level_count,
		.ranges = ranges,
		.range_count = range_count,
	};
	space->size = UINT64_C(1) << address_entry_bits(space, level_count);
	space->totals[ADDRESS_FREE] = space->size;
	/*
	 * Each range adds itself and at most one piece of the range around it; one more may remain.
	 */
	space->segments = reallocarray(NULL, range_count * 2 + 1, sizeof(*space->segments));
	if (!space->segments)
		return false;
	add_segments(space);
	return true;
}

void map_space_deinit(MapSpace *space)
{
	free(space->segments);
	*space = (MapSpace){ 0 };
}

void address_segment_cut(const AddressSegment *segment, uint64_t start, unsigned int bits,
			 uint64_t *ret_from, uint64_t *ret_to)
{
	uint64_t size = UINT64_C(1) << bits;
	uint64_t to = segment->end - start;

	*ret_from = segment->start > start ? segment->start - start : 0;
	*ret_to = to < size ? to : size;
}

const char *address_size_text(uint64_t size, char text[ADDRESS_SIZE_TEXT])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t unit = 0;

	while (size >> (10 * unit) >= 1024)
		unit++;
	uint64_t whole = size >> (10 * unit), rest = size - (whole << (10 * unit));
	/* The rest is below 2^60, so its tenth does not overflow in this order. */
	uint64_t tenths = unit > 0 ? ((rest >> (10 * (unit - 1))) * 10) >> 10 : 0;

	if (rest == 0)
		snprintf(text, ADDRESS_SIZE_TEXT, "%" PRIu64 " %s", whole, units[unit]);
	else
		snprintf(text, ADDRESS_SIZE_TEXT, "%" PRIu64 ".%" PRIu64 " %s", whole, tenths,
			 units[unit]);
	return text;
}
