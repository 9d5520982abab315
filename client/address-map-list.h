/* SPDX-License-Identifier: MIT */
#ifndef ADDRESS_MAP_LIST_H
#define ADDRESS_MAP_LIST_H

#include "address-map.h"

/* Prints the first of the ranges as a table with as many columns as the width has room for, how
 * many more there are, and the sums. Returns false when there was no memory. */
bool map_list_print(const MapSpace *space, const AddressMapStyle *style, size_t count, FILE *out);

#endif
