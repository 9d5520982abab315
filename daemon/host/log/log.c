/* SPDX-License-Identifier: MIT */
#include "daemon/host/log/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon/host/log/log-line.h"

static bool log_journal_reads;
static LogReader log_reader;
static char log_error_text[1024];

/* JOURNAL_STREAM is inherited. It is valid only if it names the file that stderr is now. */
void log_open(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat status;

	log_reader = log_reader_find();
	if (!stream || fstat(STDERR_FILENO, &status) < 0)
		return;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	log_journal_reads = strcmp(stream, own) == 0;
}

bool log_is_journal(void)
{
	return log_journal_reads;
}

/* Writes the line with one call, so that lines of several processes do not mix. */
void log_write(int priority, const char *message)
{
	if (log_journal_reads)
		fprintf(stderr, "<%d>%s\n", priority, message);
	else
		log_line_write(log_reader, message);
}

static _printf_(2, 0) void log_line(int priority, const char *format, va_list arguments)
{
	char message[1024];

	vsnprintf(message, sizeof(message), format, arguments);
	if (priority == LOG_ERR)
		memcpy(log_error_text, message, sizeof(message));
	log_write(priority, message);
}

const char *log_last_error(void)
{
	log_error_text[strcspn(log_error_text, "\n")] = '\0';
	return log_error_text;
}

#define DEFINE_LOG(name, priority)                     \
	void name(const char *format, ...)             \
	{                                              \
		va_list arguments;                     \
                                                       \
		va_start(arguments, format);           \
		log_line(priority, format, arguments); \
		va_end(arguments);                     \
	}

DEFINE_LOG(log_error, LOG_ERR)
DEFINE_LOG(log_warning, LOG_WARNING)
DEFINE_LOG(log_info, LOG_INFO)
