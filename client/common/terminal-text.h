/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_TERMINAL_TEXT_H
#define CLIENT_COMMON_TERMINAL_TEXT_H

#include <stddef.h>

/*
 * Escapes untrusted text for a terminal, so that a VM's name, for example, can neither control the
 * terminal nor look like another column. Every byte becomes \xHH if it does not belong to a
 * printable character of the locale, or if its character could change the direction of writing.
 *
 * ret_width: width of the result in columns of the terminal; may be NULL.
 *
 * The caller frees the result. Returns NULL if out of memory.
 */
char *text_escape(const char *text, size_t *ret_width);

/* Like text_escape(), but cuts a result wider than columns (at least 3), and ends it with "...". */
char *text_escape_to(const char *text, size_t columns);

#endif
