/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/machine-name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define REPLACEMENT       0xfffdu
#define ZERO_WIDTH_JOINER 0x200du

/* Decodes the first character. Sets *ret to U+FFFD if it is invalid. Returns its size in bytes. */
static size_t decode(const unsigned char *text, uint32_t *ret)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t size = *text < 0x80 ? 1 : *text >= 0xf0 ? 4 : *text >= 0xe0 ? 3 : 2;
	uint32_t character = size == 1 ? *text : *text & (0x7fu >> size);

	*ret = REPLACEMENT;
	if (*text >= 0xf8 || (*text >= 0x80 && *text < 0xc0))
		return 1;
	for (size_t i = 1; i < size; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return i;
		character = character << 6 | (text[i] & 0x3f);
	}
	if (character >= smallest[size] && character <= 0x10ffff &&
	    (character < 0xd800 || character > 0xdfff))
		*ret = character;
	return size;
}

static size_t encode(uint32_t character, char ret[static 4])
{
	if (character < 0x80) {
		ret[0] = (char)character;
		return 1;
	}
	size_t size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
	for (size_t i = size - 1; i > 0; i--) {
		ret[i] = (char)(0x80 | (character & 0x3f));
		character >>= 6;
	}
	ret[0] = (char)((0xf00u >> size & 0xff) | character);
	return size;
}

static bool is_control(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x2028 ||
	       character == 0x2029;
}

/* Tests whether the character belongs to the one before it. */
static bool is_combining(uint32_t character)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x300, 0x36f },     /* diacritical marks */
		{ 0x483, 0x489 },     /* Cyrillic */
		{ 0x591, 0x5bd },     /* Hebrew */
		{ 0x64b, 0x65f },     /* Arabic */
		{ 0x1ab0, 0x1aff },   /* diacritical marks, extended */
		{ 0x1dc0, 0x1dff },   /* diacritical marks, supplement */
		{ 0x200d, 0x200d },   /* joins two emoji */
		{ 0x20d0, 0x20ff },   /* marks for symbols */
		{ 0x3099, 0x309a },   /* Japanese voicing */
		{ 0xfe00, 0xfe0f },   /* variation selectors */
		{ 0xfe20, 0xfe2f },   /* half marks */
		{ 0x1f3fb, 0x1f3ff }, /* skin tones */
		{ 0xe0100, 0xe01ef }, /* variation selectors, supplement */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (character >= ranges[i].first && character <= ranges[i].last)
			return true;
	return false;
}

/*
 * Copies as many whole characters as fit. Keeps the first ones if a single character has more
 * marks than there is room.
 */
static void copy_name(const char *name, char ret[static MACHINE_NAME_SIZE])
{
	const unsigned char *text = (const unsigned char *)name;
	size_t size = 0, base = 0; /* base: start of the last character without its marks */
	bool is_joined = false;
	uint32_t character;
	char bytes[4];

	while (*text) {
		text += decode(text, &character);
		if (is_control(character))
			character = ' ';
		bool begins = !is_joined && !is_combining(character);
		size_t length = encode(character, bytes);
		if (size + length >= MACHINE_NAME_SIZE) {
			size = begins || base == 0 ? size : base;
			break;
		}
		if (begins)
			base = size;
		memcpy(ret + size, bytes, length);
		size += length;
		is_joined = character == ZERO_WIDTH_JOINER;
	}
	ret[size] = '\0';
}

void machine_name_make(const char *name, const char *guid, char ret[static MACHINE_NAME_SIZE])
{
	copy_name(name, ret);
	if (ret[strspn(ret, " ")] == '\0')
		snprintf(ret, MACHINE_NAME_SIZE, "QEMU %.8s", guid);
}
