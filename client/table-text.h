/* SPDX-License-Identifier: MIT */
#ifndef TABLE_TEXT_H
#define TABLE_TEXT_H

#include <stddef.h>

/*
 * Makes a text that somebody else chose fit to be shown on a terminal: what is no printable
 * character of the locale, and what would turn the direction of writing, becomes \xHH, byte by
 * byte. So the name of a VM can neither steer the terminal nor pretend to be another column.
 *
 * ret_width: how many columns it takes; may be NULL.
 *
 * The caller frees the result; NULL when there is no memory.
 */
char *text_escape(const char *text, size_t *ret_width);

/* The same, cut with "..." where it takes more than so many columns, which are at least three. */
char *text_escape_to(const char *text, size_t columns);

#endif
