/* SPDX-License-Identifier: MIT */
#include "proto/open-metrics.h"

#include <stdarg.h>
#include <stdio.h>

#define LINES_SIZE 512

void open_metrics_put(OpenMetrics *text, const char *format, ...)
{
	va_list arguments;

	if (text->failed || !buffer_reserve(text->out, LINES_SIZE)) {
		text->failed = true;
		return;
	}
	va_start(arguments, format);
	int length = vsnprintf(buffer_tail(text->out), LINES_SIZE, format, arguments);
	va_end(arguments);
	if (length < 0 || length >= LINES_SIZE)
		text->failed = true;
	else
		text->out->end += (size_t)length;
}

void open_metrics_family(OpenMetrics *text, const char *name, const char *type, const char *unit,
			 const char *help)
{
	open_metrics_put(text, "# TYPE %s_%s %s\n", text->prefix, name, type);
	if (unit)
		open_metrics_put(text, "# UNIT %s_%s %s\n", text->prefix, name, unit);
	open_metrics_put(text, "# HELP %s_%s %s\n", text->prefix, name, help);
}

bool open_metrics_end(OpenMetrics *text)
{
	open_metrics_put(text, "# EOF\n");
	return !text->failed && buffer_append(text->out, "", 1);
}
