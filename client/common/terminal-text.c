/* SPDX-License-Identifier: MIT */
#include "client/common/terminal-text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "proto/macros.h"

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

static size_t count_of(const char *text, char character)
{
	size_t count = 0;

	while ((text = strchr(text, character))) {
		count++;
		text++;
	}
	return count;
}

/* A part of a text that is not folded: a word, or a command with its arguments. */
struct Part {
	const char *text;
	size_t length;
};

static bool part_is(struct Part part, const char *word)
{
	return part.length == strlen(word) && strncmp(part.text, word, part.length) == 0;
}

static bool is_program(struct Part word)
{
	static const char *const names[] = { "vailctl",   "vail-view",  "vail-qemu", "vail-libvirt",
					     "systemctl", "journalctl", "virsh" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (part_is(word, names[i]))
			return true;
	return false;
}

/* Tests whether messages use the word before a command, as in "run: vailctl list". */
static bool announces_command(struct Part word)
{
	return part_is(word, "see") || (word.length > 0 && word.text[word.length - 1] == ':');
}

/*
 * Returns the length of a command in a message. It ends with a comma or a semicolon, or before a
 * remark in parentheses, but not within single quotes.
 */
static size_t command_length(const char *text)
{
	size_t end = 0;
	bool is_quoted = false;

	while (text[end] != '\0') {
		char next = text[end + 1];

		if (text[end] == '\'')
			is_quoted = !is_quoted;
		else if (!is_quoted && text[end] == ' ' && (next == '(' || next == ' '))
			break;
		else if (!is_quoted && (text[end] == ',' || text[end] == ';') && next == ' ')
			return end + 1;
		end++;
	}
	return end;
}

static struct Part word_at(const char *text)
{
	return (struct Part){ text, strcspn(text, " ") };
}

/* Returns the part behind another one. */
static struct Part part_after(struct Part before, bool keeps_commands)
{
	struct Part part = word_at(before.text + before.length + 1);

	if (keeps_commands && is_program(part) && announces_command(before))
		part.length = command_length(part.text);
	return part;
}

static char *fold(const char *text, size_t columns, size_t indent, bool keeps_commands)
{
	char *result = malloc(strlen(text) + count_of(text, ' ') * (indent + 1) + 1), *end = result;
	struct Part part = word_at(text);
	size_t column = width_of(part.text, part.length);

	if (!result)
		return NULL;
	end = mempcpy(end, part.text, part.length);
	while (part.text[part.length] != '\0') {
		part = part_after(part, keeps_commands);
		size_t width = width_of(part.text, part.length);
		bool fits = column + 1 + width <= columns;

		/* The first of several spaces must not begin a line. */
		if (fits || part.length == 0) {
			*end++ = ' ';
			column += 1 + width;
		} else {
			end += sprintf(end, "\n%*s", (int)indent, "");
			column = indent + width;
		}
		end = mempcpy(end, part.text, part.length);
	}
	*end = '\0';
	return result;
}

char *text_fold(const char *text, size_t columns, size_t indent)
{
	return fold(text, columns, indent, false);
}

char *text_fold_message(const char *text, size_t columns, size_t indent)
{
	return fold(text, columns, indent, true);
}
