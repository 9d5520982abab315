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

/*
 * Like text_escape_to(), but keeps the last bytes of the text, such as the digits of a GUID, behind
 * the "...".
 *
 * tail: number of those bytes, which are printable ASCII. If it is the length of the text, or too
 *       large for the columns, nothing is cut.
 */
char *text_escape_around(const char *text, size_t tail, size_t columns);

/*
 * Fold escaped text between words, see text_fold_words(). text_fold_message() keeps commands that
 * the message suggests.
 *
 * text: a result of text_escape().
 * indent: number of spaces before each further line.
 *
 * The caller frees the result. Return NULL if out of memory.
 */
char *text_fold(const char *text, size_t columns, size_t indent);
char *text_fold_message(const char *text, size_t columns, size_t indent);

#endif
