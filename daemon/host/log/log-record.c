/* SPDX-License-Identifier: MIT */
#define SD_JOURNAL_SUPPRESS_LOCATION /* source positions do not help readers of the log */
#include "daemon/host/log/log-record.h"

#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-journal.h>

#include "daemon/host/log/log.h"

static _printf_(2, 0) void add(LogRecord *record, const char *format, va_list arguments)
{
	size_t room = sizeof(record->text) - record->used;

	if (record->count == LOG_RECORD_FIELDS_MAX || room < 2)
		return;
	char *text = record->text + record->used;
	int written = vsnprintf(text, room, format, arguments);
	if (written < 0)
		return;
	size_t length = (size_t)written < room ? (size_t)written : room - 1;
	record->fields[record->count++] = (struct iovec){ .iov_base = text, .iov_len = length };
	record->used += length + 1;
}

void log_record_add(LogRecord *record, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(record, format, arguments);
	va_end(arguments);
}

void log_record_init(LogRecord *record, int priority, const char *message_id)
{
	record->priority = priority;
	record->count = record->used = 0;
	log_record_add(record, "MESSAGE_ID=%s", message_id);
	log_record_add(record, "PRIORITY=%d", priority);
}

void log_record_send(LogRecord *record, const char *format, ...)
{
	char message[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	if (log_is_journal()) {
		log_record_add(record, "MESSAGE=%s", message);
		if (sd_journal_sendv(record->fields, (int)record->count) >= 0)
			return;
	}
	log_write(record->priority, message);
}
