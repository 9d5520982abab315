/* SPDX-License-Identifier: MIT */
#include "client/common/terminal-text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "proto/text-fold.h"

/* Tests for characters without width that change how their neighbours are shown. */
static bool is_deceptive(wchar_t character)
{
	return (character >= 0x200b && character <= 0x200f) ||
	       (character >= 0x2028 && character <= 0x202e) ||
	       (character >= 0x2060 && character <= 0x206f) || character == 0xfeff ||
	       character == 0x061c;
}

/* Returns the bytes and the width of the first character, or 0 bytes if it must be escaped. */
static size_t printable_size(const char *text, size_t length, size_t *ret_width)
{
	mbstate_t state = { 0 };
	wchar_t character;
	size_t size = mbrtowc(&character, text, length, &state);

	if (size == 0 || size == (size_t)-1 || size == (size_t)-2 || is_deceptive(character))
		return 0;
	int width = wcwidth(character);
	if (width < 0)
		return 0;
	*ret_width = (size_t)width;
	return size;
}

char *text_escape(const char *text, size_t *ret_width)
{
	size_t length = strlen(text), total = 0;
	char *result = malloc(length * 4 + 1), *tail = result;

	if (!result)
		return NULL;
	while (length > 0) {
		size_t width = 4, size = printable_size(text, length, &width);

		if (size > 0) {
			memcpy(tail, text, size);
			tail += size;
		} else {
			size = 1;
			tail += sprintf(tail, "\\x%02x", (unsigned char)*text);
		}
		text += size;
		length -= size;
		total += width;
	}
	*tail = '\0';
	if (ret_width)
		*ret_width = total;
	return result;
}

char *text_escape_to(const char *text, size_t columns)
{
	size_t width, left = columns - strlen("...");
	char *safe = text_escape(text, &width), *end = safe;

	if (!safe || width <= columns)
		return safe;
	/* The escaped text is wider than columns, so the loop ends before its NUL. */
	while (true) {
		size_t character = 1, size = printable_size(end, strlen(end), &character);

		if (character > left)
			break;
		left -= character;
		end += size > 0 ? size : 1;
	}
	strcpy(end, "..."); /* fits, because at least 3 columns, so 3 bytes, are cut */
	return safe;
}

char *text_escape_around(const char *text, size_t tail, size_t columns)
{
	size_t length = strlen(text);
	char *head = NULL, *safe = NULL, *both = NULL;

	if (tail == 0)
		return text_escape_to(text, columns);
	if (tail >= length || columns < tail + strlen("..."))
		return text_escape(text, NULL);
	head = strndup(text, length - tail);
	if (head)
		safe = text_escape_to(head, columns - tail);
	if (safe && asprintf(&both, "%s%s", safe, text + length - tail) < 0)
		both = NULL;
	free(head);
	free(safe);
	return both;
}

/* Returns the width of escaped text in columns. */
static size_t width_of(const char *text, size_t length)
{
	size_t total = 0;

	while (length > 0) {
		size_t width = 1, size = printable_size(text, length, &width);

		if (size == 0)
			size = 1;
		text += size;
		length -= size;
		total += width;
	}
	return total;
}

char *text_fold(const char *text, size_t columns, size_t indent)
{
	return text_fold_words(text, columns, indent, false, width_of);
}

char *text_fold_message(const char *text, size_t columns, size_t indent)
{
	return text_fold_words(text, columns, indent, true, width_of);
}
