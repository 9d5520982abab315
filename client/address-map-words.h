/* SPDX-License-Identifier: MIT */
#ifndef ADDRESS_MAP_WORDS_H
#define ADDRESS_MAP_WORDS_H

#include <stddef.h>
#include <stdio.h>

#include "macros.h"

/* Words on lines that are no longer than the width. */
typedef struct Words {
	FILE *out;
	size_t width;
	size_t column;
} Words;

/* Makes room for a piece that is not broken, and that the caller writes: behind gap blanks, or on a
 * new line. columns: what it takes. */
void words_place(Words *words, size_t gap, size_t columns);

/* Writes words with a blank between, up to 255 bytes at once. */
_printf_(2, 3) void words_add(Words *words, const char *format, ...);

void words_end(Words *words);

#endif
