/* SPDX-License-Identifier: MIT */
#include "tests/model/texts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake-host.h"

void texts_deinit(Texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->items[i]);
	free(texts->items);
	*texts = (Texts){ 0 };
}

/* Returns the index of the text, or the index at which to insert it. */
static size_t find_index(const Texts *texts, const char *text, bool *ret_found)
{
	size_t low = 0, high = texts->count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(texts->items[middle], text);

		if (order == 0)
			*ret_found = true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static _printf_(1, 0) char *format_text(const char *format, va_list arguments)
{
	char *text;

	fake_host_must(vasprintf(&text, format, arguments) >= 0);
	return text;
}

bool texts_add(Texts *texts, const char *format, ...)
{
	va_list arguments;
	bool found;

	va_start(arguments, format);
	char *text = format_text(format, arguments);
	va_end(arguments);
	size_t index = find_index(texts, text, &found);
	if (found) {
		free(text);
		return false;
	}
	if (texts->count == texts->capacity) {
		texts->capacity = texts->capacity * 2 + 16;
		texts->items = reallocarray(texts->items, texts->capacity, sizeof(char *));
		fake_host_must(texts->items != NULL);
	}
	memmove(&texts->items[index + 1], &texts->items[index],
		(texts->count++ - index) * sizeof(char *));
	texts->items[index] = text;
	return true;
}

bool texts_remove(Texts *texts, const char *format, ...)
{
	va_list arguments;
	bool found;

	va_start(arguments, format);
	char *text = format_text(format, arguments);
	va_end(arguments);
	size_t index = find_index(texts, text, &found);
	free(text);
	if (!found)
		return false;
	free(texts->items[index]);
	memmove(&texts->items[index], &texts->items[index + 1],
		(--texts->count - index) * sizeof(char *));
	return true;
}

const char *texts_missing(const Texts *part, const Texts *whole)
{
	bool found;

	for (size_t i = 0; i < part->count; i++) {
		find_index(whole, part->items[i], &found);
		if (!found)
			return part->items[i];
	}
	return NULL;
}

const char *texts_difference(const Texts *a, const Texts *b)
{
	const char *missing = texts_missing(a, b);

	return missing ? missing : texts_missing(b, a);
}
