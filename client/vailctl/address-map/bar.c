/* SPDX-License-Identifier: MIT */
#include "client/vailctl/address-map/bar.h"

#include <inttypes.h>
#include <string.h>

#include "proto/macros.h"

size_t bar_cell_count(size_t width)
{
	size_t count = 1;

	/* Two columns are for the borders. */
	while (count * 2 + 2 <= width && count * 2 <= BAR_CELLS_MAX)
		count *= 2;
	return count;
}

/* ---- Symbols ---- */

typedef struct Symbol {
	const char *whole;         /* the kind fills the cell */
	const char *whole_unicode; /* the same, in Unicode */
	const char *part;
	const char *colour;
} Symbol;

static const Symbol symbols[] = {
	[ADDRESS_FREE] = { ".", "·", ".", "\033[2m" },
	[ADDRESS_INVALID] = { "X", "╳", "x", "\033[31m" },
	[ADDRESS_UNKNOWN] = { "?", "?", "?", "" },
	[ADDRESS_DRIVER] = { "D", "▓", "d", "\033[34m" },
	[ADDRESS_PROCESS] = { "P", "▒", "p", "\033[33m" },
	[ADDRESS_MAPPED] = { "M", "█", "m", "\033[32m" },
};

_Static_assert(ARRAY_SIZE(symbols) == ADDRESS_KIND_MAX, "each kind has a symbol");

const char *bar_symbol(const AddressMapStyle *style, AddressKind kind, bool is_whole)
{
	if (!is_whole)
		return symbols[kind].part;
	return style->has_unicode ? symbols[kind].whole_unicode : symbols[kind].whole;
}

const char *bar_colour(const AddressMapStyle *style, AddressKind kind)
{
	return style->has_colours ? symbols[kind].colour : "";
}

const char *bar_colour_end(const AddressMapStyle *style)
{
	return style->has_colours ? "\033[0m" : "";
}

/* ---- Cells ---- */

static size_t cell_count(const Bar *bar)
{
	return bar_cell_count(bar->style->width);
}

/* Returns the bytes per cell. Even a table of two pages has more bytes than a bar has cells. */
static uint64_t cell_span(const Bar *bar)
{
	return (UINT64_C(1) << bar->bits) / cell_count(bar);
}

/* The kind of a cell, and the bytes of that kind in it. */
typedef struct Cell {
	AddressKind kind;
	uint64_t covered;
} Cell;

static void cell_add(Cell *cell, AddressKind kind, uint64_t covered)
{
	if (kind > cell->kind)
		*cell = (Cell){ .kind = kind };
	if (kind == cell->kind)
		cell->covered += covered;
}

void bar_render(const Bar *bar, BarCells *ret_cells)
{
	Cell cells[BAR_CELLS_MAX] = { 0 };
	uint64_t span = cell_span(bar), from, to;

	for (size_t i = bar->begin; i < bar->end; i++) {
		address_segment_cut(&bar->space->segments[i], bar->start, bar->bits, &from, &to);
		while (from < to) {
			uint64_t cell = from / span, cell_end = (cell + 1) * span;
			uint64_t end = to < cell_end ? to : cell_end;

			cell_add(&cells[cell], bar->space->segments[i].kind, end - from);
			from = end;
		}
	}
	memset(ret_cells, 0, sizeof(*ret_cells));
	for (size_t i = 0; i < cell_count(bar); i++) {
		bool is_whole = cells[i].kind == ADDRESS_FREE || cells[i].covered == span;

		ret_cells->cells[i] = (uint8_t)(cells[i].kind * 2 + is_whole);
	}
}

static void print_cells(const Bar *bar, const BarCells *cells, FILE *out)
{
	const char *border = bar->style->has_unicode ? "│" : "|";
	AddressKind before = ADDRESS_KIND_MAX;

	fputs(border, out);
	for (size_t i = 0; i < cell_count(bar); i++) {
		AddressKind kind = (AddressKind)(cells->cells[i] / 2);

		if (kind != before) {
			fputs(before == ADDRESS_KIND_MAX ? "" : bar_colour_end(bar->style), out);
			fputs(bar_colour(bar->style, kind), out);
		}
		fputs(bar_symbol(bar->style, kind, cells->cells[i] % 2), out);
		before = kind;
	}
	fprintf(out, "%s%s\n", bar_colour_end(bar->style), border);
}

/* ---- Numbers ---- */

/*
 * Prints a range's number below the cell in which it begins, or in which it continues from before
 * the bar. Omits numbers that would overlap the one before.
 */
static void print_numbers(const Bar *bar, FILE *out)
{
	size_t at = 0, seen = SIZE_MAX; /* columns written; last range seen */
	char number[24];

	for (size_t i = bar->begin; i < bar->end; i++) {
		size_t range = bar->space->segments[i].range;
		/* An outer range can have several pieces. Only the first gets a number. */
		bool is_new = seen == SIZE_MAX || range > seen;
		uint64_t from, to;

		if (!is_new || range >= bar->listed_ranges)
			continue;
		seen = range;
		address_segment_cut(&bar->space->segments[i], bar->start, bar->bits, &from, &to);
		size_t column = (size_t)(from / cell_span(bar)) + 1; /* behind the border */
		size_t length = (size_t)snprintf(number, sizeof(number), "%zu", range);
		if (column < at + (at > 0) || column + length > cell_count(bar) + 2)
			continue;
		fprintf(out, "%*s%s", (int)(column - at), "", number);
		at = column + length;
	}
	if (at > 0)
		fputc('\n', out);
}

/* ---- Title ---- */

/* Formats "root[1][0]", the path of entries to the table, and the entries shown if not all are. */
static size_t format_path(const Bar *bar, char *text, size_t size)
{
	const MapSpace *space = bar->space;
	size_t length = (size_t)snprintf(text, size, "root");
	unsigned int entry_bits = address_entry_bits(space, bar->level);
	unsigned int table_bits = entry_bits + space->index_bits[bar->level];

	for (size_t level = space->level_count; level-- > bar->level + 1;) {
		uint64_t index = bar->start >> address_entry_bits(space, level);

		index &= (UINT64_C(1) << space->index_bits[level]) - 1;
		length += (size_t)snprintf(text + length, size - length, "[%" PRIu64 "]", index);
	}
	if (bar->bits < table_bits) {
		uint64_t table = UINT64_C(1) << table_bits, first = bar->start & (table - 1);

		first >>= entry_bits;
		length += (size_t)snprintf(text + length, size - length,
					   " entries %" PRIu64 "-%" PRIu64, first,
					   first + (UINT64_C(1) << (bar->bits - entry_bits)) - 1);
	}
	return length;
}

/* Formats "cell = 8 entries = 4 TiB". */
static void format_scale(const Bar *bar, bool is_short, char *text, size_t size)
{
	uint64_t entry = UINT64_C(1) << address_entry_bits(bar->space, bar->level);
	uint64_t cell = cell_span(bar);
	char bytes[ADDRESS_SIZE_TEXT];

	address_size_text(cell, bytes);
	if (is_short)
		snprintf(text, size, "cell = %s", bytes);
	else if (cell < entry)
		snprintf(text, size, "cell = 1/%" PRIu64 " entry = %s", entry / cell, bytes);
	else
		snprintf(text, size, "cell = %" PRIu64 " %s = %s", cell / entry,
			 cell == entry ? "entry" : "entries", bytes);
}

/*
 * Prints the path and the address on the left, and the scale on the right. Omits parts that exceed
 * the width.
 */
static void print_title(const Bar *bar, FILE *out)
{
	char path[160], address[32], scale[64];
	size_t width = bar->style->width, used = format_path(bar, path, sizeof(path));

	if (used > width)
		used = (size_t)snprintf(path, sizeof(path), "level %zu", bar->level);
	size_t length = (size_t)snprintf(address, sizeof(address), " at 0x%" PRIx64, bar->start);
	if (used + length > width)
		address[0] = '\0';
	used += strlen(address);
	format_scale(bar, false, scale, sizeof(scale));
	if (used + 2 + strlen(scale) > width)
		format_scale(bar, true, scale, sizeof(scale));
	if (used + 2 + strlen(scale) > width) {
		fprintf(out, "%s%s\n", path, address);
		return;
	}
	/* The scale ends at the bar's right border if possible. */
	size_t right = cell_count(bar) + 2;
	if (right < used + 2 + strlen(scale))
		right = used + 2 + strlen(scale);
	fprintf(out, "%s%s%*s\n", path, address, (int)(right - used), scale);
}

void bar_print(const Bar *bar, const BarCells *cells, FILE *out)
{
	print_title(bar, out);
	print_cells(bar, cells, out);
	print_numbers(bar, out);
}
