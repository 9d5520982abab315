/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_ADDRESS_MAP_BAR_H
#define CLIENT_VAILCTL_ADDRESS_MAP_BAR_H

#include <stdio.h>

#include "client/vailctl/address-map/address-map.h"
#include "client/vailctl/address-map/space.h"

/*
 * One bar of an address map: a page table or a window on some of its entries, to scale. All bars of
 * a map have the same number of cells, a power of two. A cell is therefore a whole number of
 * entries, or an entry a whole number of cells.
 */

#define BAR_CELLS_MAX 256

/* Returns the number of cells of a bar in that many columns. */
size_t bar_cell_count(size_t width);

/* A bar's position and contents. */
typedef struct Bar {
	const MapSpace *space;
	const AddressMapStyle *style;
	size_t level;         /* of the table */
	uint64_t start;       /* first address */
	unsigned int bits;    /* log2 of the bytes shown */
	size_t begin, end;    /* the segments that overlap the bar */
	size_t listed_ranges; /* only ranges below this number are listed */
} Bar;

/* One byte per cell: its kind times two, plus one if the cell contains no other kind. */
typedef struct BarCells {
	uint8_t cells[BAR_CELLS_MAX];
} BarCells;

void bar_render(const Bar *bar, BarCells *ret_cells);

/* Prints the title, the cells and the numbers of the ranges that begin in them. */
void bar_print(const Bar *bar, const BarCells *cells, FILE *out);

/* Returns the symbol of a kind, for a cell that it fills (is_whole) or shares. */
const char *bar_symbol(const AddressMapStyle *style, AddressKind kind, bool is_whole);

/* Return the sequences that begin and end a kind's colour, or "" without colours. */
const char *bar_colour(const AddressMapStyle *style, AddressKind kind);
const char *bar_colour_end(const AddressMapStyle *style);

#endif
