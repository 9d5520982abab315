/* SPDX-License-Identifier: MIT */
#ifndef HOST_LOG_RECORD_H
#define HOST_LOG_RECORD_H

#include <stddef.h>
#include <sys/uio.h>

#include "macros.h"
#include "message-ids.h"

/*
 * One record of the log: a sentence, and what it says once more as fields, for programs. With the
 * journal behind stderr it becomes one record there, with its MESSAGE_ID; else the sentence is a
 * line of stderr, which says it all.
 */
#define LOG_RECORD_FIELDS_MAX 16
#define LOG_RECORD_TEXT_SIZE  2048

typedef struct LogRecord {
	int priority; /* of syslog.h */
	size_t count;
	size_t used; /* of text */
	struct iovec fields[LOG_RECORD_FIELDS_MAX];
	char text[LOG_RECORD_TEXT_SIZE];
} LogRecord;

/* message_id: of message-ids.h. */
void log_record_init(LogRecord *record, int priority, const char *message_id);

/* "VAIL_PID=%d" and such. What finds no room any more is left out, cut short where it is text. */
void log_record_add(LogRecord *record, const char *format, ...) _printf_(2, 3);

/* Sends it, with the sentence. */
void log_record_send(LogRecord *record, const char *format, ...) _printf_(2, 3);

#endif
