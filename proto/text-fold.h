/* SPDX-License-Identifier: MIT */
#ifndef PROTO_TEXT_FOLD_H
#define PROTO_TEXT_FOLD_H

#include <stdbool.h>
#include <stddef.h>

/* Returns the columns that the first bytes of a text take on a terminal. */
typedef size_t TextWidth(const char *text, size_t length);

/* Returns the number of characters, each of which is taken as one column. */
TextWidth text_fold_count_characters;

/*
 * Folds the text between words, so that no line is wider than columns, unless a single word is.
 * Lines of the text stay lines.
 *
 * text: without control characters other than the end of a line.
 * indent: number of spaces before each line that is added.
 * keeps_commands: keeps each command that a message suggests on one line, so that it can be copied.
 *     A longer command is left to the terminal. A command begins with the name of a program, behind
 *     "see", "mean" or a colon, or in quotation marks.
 *
 * The caller frees the result. Returns NULL if out of memory.
 */
char *text_fold_words(const char *text, size_t columns, size_t indent, bool keeps_commands,
		      TextWidth *width);

#endif
