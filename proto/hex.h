/* SPDX-License-Identifier: MIT */
#ifndef PROTO_HEX_H
#define PROTO_HEX_H

#include <stdint.h>

/* Returns the value of a hex digit of either case, or -1 for another character. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Returns the lower-case digit of the lowest four bits. */
static inline char hex_character(uint64_t bits)
{
	return "0123456789abcdef"[bits & 0xf];
}

#endif
