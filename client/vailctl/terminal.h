/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_TERMINAL_H
#define CLIENT_VAILCTL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "proto/process-start.h"

/* Colours, width and pager, with the conventions of systemd's tools. */

typedef struct Terminal {
	bool is_terminal; /* stdout is a terminal */
	bool has_colours;
	const char *pager;       /* $PAGER; NULL if it is unset */
	const StartState *start; /* of the pager; not owned */
	FILE *output;            /* the original stdout while the text is held back, or NULL */
	char *text;              /* held back; owned */
	size_t text_size;        /* in bytes */
} Terminal;

/*
 * Detects whether stdout is a terminal. If use_pager is set and it is, holds back what is written
 * to stdout until terminal_close(). Colours are off unless stdout is a terminal, and if NO_COLOR is
 * set or TERM is "dumb". The pager is $PAGER, or less if that is unset; an empty value or "cat"
 * means none. It will get the signal state in start, which must outlive the terminal.
 */
void terminal_open(Terminal *terminal, bool use_pager, const StartState *start);

/*
 * Prints the text that was held back: in the pager if it does not fit on the terminal, and then
 * waits for the pager to exit. Prints it unpaged if the pager cannot run, or fails before it has
 * read anything. Three rows, such as the names of columns, one row of a table and a remark, are
 * never paged.
 */
void terminal_close(Terminal *terminal);

/* Returns the width in columns: $COLUMNS, else the terminal's, else 80; at least minimum. */
size_t terminal_width(const Terminal *terminal, size_t minimum);

/*
 * Returns the width in columns that tables have to fit: that of the terminal, see above. Returns 0,
 * for unlimited, if stdout is no terminal, whatever COLUMNS is.
 */
size_t terminal_table_width(const Terminal *terminal);

/* Tests whether COLUMNS, and not the terminal, sets the width. */
bool terminal_is_set_width(void);

/*
 * Counts the rows that a terminal of that many columns needs for the text, whose lines it wraps.
 * Escape sequences of colours have no width.
 */
size_t terminal_rows_of(const char *text, size_t size, size_t columns);

#endif
