/* SPDX-License-Identifier: MIT */
#include "proto/guid.h"

#include <string.h>

#include "proto/hex.h"

/* Tests for the position of a dash in 8-4-4-4-12. */
static bool is_dash_position(size_t position)
{
	return position == 8 || position == 13 || position == 18 || position == 23;
}

bool guid_parse(const char *text, Guid *ret_guid)
{
	Guid guid = { 0 };
	size_t length = strlen(text), digits = 0;
	uint8_t any = 0;

	if (length == GUID_TEXT_LENGTH + 2 && text[0] == '{' && text[length - 1] == '}')
		text++;
	else if (length != GUID_TEXT_LENGTH)
		return false;

	for (size_t i = 0; i < GUID_TEXT_LENGTH; i++) {
		if (is_dash_position(i)) {
			if (text[i] != '-')
				return false;
			continue;
		}
		int digit = hex_digit(text[i]);
		if (digit < 0)
			return false;
		uint8_t *byte = &guid.bytes[digits / 2];
		*byte = (uint8_t)(*byte << 4 | digit);
		any = (uint8_t)(any | digit);
		digits++;
	}
	if (any == 0)
		return false;

	*ret_guid = guid;
	return true;
}

char *guid_format(const Guid *guid, char text[static GUID_TEXT_LENGTH + 1])
{
	char *at = text;

	for (size_t i = 0; i < sizeof(guid->bytes); i++) {
		*at++ = hex_character(guid->bytes[i] >> 4);
		*at++ = hex_character(guid->bytes[i]);
		if (is_dash_position((size_t)(at - text)))
			*at++ = '-';
	}
	text[GUID_TEXT_LENGTH] = '\0';
	return text;
}

bool guid_is_nil(const Guid *guid)
{
	static const Guid nil;

	return guid_compare(guid, &nil) == 0;
}

int guid_compare(const Guid *a, const Guid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool handle_parse(const char *text, Handle *ret_handle)
{
	Handle handle = { 0 };

	for (size_t i = 0; i < HANDLE_TEXT_LENGTH; i++) {
		int digit = hex_digit(text[i]);
		if (digit < 0 || (text[i] >= 'A' && text[i] <= 'F'))
			return false;
		handle.bytes[i / 2] = (uint8_t)(handle.bytes[i / 2] << 4 | digit);
	}
	if (text[HANDLE_TEXT_LENGTH] != '\0')
		return false;

	*ret_handle = handle;
	return true;
}

char *handle_format(const Handle *handle, char text[static HANDLE_TEXT_LENGTH + 1])
{
	for (size_t i = 0; i < sizeof(handle->bytes); i++) {
		text[2 * i] = hex_character(handle->bytes[i] >> 4);
		text[2 * i + 1] = hex_character(handle->bytes[i]);
	}
	text[HANDLE_TEXT_LENGTH] = '\0';
	return text;
}

int handle_compare(const Handle *a, const Handle *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}
