/* SPDX-License-Identifier: MIT */
#include "proto/json-writer.h"

#include <string.h>

#include "proto/hex.h"

/* Reserves size bytes and a comma before them. Returns NULL once the writer has failed. */
static char *writer_room(Writer *writer, size_t size)
{
	if (writer->failed || !buffer_reserve(writer->out, size + 1)) {
		writer->failed = true;
		return NULL;
	}
	return buffer_tail(writer->out);
}

static void writer_put(Writer *writer, const char *text, size_t length)
{
	char *tail = writer_room(writer, length);

	if (!tail)
		return;
	if (writer->comma)
		*tail++ = ',';
	memcpy(tail, text, length);
	writer->out->end += length + writer->comma;
}

static void writer_put_byte(Writer *writer, char byte)
{
	char *tail = writer_room(writer, 1);

	if (!tail)
		return;
	if (writer->comma)
		*tail++ = ',';
	*tail = byte;
	writer->out->end += 1 + writer->comma;
}

static void writer_begin(Writer *writer, char bracket)
{
	writer_put_byte(writer, bracket);
	writer->comma = false;
}

static void writer_end(Writer *writer, char bracket)
{
	writer->comma = false;
	writer_put_byte(writer, bracket);
	writer->comma = true;
}

void writer_object_begin(Writer *writer)
{
	writer_begin(writer, '{');
}

void writer_object_end(Writer *writer)
{
	writer_end(writer, '}');
}

void writer_array_begin(Writer *writer)
{
	writer_begin(writer, '[');
}

void writer_array_end(Writer *writer)
{
	writer_end(writer, ']');
}

void writer_key_quoted(Writer *writer, const char *quoted, size_t length)
{
	writer_put(writer, quoted, length);
	writer->comma = false;
}

static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte != 0x7f && byte != '"' && byte != '\\';
}

/* Writes the escape of a byte that is not plain. Returns the number of bytes written, 2 to 6. */
static size_t escape_byte(char *out, unsigned char byte)
{
	switch (byte) {
	case '"':
	case '\\':
		out[0] = '\\';
		out[1] = (char)byte;
		return 2;
	case '\n':
		memcpy(out, "\\n", 2);
		return 2;
	default:
		memcpy(out, "\\u00", 4);
		out[4] = hex_character(byte >> 4);
		out[5] = hex_character(byte);
		return 6;
	}
}

void writer_string(Writer *writer, const char *text)
{
	size_t length = strlen(text);
	char *begin = writer_room(writer, length * 6 + 2), *tail = begin;

	if (!tail)
		return;
	if (writer->comma)
		*tail++ = ',';
	*tail++ = '"';
	for (size_t i = 0; i < length; i++)
		if (is_plain((unsigned char)text[i]))
			*tail++ = text[i];
		else
			tail += escape_byte(tail, (unsigned char)text[i]);
	*tail++ = '"';
	writer->out->end += (size_t)(tail - begin);
	writer->comma = true;
}

/* Writes a value that needs no escapes. */
static void writer_value(Writer *writer, const char *text, size_t length)
{
	writer_put(writer, text, length);
	writer->comma = true;
}

/* Writes the number's digits so that they end at end. Returns their beginning. */
static char *format_digits(char *end, uint64_t number)
{
	do
		*--end = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	return end;
}

void writer_unsigned(Writer *writer, uint64_t number)
{
	char digits[20], *end = digits + sizeof(digits), *begin = format_digits(end, number);

	writer_value(writer, begin, (size_t)(end - begin));
}

void writer_address(Writer *writer, uint64_t address)
{
	char text[sizeof("\"0x\"") + 16], *end = text + sizeof(text), *begin = end;

	*--begin = '"';
	do
		*--begin = hex_character(address);
	while ((address >>= 4) > 0);
	*--begin = 'x';
	*--begin = '0';
	*--begin = '"';
	writer_value(writer, begin, (size_t)(end - begin));
}

void writer_boolean(Writer *writer, bool value)
{
	writer_value(writer, value ? "true" : "false", value ? 4 : 5);
}

void writer_seconds(Writer *writer, uint64_t microseconds)
{
	char text[32], *end = text + sizeof(text);
	/* Adding 1000000 keeps the fraction's leading zeros; the point replaces the added 1. */
	char *point = format_digits(end, 1000000 + microseconds % 1000000);
	char *begin = format_digits(point, microseconds / 1000000);

	*point = '.';
	writer_value(writer, begin, (size_t)(end - begin));
}

void writer_guid(Writer *writer, const Guid *guid)
{
	char text[GUID_TEXT_LENGTH + 3] = "\"";

	guid_format(guid, text + 1);
	text[GUID_TEXT_LENGTH + 1] = '"';
	writer_value(writer, text, GUID_TEXT_LENGTH + 2);
}

void writer_handle(Writer *writer, const Handle *handle)
{
	char text[HANDLE_TEXT_LENGTH + 3] = "\"";

	handle_format(handle, text + 1);
	text[HANDLE_TEXT_LENGTH + 1] = '"';
	writer_value(writer, text, HANDLE_TEXT_LENGTH + 2);
}

void writer_json(Writer *writer, const char *json, size_t length)
{
	writer_value(writer, json, length);
}

void writer_terminator(Writer *writer, char terminator)
{
	writer->comma = false;
	writer_put_byte(writer, terminator);
}
