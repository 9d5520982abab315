/* SPDX-License-Identifier: MIT */
#include "proto/option-fault.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"
#include "proto/suggest.h"

/* The maximum number of long options of a program. */
#define LONG_OPTIONS_MAX 64

/* Returns the text, to be freed; NULL if out of memory. */
_printf_(1, 2) static char *format_text(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	size_t size = (size_t)length + 1;
	char *text = length < 0 ? NULL : malloc(size);
	if (!text)
		return NULL;
	va_start(arguments, format);
	vsnprintf(text, size, format, arguments);
	va_end(arguments);
	return text;
}

/* Returns the first option with this value, which is the one that the help shows. */
static const char *name_of_value(const struct option *long_options, int value)
{
	while (long_options->val != value)
		long_options++;
	return long_options->name;
}

/*
 * Describes a long option that is unknown, or the beginning of several. word: with its dashes, or
 * with one dash.
 */
static char *describe_unknown(const char *word, const struct option *long_options)
{
	const char *names[LONG_OPTIONS_MAX];
	size_t dashes = strspn(word, "-"), length = strcspn(word, "=") - dashes;
	size_t count = 0, fits = 0;
	char name[SUGGEST_LENGTH_MAX];

	snprintf(name, sizeof(name), "%.*s", (int)length, word + dashes);
	for (; long_options[count].name && count < LONG_OPTIONS_MAX; count++) {
		names[count] = long_options[count].name;
		fits += strncmp(names[count], name, length) == 0;
	}
	const char *suggested = fits > 1 ? NULL : suggest_nearest(name, names, count);
	for (size_t i = 0; suggested && i < count; i++)
		if (names[i] == suggested)
			suggested = name_of_value(long_options, long_options[i].val);
	if (fits > 1)
		return format_text("%.*s%s fits several options;", (int)dashes, word, name);
	if (suggested)
		return format_text("%.*s%s is not an option; did you mean --%s?", (int)dashes, word,
				   name, suggested);
	return format_text("%s is not an option;", word);
}

/* Returns a long option that was given with one dash, such as "-json", or NULL. */
static const char *find_single_dash(const OptionFault *fault)
{
	/* getopt_long() stays at such a word as long as it has further letters. */
	const char *last = fault->word, *word = fault->next_word;
	bool is_letter = *last == '-' && last[1] == fault->value && last[2] == '\0';

	if (is_letter || !word || *word != '-' || word[1] == '-' || !strchr(word, fault->value))
		return NULL;
	return strlen(word) > 2 ? word : NULL;
}

static char *describe_letter(const OptionFault *fault, const struct option *long_options)
{
	const char *single_dash = find_single_dash(fault);

	if (fault->result == ':')
		return format_text("-%c needs a value;", fault->value);
	if (single_dash)
		return describe_unknown(single_dash, long_options);
	return format_text("-%c is not an option;", fault->value);
}

char *option_fault_describe(const OptionFault *fault, const struct option *long_options)
{
	/* getopt_long() has moved past a wrong long option, but not always past a short one. */
	bool is_long = fault->value == 0 || fault->value >= LONG_OPTION_BASE;

	if (!is_long)
		return describe_letter(fault, long_options);
	if (fault->result == ':')
		return format_text("%s needs a value;", fault->word);
	if (fault->value == 0)
		return describe_unknown(fault->word, long_options);
	return format_text("%s: this option takes no value;", fault->word);
}
