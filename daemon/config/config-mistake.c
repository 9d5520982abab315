/* SPDX-License-Identifier: MIT */
#include "daemon/config/config-mistake.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/fd-util.h"

/* Formats ":LINE:COLUMN" of a position in the file, both from 1. A column is one character. */
static void format_position(const ConfigFile *file, const char *position, char *text, size_t size)
{
	size_t line = 1, column = 1;

	text[0] = '\0';
	if (!file->text || !position)
		return;
	for (const char *at = file->text; at < position; at++) {
		if (*at == '\n') {
			line++;
			column = 1;
		} else if ((*at & 0xc0) != 0x80) {
			column++;
		}
	}
	snprintf(text, size, ":%zu:%zu", line, column);
}

/* A name in a file may contain anything, but the sentence goes to terminals and to systemd. */
static void remove_control_characters(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

/* Removes the beginning of a character from the end of text that fills the buffer. */
static void cut_at_character(char *text, size_t size)
{
	size_t length = strlen(text);

	while (length == size - 1 && length > 0 && (text[length - 1] & 0x80)) {
		text[--length] = '\0';
		size--;
	}
}

bool config_mistake_at(const ConfigFile *file, const char *position, const char *format, ...)
{
	ConfigError *error = file->ret_error;
	char where[48];
	va_list arguments;

	format_position(file, position, where, sizeof(where));
	snprintf(error->message, sizeof(error->message), "%s%s: ", file->path, where);
	size_t length = strlen(error->message);
	va_start(arguments, format);
	vsnprintf(error->message + length, sizeof(error->message) - length, format, arguments);
	va_end(arguments);
	remove_control_characters(error->message);
	cut_at_character(error->message, sizeof(error->message));
	return false;
}

const char *config_quote(const char *text, size_t length, char quote[static CONFIG_QUOTE_SIZE])
{
	size_t end = length;

	if (length >= CONFIG_QUOTE_SIZE)
		for (end = CONFIG_QUOTE_SIZE - sizeof("…"); end > 0 && (text[end] & 0xc0) == 0x80;)
			end--;
	snprintf(quote, CONFIG_QUOTE_SIZE, "%.*s%s", (int)end, text, end < length ? "…" : "");
	return quote;
}

const char *config_find(const ConfigFile *file, const char *path)
{
	return file->value.length > 0 ? json_text_find(file->value, path) : NULL;
}

bool config_cannot_read(const ConfigFile *file, int error)
{
	file->ret_error->is_temporary = errno_is_exhaustion(error);
	return config_mistake(file, "cannot be read: %s", strerror(error));
}
