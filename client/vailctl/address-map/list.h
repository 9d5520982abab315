/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_ADDRESS_MAP_LIST_H
#define CLIENT_VAILCTL_ADDRESS_MAP_LIST_H

#include "client/vailctl/address-map/address-map.h"

/*
 * Prints a table of the first count ranges with as many columns as fit, the number of other ranges,
 * and the totals. Returns false if out of memory.
 */
bool map_list_print(const MapSpace *space, const AddressMapStyle *style, size_t count, FILE *out);

#endif
