/* SPDX-License-Identifier: MIT */
#include "client/common/fd-call.h"

#include <endian.h>
#include <string.h>
#include <systemd/sd-bus-protocol.h>

#include "proto/macros.h"

/* The longest name that D-Bus allows. */
#define NAME_MAX_SIZE 255

/* The header fields of D-Bus. */
enum {
	FIELD_PATH = 1,
	FIELD_INTERFACE = 2,
	FIELD_MEMBER = 3,
	FIELD_DESTINATION = 6,
	FIELD_SENDER = 7,
	FIELD_SIGNATURE = 8,
	FIELD_UNIX_FDS = 9,
	FIELDS,
};

/* Reads the rest of the header fields. */
typedef struct Reader {
	const uint8_t *message;
	size_t at;
	size_t end;
	bool is_big_endian;
} Reader;

static uint32_t number_at(const Reader *reader, size_t offset)
{
	uint32_t number;

	memcpy(&number, reader->message + offset, sizeof(number));
	return reader->is_big_endian ? be32toh(number) : le32toh(number);
}

/* Skips the padding, which is zero. */
static bool align(Reader *reader, size_t alignment)
{
	for (; reader->at % alignment != 0; reader->at++)
		if (reader->at >= reader->end || reader->message[reader->at] != 0)
			return false;
	return true;
}

static bool read_number(Reader *reader, uint32_t *ret)
{
	if (!align(reader, sizeof(*ret)) || reader->end - reader->at < sizeof(*ret))
		return false;
	*ret = number_at(reader, reader->at);
	reader->at += sizeof(*ret);
	return true;
}

/* Reads bytes that end with a zero, and returns them. Returns NULL if they contain another one. */
static const char *read_bytes(Reader *reader, size_t size)
{
	const char *text = (const char *)reader->message + reader->at;

	if (reader->end - reader->at <= size || strnlen(text, size + 1) != size)
		return NULL;
	reader->at += size + 1;
	return text;
}

static const char *read_text(Reader *reader)
{
	uint32_t size;

	return read_number(reader, &size) && size <= NAME_MAX_SIZE ? read_bytes(reader, size)
								   : NULL;
}

static const char *read_signature(Reader *reader)
{
	return reader->at < reader->end ? read_bytes(reader, reader->message[reader->at++]) : NULL;
}

/* ---- Names ---- */

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Returns the number of words between separators, or 0 if one is wrong. */
static size_t count_words(const char *text, char separator, bool may_begin_with_digit)
{
	size_t count = 0;

	do {
		if (!is_letter(*text) && !(may_begin_with_digit && is_digit(*text)))
			return 0;
		while (is_letter(*text) || is_digit(*text))
			text++;
		count++;
	} while (*text++ == separator);
	return text[-1] == '\0' ? count : 0;
}

/* Tests whether it is a name of an interface or of a program. sd-bus keeps one for itself. */
static bool is_dotted(const char *text)
{
	return count_words(text, '.', false) >= 2 &&
	       strcmp(text, "org.freedesktop.DBus.Local") != 0;
}

static bool is_path(const char *text)
{
	return text[0] == '/' && count_words(text + 1, '/', true) > 0 &&
	       strcmp(text, "/org/freedesktop/DBus/Local") != 0;
}

/* ---- Fields ---- */

static bool check_text(Reader *reader, uint8_t field)
{
	const char *text = read_text(reader);

	if (!text)
		return false;
	if (field == FIELD_PATH)
		return is_path(text);
	return field == FIELD_MEMBER ? count_words(text, '.', false) == 1 : is_dotted(text);
}

static bool check_value(Reader *reader, uint8_t field)
{
	const char *text;
	uint32_t count;

	switch (field) {
	case FIELD_SIGNATURE:
		text = read_signature(reader);
		return text && strcmp(text, "h") == 0;
	case FIELD_UNIX_FDS:
		return read_number(reader, &count) && count == 1;
	default:
		return check_text(reader, field);
	}
}

static const char *const types[FIELDS] = {
	[FIELD_PATH] = "o",        [FIELD_INTERFACE] = "s", [FIELD_MEMBER] = "s",
	[FIELD_DESTINATION] = "s", [FIELD_SENDER] = "s",    [FIELD_SIGNATURE] = "g",
	[FIELD_UNIX_FDS] = "u",
};

/* Checks a field, and adds it to those that were found. */
static bool check_field(Reader *reader, unsigned int *found)
{
	if (!align(reader, 8) || reader->at == reader->end)
		return false;
	uint8_t field = reader->message[reader->at++];
	if (field >= FIELDS || !types[field] || *found & 1u << field)
		return false;
	*found |= 1u << field;
	const char *type = read_signature(reader);
	return type && strcmp(type, types[field]) == 0 && check_value(reader, field);
}

static bool check_fields(Reader *reader)
{
	const unsigned int needed = 1u << FIELD_PATH | 1u << FIELD_INTERFACE | 1u << FIELD_MEMBER |
				    1u << FIELD_SIGNATURE | 1u << FIELD_UNIX_FDS;
	unsigned int found = 0;

	while (reader->at < reader->end)
		if (!check_field(reader, &found))
			return false;
	return (found & needed) == needed;
}

bool fd_call_is_sound(const uint8_t *message, size_t size)
{
	Reader reader = { .message = message, .at = FD_CALL_BEGINNING };

	if (size < FD_CALL_BEGINNING || (message[0] != 'l' && message[0] != 'B') ||
	    message[1] != SD_BUS_MESSAGE_METHOD_CALL || message[3] != 1)
		return false;
	reader.is_big_endian = message[0] == 'B';
	if (number_at(&reader, 4) != sizeof(uint32_t) || number_at(&reader, 8) == 0)
		return false;
	uint64_t end = (uint64_t)FD_CALL_BEGINNING + number_at(&reader, 12);
	if ((end + 7) / 8 * 8 + sizeof(uint32_t) != size)
		return false;
	reader.end = (size_t)end;
	if (!check_fields(&reader))
		return false;
	reader.end = size;
	return align(&reader, 8) && number_at(&reader, reader.at) == 0; /* the first descriptor */
}
