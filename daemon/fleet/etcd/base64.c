/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/etcd/base64.h"

#include <stdint.h>
#include <string.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_encode(Buffer *out, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	if (size > SIZE_MAX / 2 || !buffer_reserve(out, (size + 2) / 3 * 4))
		return false;
	char *to = buffer_tail(out);
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t group = (uint32_t)bytes[i] << 16;
		if (left > 1)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			group |= bytes[i + 2];
		*to++ = ALPHABET[group >> 18];
		*to++ = ALPHABET[group >> 12 & 63];
		*to++ = left > 1 ? ALPHABET[group >> 6 & 63] : '=';
		*to++ = left > 2 ? ALPHABET[group & 63] : '=';
	}
	out->end += (size + 2) / 3 * 4;
	return true;
}

/* Returns the six bits of a character, or 64 for one that does not belong to the alphabet. */
static uint32_t bits_of(char character)
{
	const char *found = character ? strchr(ALPHABET, character) : NULL;

	return found ? (uint32_t)(found - ALPHABET) : 64;
}

/* Decodes the characters of one group, of which 2 to 4 are not padding. */
static bool decode_group(const char *text, size_t used, char *to)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		uint32_t bits = i < used ? bits_of(text[i]) : 0;
		if (bits > 63)
			return false;
		group = group << 6 | bits;
	}
	/* A text has one encoding: the bits that padding leaves unused are zero. */
	if ((used == 2 && (group & 0xffff)) || (used == 3 && (group & 0xff)))
		return false;
	for (size_t i = 0; i < used - 1; i++)
		to[i] = (char)(group >> (16 - 8 * i) & 0xff);
	return true;
}

Base64Result base64_decode(Buffer *out, const char *text)
{
	size_t length = strlen(text), used = length;

	while (used > 0 && length - used < 2 && text[used - 1] == '=')
		used--;
	if (length % 4 != 0)
		return BASE64_MALFORMED;
	size_t size = length / 4 * 3 - (length - used);
	if (!buffer_reserve(out, size + 1))
		return BASE64_NO_MEMORY;
	char *to = buffer_tail(out);
	for (size_t i = 0; i < used; i += 4, to += 3)
		if (!decode_group(text + i, used - i < 4 ? used - i : 4, to))
			return BASE64_MALFORMED;
	buffer_tail(out)[size] = '\0';
	out->end += size + 1;
	return BASE64_DECODED;
}
