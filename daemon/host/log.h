/* SPDX-License-Identifier: MIT */
#ifndef HOST_LOG_H
#define HOST_LOG_H

#include <stdbool.h>

#include "macros.h"

/*
 * The daemon's own log, on stderr, a line each: its troubles and what it is doing. With systemd
 * behind stderr the lines carry its priorities. The only mutable global of the daemon is in here.
 */

void log_open(void);

void log_error(const char *format, ...) _printf_(1, 2);   /* something does not work */
void log_warning(const char *format, ...) _printf_(1, 2); /* it works, and should be looked at */
void log_info(const char *format, ...) _printf_(1, 2);

/* For log-record.c: whether the journal is behind stderr, and one line of a priority of syslog.h.
 */
bool log_is_journal(void);
void log_write(int priority, const char *message);

#endif
