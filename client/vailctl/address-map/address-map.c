/* SPDX-License-Identifier: MIT */
#include "client/vailctl/address-map/address-map.h"

#include <assert.h>
#include <string.h>

#include "client/vailctl/address-map/bar.h"
#include "client/vailctl/address-map/line-wrap.h"
#include "client/vailctl/address-map/list.h"
#include "proto/macros.h"

/* ---- Legend ---- */

static void print_symbol(LineWrap *wrap, const AddressMapStyle *style, AddressKind kind,
			 const char *meaning)
{
	line_wrap_place(wrap, 2, strlen(meaning) + 2);
	fprintf(wrap->out, "%s%s%s %s", bar_colour(style, kind), bar_symbol(style, kind, true),
		bar_colour_end(style), meaning);
}

static void print_legend(const MapSpace *space, const AddressMapStyle *style, FILE *out)
{
	LineWrap wrap = { .out = out, .width = style->width };
	char size[ADDRESS_SIZE_TEXT];

	line_wrap_add(&wrap, "%s of addresses, %zu levels of page tables",
		      address_size_text(space->size, size), space->level_count);
	line_wrap_end(&wrap);
	line_wrap_end(&wrap);
	print_symbol(&wrap, style, ADDRESS_MAPPED, "mapping");
	print_symbol(&wrap, style, ADDRESS_PROCESS, "reserved by the process");
	print_symbol(&wrap, style, ADDRESS_DRIVER, "reserved by the driver");
	print_symbol(&wrap, style, ADDRESS_INVALID, "invalid");
	print_symbol(&wrap, style, ADDRESS_FREE, "free");
	line_wrap_end(&wrap);
	line_wrap_add(
		&wrap,
		"m p d x: a cell only partly of that kind. A number marks the cell in which that "
		"range begins. root[1] is the table behind entry 1 of the root.");
	line_wrap_end(&wrap);
	line_wrap_end(&wrap);
}

/* ---- Tables ---- */

/* A drawing in progress. */
typedef struct Map {
	const MapSpace *space;
	const AddressMapStyle *style;
	FILE *out;
	size_t listed_ranges;
	BarCells last[VAIL_PAGE_TABLE_LEVEL_MAX];          /* last bar drawn of each level */
	unsigned int last_bits[VAIL_PAGE_TABLE_LEVEL_MAX]; /* log2 of its bytes; 0 if none */
	size_t repeats; /* bars since then that are equal to the last of their level */
	size_t omitted; /* bars not drawn because of the limit */
} Map;

/* A page table, and the segments that overlap it. */
typedef struct PageTable {
	size_t level;
	uint64_t start;
	size_t begin, end;
} PageTable;

static unsigned int table_bits(const Map *map, size_t level)
{
	return address_entry_bits(map->space, level) + map->space->index_bits[level];
}

static void print_repeats(Map *map)
{
	LineWrap wrap = { .out = map->out, .width = map->style->width };

	if (map->repeats == 0)
		return;
	line_wrap_add(&wrap, "... %zu more %s like the last of %s level ...", map->repeats,
		      map->repeats == 1 ? "looks" : "look", map->repeats == 1 ? "its" : "their");
	line_wrap_end(&wrap);
	line_wrap_end(&wrap);
	map->repeats = 0;
}

/*
 * Draws a bar, unless it is equal to the last one of its level. Returns the number of bars drawn.
 */
static size_t draw_bar(Map *map, const PageTable *table, unsigned int bits)
{
	Bar bar = {
		.space = map->space,
		.style = map->style,
		.level = table->level,
		.start = table->start,
		.bits = bits,
		.begin = table->begin,
		.end = table->end,
		.listed_ranges = map->listed_ranges,
	};
	BarCells cells;

	bar_render(&bar, &cells);
	if (map->last_bits[table->level] == bits &&
	    memcmp(&cells, &map->last[table->level], sizeof(cells)) == 0) {
		map->repeats++;
		return 0;
	}
	print_repeats(map);
	bar_print(&bar, &cells, map->out);
	fputc('\n', map->out);
	map->last[table->level] = cells;
	map->last_bits[table->level] = bits;
	return 1;
}

/* ---- Selection of bars ---- */

/* Returns the segment's first and last byte in the table, relative to the table's start. */
static void find_extent(const Map *map, const PageTable *table, size_t index, uint64_t *ret_first,
			uint64_t *ret_last)
{
	address_segment_cut(&map->space->segments[index], table->start,
			    table_bits(map, table->level), ret_first, ret_last);
	--*ret_last;
}

/*
 * Moves ret_part to the 2^bits bytes at start, and finds the table's segments that overlap them.
 * ret_part comes from the previous part, which must be lower.
 */
static void part_advance(const Map *map, const PageTable *table, uint64_t start, unsigned int bits,
			 PageTable *ret_part)
{
	const AddressSegment *segments = map->space->segments;
	uint64_t end = start + (UINT64_C(1) << bits);

	ret_part->start = start;
	while (ret_part->begin < table->end && segments[ret_part->begin].end <= start)
		ret_part->begin++;
	ret_part->end = ret_part->begin;
	while (ret_part->end < table->end && segments[ret_part->end].start < end)
		ret_part->end++;
}

static PageTable first_child(const PageTable *table)
{
	return (PageTable){ .level = table->level - 1, .begin = table->begin };
}

/*
 * Finds the next entry that is neither free nor filled by one segment, so that the table behind it
 * shows more. from is the offset in the table at which to continue. child is the previous child, or
 * first_child().
 */
static bool next_child(const Map *map, const PageTable *table, uint64_t *from, PageTable *child)
{
	unsigned int bits = address_entry_bits(map->space, table->level);
	uint64_t span = UINT64_C(1) << bits, first, last;

	for (size_t i = child->begin; i < table->end; i++) {
		find_extent(map, table, i, &first, &last);
		uint64_t entries[] = { first >> bits << bits, last >> bits << bits };

		for (size_t j = 0; j < ARRAY_SIZE(entries); j++) {
			uint64_t entry = entries[j];

			if (entry < *from || (first <= entry && last >= entry + span - 1))
				continue;
			child->begin = i;
			part_advance(map, table, table->start + entry, bits, child);
			*from = entry + span;
			return true;
		}
	}
	return false;
}

static size_t count_children(const Map *map, const PageTable *table)
{
	PageTable child = first_child(table);
	uint64_t from = 0;
	size_t count = 0;

	while (next_child(map, table, &from, &child))
		count++;
	return count;
}

/* Tests whether all segments of the table lie in one aligned part of 2^bits bytes. */
static bool fits_one_part(const Map *map, const PageTable *table, unsigned int bits,
			  uint64_t *ret_start)
{
	uint64_t first, last, ignored;

	find_extent(map, table, table->begin, &first, &ignored);
	find_extent(map, table, table->end - 1, &ignored, &last);
	*ret_start = table->start + (first >> bits << bits);
	return first >> bits == last >> bits;
}

/*
 * Tests whether a cell in the bar of the whole table hides something: two segments that a window,
 * with one cell per entry, would show apart. Adjacent segments of one kind look like one.
 */
static bool needs_window(const Map *map, const PageTable *table, const PageTable *window,
			 unsigned int cell_bits)
{
	unsigned int entry_bits = address_entry_bits(map->space, table->level);
	const AddressSegment *segments = map->space->segments;
	uint64_t first, last, before = 0;

	for (size_t i = window->begin; i < window->end; i++) {
		find_extent(map, table, i, &first, &last);
		bool is_like_one = i > window->begin && first == before + 1 &&
				   segments[i].kind == segments[i - 1].kind;
		if (i > window->begin && !is_like_one &&
		    before >> cell_bits == first >> cell_bits &&
		    before >> entry_bits != first >> entry_bits)
			return true;
		before = last;
	}
	return false;
}

static unsigned int log2_of(size_t power)
{
	unsigned int bits = 0;

	while (power >> (bits + 1) > 0)
		bits++;
	return bits;
}

/* Draws the windows that are needed, up to the budget. Returns the number of bars drawn. */
static size_t draw_windows(Map *map, const PageTable *table, unsigned int window_bits,
			   size_t budget)
{
	unsigned int cells = log2_of(bar_cell_count(map->style->width));
	unsigned int cell_bits = table_bits(map, table->level) - cells;
	PageTable window = { .level = table->level, .begin = table->begin };
	uint64_t first, last, from = 0;
	size_t drawn = 0;

	for (size_t i = table->begin; i < table->end; i++) {
		find_extent(map, table, i, &first, &last);
		/* Segments can share a cell only where one begins. */
		uint64_t start = first >> window_bits << window_bits;
		if (start < from)
			continue;
		part_advance(map, table, table->start + start, window_bits, &window);
		from = start + (UINT64_C(1) << window_bits);
		if (!needs_window(map, table, &window, cell_bits))
			continue;
		if (drawn < budget)
			drawn += draw_bar(map, &window, window_bits);
		else
			map->omitted++;
	}
	return drawn;
}

/*
 * Draws the table: as a whole and then in windows, or only the one part that contains all segments.
 * Returns the number of bars drawn.
 */
static size_t draw_table_itself(Map *map, const PageTable *table, size_t budget)
{
	unsigned int cells = log2_of(bar_cell_count(map->style->width));
	unsigned int window_bits = address_entry_bits(map->space, table->level) + cells;
	unsigned int bits = table_bits(map, table->level);
	bool is_root = table->level + 1 == map->space->level_count;
	PageTable window = *table;

	if (bits <= window_bits || table->begin == table->end)
		return draw_bar(map, table, bits);
	if (!is_root && fits_one_part(map, table, window_bits, &window.start))
		return draw_bar(map, &window, window_bits);
	size_t drawn = draw_bar(map, table, bits);
	/* Leave most of the budget for the tables below. */
	return drawn + draw_windows(map, table, window_bits, (budget - drawn + 3) / 4);
}

/* Tests whether the table uses one entry only, and returns that entry's table if it shows more. */
static bool only_child(const Map *map, const PageTable *table, PageTable *ret_child)
{
	uint64_t start, from = 0;

	*ret_child = first_child(table);
	return fits_one_part(map, table, address_entry_bits(map->space, table->level), &start) &&
	       next_child(map, table, &from, ret_child);
}

/* Draws the table and the tables below it, up to the budget. Returns the number of bars drawn. */
static size_t draw_table(Map *map, const PageTable *from, size_t budget)
{
	bool is_root = from->level + 1 == map->space->level_count;
	PageTable table = *from, child;

	while (!is_root && table.level > 0 && only_child(map, &table, &child))
		table = child;
	if (budget == 0) {
		map->omitted++;
		return 0;
	}
	size_t drawn = draw_table_itself(map, &table, budget);
	size_t children = table.level > 0 ? count_children(map, &table) : 0;
	uint64_t next = 0;

	child = first_child(&table);
	for (; children > 0 && next_child(map, &table, &next, &child); children--) {
		size_t left = budget > drawn ? budget - drawn : 0, share = left / children + 3;

		drawn += draw_table(map, &child, share < left ? share : left);
	}
	return drawn;
}

static void draw_tables(Map *map)
{
	PageTable root = { .level = map->space->level_count - 1, .end = map->space->segment_count };
	LineWrap wrap = { .out = map->out, .width = map->style->width };

	draw_table(map, &root, ADDRESS_MAP_BARS_MAX);
	print_repeats(map);
	if (map->omitted == 0)
		return;
	line_wrap_add(&wrap, "... %zu more %s not drawn ...", map->omitted,
		      map->omitted == 1 ? "is" : "are");
	line_wrap_end(&wrap);
	line_wrap_end(&wrap);
}

/* ---- The whole map ---- */

bool address_map_print(const MapSpace *space, const AddressMapStyle *style, FILE *out)
{
	Map map = { .space = space, .style = style, .out = out };

	assert(style->width >= ADDRESS_MAP_WIDTH_MIN);
	map.listed_ranges = space->range_count;
	if (map.listed_ranges > ADDRESS_MAP_ROWS_MAX)
		map.listed_ranges = ADDRESS_MAP_ROWS_MAX;
	if (style->has_legend)
		print_legend(space, style, out);
	draw_tables(&map);
	return map_list_print(space, style, map.listed_ranges, out);
}
