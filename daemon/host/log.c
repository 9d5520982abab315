/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

static bool log_has_priorities;

void log_open(void)
{
	log_has_priorities = getenv("JOURNAL_STREAM") != NULL;
}

/* One write a line, so that lines of several processes do not mix. */
static _printf_(2, 0) void log_line(const char *priority, const char *format, va_list arguments)
{
	char message[1024];

	vsnprintf(message, sizeof(message), format, arguments);
	fprintf(stderr, "%s%s\n", log_has_priorities ? priority : "vaild: ", message);
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

DEFINE_LOG(log_error, SD_ERR)
DEFINE_LOG(log_warning, SD_WARNING)
DEFINE_LOG(log_notice, SD_NOTICE)
DEFINE_LOG(log_info, SD_INFO)
