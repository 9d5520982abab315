/* SPDX-License-Identifier: MIT */
#ifndef ADDRESS_MAP_BAR_H
#define ADDRESS_MAP_BAR_H

#include <stdio.h>

#include "address-map-space.h"
#include "address-map.h"

/*
 * One bar of an address map: a table of page table entries, or a window on some of its entries, to
 * scale. All bars of a map have the same number of cells, a power of two, so that a cell is a whole
 * number of entries or an entry a whole number of cells.
 */

#define BAR_CELLS_MAX 256

/* How many cells a bar has in so many columns. */
size_t bar_cell_count(size_t width);

/* What a bar shows. */
typedef struct Bar {
	const MapSpace *space;
	const AddressMapStyle *style;
	size_t level;         /* of the table */
	uint64_t start;       /* first address */
	unsigned int bits;    /* log2 of the bytes that it shows */
	size_t begin, end;    /* the segments that meet it */
	size_t listed_ranges; /* those below are in the list, and can be named by their number */
} Bar;

/* A cell's kind, and whether it holds nothing else: as many bytes as the bar has cells. */
typedef struct BarCells {
	uint8_t cells[BAR_CELLS_MAX];
} BarCells;

void bar_render(const Bar *bar, BarCells *ret_cells);

/* Prints title, cells, and the numbers of the ranges that begin in it. */
void bar_print(const Bar *bar, const BarCells *cells, FILE *out);

/* The sign for a kind that fills a cell, and for one that does not. */
const char *bar_sign(const AddressMapStyle *style, AddressKind kind, bool is_whole);

/* Begins and ends a kind's colour; "" where the style has none. */
const char *bar_colour(const AddressMapStyle *style, AddressKind kind);
const char *bar_colour_end(const AddressMapStyle *style);

#endif
