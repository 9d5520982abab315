/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_ADDRESS_MAP_LINE_WRAP_H
#define CLIENT_VAILCTL_ADDRESS_MAP_LINE_WRAP_H

#include <stddef.h>
#include <stdio.h>

#include "proto/macros.h"

/* Wraps words at a line width. */
typedef struct LineWrap {
	FILE *out;
	size_t width;
	size_t column;
} LineWrap;

/*
 * Makes room for an unbreakable piece of that many columns, which the caller prints next: behind
 * gap spaces, or on a new line.
 */
void line_wrap_place(LineWrap *wrap, size_t gap, size_t columns);

/* Prints words separated by spaces, at most 255 bytes per call. */
_printf_(2, 3) void line_wrap_add(LineWrap *wrap, const char *format, ...);

void line_wrap_end(LineWrap *wrap);

#endif
