/* SPDX-License-Identifier: MIT */
#ifndef ADDRESS_MAP_H
#define ADDRESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "address-map-space.h"

/*
 * A drawing of a GPU address space for people: the root table to scale as a bar of cells, then the
 * tables below it down to where ranges are told apart, then a list of the ranges and the totals.
 *
 * A space is up to 2^57 bytes, all but empty, and has up to tens of thousands of ranges. What keeps
 * the drawing short: a table of which one entry alone is used is passed over, since the path in the
 * next title tells as much; tables that look like the one before are counted; and there are bounds
 * on bars and rows, which say what they leave out. Bars are shared out among the branches, so that
 * a crowded one does not push out the rest.
 */

#define ADDRESS_MAP_WIDTH_MIN 40
#define ADDRESS_MAP_BARS_MAX  24
#define ADDRESS_MAP_ROWS_MAX  64

typedef struct AddressMapStyle {
	size_t width; /* columns that no line is longer than; at least the minimum */
	bool has_unicode;
	bool has_colours;
	bool has_legend; /* and the names of columns */
} AddressMapStyle;

/* Returns false when there was no memory; something may have been printed. */
bool address_map_print(const MapSpace *space, const AddressMapStyle *style, FILE *out);

#endif
