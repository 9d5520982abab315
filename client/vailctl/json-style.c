/* SPDX-License-Identifier: MIT */
#include "client/vailctl/json-style.h"

#include <string.h>
#include <sys/types.h>

#define INDENT 2

static void break_line(const JsonStyle *style)
{
	fprintf(style->out, "\n%*s", (int)(style->depth * INDENT), "");
}

static void write_string_part(JsonStyle *style, char character)
{
	fputc(character, style->out);
	if (style->is_escaped)
		style->is_escaped = false;
	else if (character == '\\')
		style->is_escaped = true;
	else if (character == '"')
		style->in_string = false;
}

/* Begins the first item of an object or array on its own line. */
static void begin_item(JsonStyle *style)
{
	if (style->is_empty)
		break_line(style);
	style->is_empty = false;
}

static void open_container(JsonStyle *style, char character)
{
	begin_item(style);
	fputc(character, style->out);
	style->depth++;
	style->is_empty = true;
}

static void close_container(JsonStyle *style, char character)
{
	style->depth--;
	if (!style->is_empty)
		break_line(style);
	style->is_empty = false;
	fputc(character, style->out);
}

static void write_inside(JsonStyle *style, char character)
{
	switch (character) {
	case '{':
	case '[':
		open_container(style, character);
		break;
	case '}':
	case ']':
		close_container(style, character);
		break;
	case ',':
		fputc(character, style->out);
		break_line(style);
		break;
	case ':':
		fputs(": ", style->out);
		break;
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		break;
	default:
		begin_item(style);
		style->in_string = character == '"';
		fputc(character, style->out);
		break;
	}
}

static void write_outside(JsonStyle *style, char character)
{
	if (character == '{' && !style->in_line) {
		style->is_empty = false;
		open_container(style, character);
		return;
	}
	fputc(character, style->out);
	style->in_line = character != '\n';
}

/* Implements cookie_write_function_t. Returns 0 on failure. */
static ssize_t write_text(void *cookie, const char *text, size_t size)
{
	JsonStyle *style = cookie;

	for (size_t i = 0; i < size; i++)
		if (style->in_string)
			write_string_part(style, text[i]);
		else if (style->depth > 0)
			write_inside(style, text[i]);
		else
			write_outside(style, text[i]);
	bool is_written = fflush(style->out) == 0 && !ferror(style->out);
	clearerr(style->out); /* the new stream keeps the error, until its user clears it */
	return is_written ? (ssize_t)size : 0;
}

bool json_style_open(JsonStyle *style)
{
	const cookie_io_functions_t functions = { .write = write_text };

	*style = (JsonStyle){ .out = stdout };
	style->compact = fopencookie(style, "w", functions);
	if (style->compact)
		stdout = style->compact;
	else
		style->out = NULL;
	return style->compact != NULL;
}

bool json_style_close(JsonStyle *style)
{
	if (!style->out)
		return true;
	stdout = style->out;
	bool failed = ferror(style->compact) != 0;
	failed |= fclose(style->compact) != 0;
	style->out = NULL;
	return !failed;
}
