/* SPDX-License-Identifier: MIT */
#include "proto/text-fold.h"

#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"

/* A part of a text that is not folded: a word, or a command with its arguments. */
struct Part {
	const char *text;
	size_t length;
};

size_t text_fold_count_characters(const char *text, size_t length)
{
	size_t count = 0;

	/* A character is one byte, and further ones that begin with the bits 10. */
	for (size_t i = 0; i < length; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}

static size_t count_spaces(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += *text == ' ';
	return count;
}

static bool part_is(struct Part part, const char *word)
{
	return part.length == strlen(word) && strncmp(part.text, word, part.length) == 0;
}

static bool is_program(struct Part word)
{
	static const char *const names[] = { "vaild",        "vailctl",   "vail-view",  "vail-qemu",
					     "vail-libvirt", "systemctl", "journalctl", "virsh" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (part_is(word, names[i]))
			return true;
	return false;
}

/* Returns the quotation mark with which the word begins, or 0. */
static char quote_of(struct Part word)
{
	return word.length > 0 && (*word.text == '"' || *word.text == '`') ? *word.text : 0;
}

/* Tests whether the word is the name of a program behind a quotation mark. */
static bool begins_quoted_command(struct Part word)
{
	return quote_of(word) && is_program((struct Part){ word.text + 1, word.length - 1 });
}

/*
 * Tests whether messages use the word before a command, as in "run: vailctl list". Other colons end
 * the name of a program or of a VM, as in "vail-qemu: vaild is not reachable".
 */
static bool announces_command(struct Part word)
{
	static const char *const words[] = {
		"see", "mean",   "run:",     "with:", "use:",   "see:",
		"is:", "start:", "command:", "in:",   "shows:", "runs:"
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (part_is(word, words[i]))
			return true;
	return false;
}

/*
 * Returns the length of a command in a message. It ends with a comma, a semicolon or a question
 * mark, or before a remark in parentheses, but not within quotation marks.
 */
static size_t command_length(const char *text)
{
	size_t end = 0;
	char quote = 0; /* the open quotation mark */

	while (text[end] != '\0' && text[end] != '\n') {
		char next = text[end + 1];

		if (quote ? text[end] == quote : text[end] == '\'' || text[end] == '"')
			quote = quote ? 0 : text[end];
		else if (!quote && text[end] == ' ' && (next == '(' || next == ' '))
			break;
		else if (!quote && strchr(",;?", text[end]) && next == ' ')
			return end + 1;
		end++;
	}
	return end;
}

/* Returns the length of a command with its quotation marks and the text behind it up to a space. */
static size_t quoted_length(const char *text)
{
	const char *end = strchr(text + 1, *text);

	return end ? (size_t)(end - text) + strcspn(end, " \n") : strcspn(text, " \n");
}

static struct Part word_at(const char *text)
{
	return (struct Part){ text, strcspn(text, " \n") };
}

/* Returns the part behind another one. */
static struct Part part_after(struct Part before, bool keeps_commands)
{
	struct Part part = word_at(before.text + before.length + 1);

	if (keeps_commands && begins_quoted_command(part))
		part.length = quoted_length(part.text);
	else if (keeps_commands && is_program(part) && announces_command(before))
		part.length = command_length(part.text);
	return part;
}

/* Writes the text, and returns its end. */
static char *append(char *end, const char *text, size_t length)
{
	memcpy(end, text, length);
	return end + length;
}

static char *append_fold(char *end, size_t indent)
{
	*end++ = '\n';
	memset(end, ' ', indent);
	return end + indent;
}

char *text_fold_words(const char *text, size_t columns, size_t indent, bool keeps_commands,
		      TextWidth *width)
{
	char *result = malloc(strlen(text) + count_spaces(text) * (indent + 1) + 1), *end = result;
	struct Part part = word_at(text);
	size_t column = width(part.text, part.length);

	if (!result)
		return NULL;
	end = append(end, part.text, part.length);
	while (part.text[part.length] != '\0') {
		bool begins = part.text[part.length] == '\n';

		part = part_after(part, keeps_commands);
		size_t own = width(part.text, part.length);
		bool fits = column + 1 + own <= columns;

		/* The first of several spaces must not begin a line. */
		if (begins) {
			*end++ = '\n';
			column = own;
		} else if (fits || part.length == 0) {
			*end++ = ' ';
			column += 1 + own;
		} else {
			end = append_fold(end, indent);
			column = indent + own;
		}
		end = append(end, part.text, part.length);
	}
	*end = '\0';
	return result;
}
