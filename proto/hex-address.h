/* SPDX-License-Identifier: MIT */
#ifndef PROTO_HEX_ADDRESS_H
#define PROTO_HEX_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Parses an address: "0x" and 1 to 16 hex digits of either case. Messages carry addresses as
 * strings, because many JSON parsers lose bits of numbers above 2^53. Returns false, with
 * *ret_address unchanged, for any other text.
 */
bool address_parse(const char *text, uint64_t *ret_address);

#endif
