/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_TERMINAL_H
#define CLIENT_VAILCTL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/process-start.h"

/* Colours and pager, with the conventions of systemd's tools. */

typedef struct Terminal {
	bool is_terminal; /* stdout was a terminal before the pager started */
	bool has_colours;
	pid_t pager; /* 0 if none runs */
	int output;  /* fd of the original stdout while a pager runs */
} Terminal;

/*
 * Detects whether stdout is a terminal, and starts a pager if use_pager is set and it is. Colours
 * are off unless stdout is a terminal, and if NO_COLOR is set or TERM is "dumb". The pager is
 * $PAGER, or less if that is unset; an empty value or "cat" means none. stdout goes to the pager
 * until terminal_close(), which waits for the pager to exit. The pager gets the signal state in
 * start.
 */
void terminal_open(Terminal *terminal, bool use_pager, const StartState *start);
void terminal_close(Terminal *terminal);

/* Returns the width in columns: $COLUMNS, else the terminal's, else 80; at least minimum. */
size_t terminal_width(const Terminal *terminal, size_t minimum);

#endif
