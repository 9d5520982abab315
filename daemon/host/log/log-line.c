/* SPDX-License-Identifier: MIT */
#include "daemon/host/log/log-line.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/text-fold.h"

#define FOLDED_INDENT 2

/* Buffer size of a time, such as "Nov 30 18:49:01 ". */
#define TIME_SIZE 32

static size_t terminal_columns(void)
{
	struct winsize size = { 0 };

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static bool is_file(void)
{
	struct stat status;

	return fstat(STDERR_FILENO, &status) == 0 && S_ISREG(status.st_mode);
}

/* Writes the local time and a space, or "" if the time has no date. */
static void format_time(char text[static TIME_SIZE])
{
	time_t now = time(NULL);
	struct tm local;

	if (!localtime_r(&now, &local) || strftime(text, TIME_SIZE, "%b %e %H:%M:%S ", &local) == 0)
		*text = '\0';
}

LogReader log_reader_find(void)
{
	LogReader reader = { .is_terminal = isatty(STDERR_FILENO) };

	reader.wants_time = reader.is_terminal || is_file();
	return reader;
}

/* Returns the line as a terminal shows it, to be freed, or NULL if out of memory. */
static char *fold(const char *when, const char *message)
{
	_cleanup_free_ char *line = NULL;

	if (asprintf(&line, "%svaild: %s", when, message) < 0)
		return NULL;
	return text_fold_words(line, terminal_columns(), FOLDED_INDENT, true,
			       text_fold_count_characters);
}

/* Writes the line with one call, so that lines of several processes do not mix. */
void log_line_write(LogReader reader, const char *message)
{
	char when[TIME_SIZE] = "";
	_cleanup_free_ char *folded = NULL;

	if (reader.wants_time)
		format_time(when);
	if (reader.is_terminal)
		folded = fold(when, message);
	if (folded)
		fprintf(stderr, "%s\n", folded);
	else
		fprintf(stderr, "%svaild: %s\n", when, message);
}

void message_print(const char *format, ...)
{
	LogReader reader = { .is_terminal = isatty(STDERR_FILENO) };
	_cleanup_free_ char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	va_end(arguments);
	log_line_write(reader, message ? message : "out of memory");
}
