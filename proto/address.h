/* SPDX-License-Identifier: MIT */
#ifndef PROTO_ADDRESS_H
#define PROTO_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads an address as it is written in messages: "0x" and 1 to 16 hex digits of either case, and
 * nothing else. Returns false, and leaves *ret_address, otherwise. They are strings since numbers
 * above 2^53 lose bits in many readers of JSON.
 */
bool address_parse(const char *text, uint64_t *ret_address);

#endif
