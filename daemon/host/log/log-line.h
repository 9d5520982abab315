/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_LOG_LOG_LINE_H
#define DAEMON_HOST_LOG_LOG_LINE_H

#include <stdbool.h>

#include "proto/macros.h"

/* Messages on a stderr that people read directly. The journal has its own form, see log.c. */

typedef struct LogReader {
	bool is_terminal; /* gets long messages folded between words */
	bool wants_time;  /* a terminal or a file; others, such as a container's log, add one */
} LogReader;

/* Finds out what stderr is. */
LogReader log_reader_find(void);

/* Writes "vaild: MESSAGE" to stderr, behind the local time if the reader wants it. */
void log_line_write(LogReader reader, const char *message);

/* The same without a time, for a command line that does not start the daemon. */
void message_print(const char *format, ...) _printf_(1, 2);

#endif
