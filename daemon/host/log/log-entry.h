/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_LOG_LOG_ENTRY_H
#define DAEMON_HOST_LOG_LOG_ENTRY_H

#include <stddef.h>
#include <sys/uio.h>

#include "daemon/host/log/catalog-ids.h"
#include "proto/macros.h"

/*
 * A log entry: a sentence, and the same facts as fields for programs. If the journal reads stderr,
 * it is sent as one structured entry with its MESSAGE_ID. Otherwise only the sentence is written to
 * stderr.
 */
#define LOG_ENTRY_FIELDS_MAX   24
#define LOG_ENTRY_TEXT_SIZE    6144
#define LOG_ENTRY_MESSAGE_SIZE 2048

typedef struct LogEntry {
	int priority; /* one of syslog.h */
	size_t count;
	size_t used; /* bytes of text in use */
	struct iovec fields[LOG_ENTRY_FIELDS_MAX];
	char text[LOG_ENTRY_TEXT_SIZE];
} LogEntry;

/* Initialises the entry with a message id of catalog-ids.h. */
void log_entry_init(LogEntry *entry, int priority, const char *message_id);

/*
 * Adds a field such as "VAIL_PID=%d". Truncates text that does not fit, and drops fields beyond
 * LOG_ENTRY_FIELDS_MAX.
 */
void log_entry_add(LogEntry *entry, const char *format, ...) _printf_(2, 3);

/* Sends the entry with this sentence as its message. */
void log_entry_send(LogEntry *entry, const char *format, ...) _printf_(2, 3);

#endif
