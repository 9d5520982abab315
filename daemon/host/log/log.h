/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_LOG_LOG_H
#define DAEMON_HOST_LOG_LOG_H

#include <stdbool.h>

#include "proto/macros.h"

/*
 * The daemon's own log: one line per message on stderr, with systemd's priority prefix if the
 * journal reads stderr, and otherwise as log-line.h says. log.c holds the only mutable global
 * variables of the daemon.
 */

void log_open(void);

void log_error(const char *format, ...) _printf_(1, 2);   /* something does not work */
void log_warning(const char *format, ...) _printf_(1, 2); /* it works, but needs attention */
void log_info(const char *format, ...) _printf_(1, 2);

/*
 * For log-entry.c. log_is_journal() returns true if the journal reads stderr. log_write() writes
 * one line; the priority is one of syslog.h.
 */
bool log_is_journal(void);
void log_write(int priority, const char *message);

/* Returns the last message of log_error(), in one line, or "". */
const char *log_last_error(void);

#endif
