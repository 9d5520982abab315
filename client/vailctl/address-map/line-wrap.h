/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_ADDRESS_MAP_LINE_WRAP_H
#define CLIENT_VAILCTL_ADDRESS_MAP_LINE_WRAP_H

#include <stddef.h>
#include <stdio.h>

#include "proto/macros.h"

/* Wraps words at a line width. */
typedef struct Words {
	FILE *out;
	size_t width;
	size_t column;
} Words;

/*
 * Makes room for an unbreakable piece of that many columns, which the caller prints next: behind
 * gap spaces, or on a new line.
 */
void words_place(Words *words, size_t gap, size_t columns);

/* Prints words separated by spaces, at most 255 bytes per call. */
_printf_(2, 3) void words_add(Words *words, const char *format, ...);

void words_end(Words *words);

#endif
