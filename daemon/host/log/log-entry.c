/* SPDX-License-Identifier: MIT */
#define SD_JOURNAL_SUPPRESS_LOCATION /* source positions do not help readers of the log */
#include "daemon/host/log/log-entry.h"

#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-journal.h>

#include "daemon/host/log/log.h"

static _printf_(2, 0) void add(LogEntry *entry, const char *format, va_list arguments)
{
	size_t room = sizeof(entry->text) - entry->used;

	if (entry->count == LOG_ENTRY_FIELDS_MAX || room < 2)
		return;
	char *text = entry->text + entry->used;
	int written = vsnprintf(text, room, format, arguments);
	if (written < 0)
		return;
	size_t length = (size_t)written < room ? (size_t)written : room - 1;
	entry->fields[entry->count++] = (struct iovec){ .iov_base = text, .iov_len = length };
	entry->used += length + 1;
}

void log_entry_add(LogEntry *entry, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(entry, format, arguments);
	va_end(arguments);
}

void log_entry_init(LogEntry *entry, int priority, const char *message_id)
{
	entry->priority = priority;
	entry->count = entry->used = 0;
	log_entry_add(entry, "MESSAGE_ID=%s", message_id);
	log_entry_add(entry, "PRIORITY=%d", priority);
}

void log_entry_send(LogEntry *entry, const char *format, ...)
{
	char message[LOG_ENTRY_MESSAGE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	if (log_is_journal()) {
		log_entry_add(entry, "MESSAGE=%s", message);
		if (sd_journal_sendv(entry->fields, (int)entry->count) >= 0)
			return;
	}
	log_write(entry->priority, message);
}
