/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_ADDRESS_MAP_ADDRESS_MAP_H
#define CLIENT_VAILCTL_ADDRESS_MAP_ADDRESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "client/vailctl/address-map/space.h"

/*
 * Draws a GPU address space as text: the root table as a bar of cells to scale, then the tables
 * below it until all ranges can be told apart, then a list of the ranges, and totals.
 *
 * A space has up to 2^57 bytes, nearly all free, and up to tens of thousands of ranges. Three rules
 * keep the drawing short. A table with one used entry is skipped, because the path in the next
 * title shows it. Bars equal to the one before are counted instead of drawn. The numbers of bars
 * and rows are limited, and omissions are reported. Branches share the limit, so that a crowded one
 * leaves room for the rest.
 */

#define ADDRESS_MAP_WIDTH_MIN 40
#define ADDRESS_MAP_BARS_MAX  24
#define ADDRESS_MAP_ROWS_MAX  64

typedef struct AddressMapStyle {
	size_t width; /* maximum columns of a line; at least ADDRESS_MAP_WIDTH_MIN */
	bool has_unicode;
	bool has_colours;
	bool has_legend; /* also the names of columns */
} AddressMapStyle;

/* Prints the map. Returns false if out of memory; a part may have been printed by then. */
bool address_map_print(const MapSpace *space, const AddressMapStyle *style, FILE *out);

#endif
