/* SPDX-License-Identifier: MIT */
#include "proto/json-text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/hex.h"

bool json_text_is(JsonText text, const char *literal)
{
	return text.length == strlen(literal) && memcmp(text.start, literal, text.length) == 0;
}

/* --- members --------------------------------------------------------------------------------- */

/* Tests for the bytes between two tokens, which also end a number or a literal. */
static bool is_separator(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || byte == ',' ||
	       byte == ':';
}

static const char *skip_separators(const char *at, const char *end)
{
	while (at < end && is_separator(*at))
		at++;
	return at;
}

const char *json_text_string_end(const char *at)
{
	for (at++;; at += 2) {
		while (*at != '"' && *at != '\\')
			at++;
		if (*at == '"')
			return at + 1;
	}
}

/* Returns the end of the object or array that begins here. */
static const char *container_end(const char *at)
{
	size_t depth = 0;

	do {
		if (*at == '"') {
			at = json_text_string_end(at);
			continue;
		}
		if (*at == '{' || *at == '[')
			depth++;
		else if (*at == '}' || *at == ']')
			depth--;
		at++;
	} while (depth > 0);
	return at;
}

static const char *value_end(const char *at, const char *end)
{
	if (*at == '"')
		return json_text_string_end(at);
	if (*at == '{' || *at == '[')
		return container_end(at);
	while (at < end && !is_separator(*at) && *at != '}')
		at++;
	return at;
}

JsonTextMembers json_text_members(JsonText object)
{
	JsonTextMembers members = { 0 };

	if (object.length > 0 && *object.start == '{') {
		members.next = object.start + 1;
		members.end = object.start + object.length - 1;
	}
	return members;
}

bool json_text_members_next(JsonTextMembers *members)
{
	const char *at = skip_separators(members->next, members->end);

	if (at == members->end)
		return false;
	const char *name_end = json_text_string_end(at);
	const char *value = skip_separators(name_end, members->end);

	members->name = (JsonText){ .start = at + 1, .length = (size_t)(name_end - at) - 2 };
	members->next = value_end(value, members->end);
	members->value = (JsonText){ .start = value, .length = (size_t)(members->next - value) };
	return true;
}

/* --- names ----------------------------------------------------------------------------------- */

/* Takes one character off the text. Returns -1 if it is an escape that is not ASCII. */
static int take_character(JsonText *text)
{
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *at = text->start;
	size_t size = at[0] != '\\' ? 1 : at[1] != 'u' ? 2 : 6;

	text->start += size;
	text->length -= size;
	if (size == 1)
		return (unsigned char)at[0];
	if (size == 2)
		return meanings[strchr(letters, at[1]) - letters];
	if (at[2] != '0' || at[3] != '0')
		return -1;
	return hex_digit(at[4]) * 16 + hex_digit(at[5]);
}

bool json_text_name_is(JsonText name, const char *expected)
{
	for (; *expected != '\0' && name.length > 0; expected++)
		if (take_character(&name) != (unsigned char)*expected)
			return false;
	return *expected == '\0' && name.length == 0;
}

/* --- paths ----------------------------------------------------------------------------------- */

/* Takes the name of a member off the path. Returns false if the path continues differently. */
static bool path_take_name(const char **path, JsonText name)
{
	const char *at = **path == '.' ? *path + 1 : *path;

	if (strncmp(at, name.start, name.length) != 0)
		return false;
	at += name.length;
	if (*at != '\0' && *at != '.' && *at != '[')
		return false;
	*path = at;
	return true;
}

/* Moves text and path to the member. If a member stands twice, the last one counts. */
static bool enter_member(JsonText *text, const char **path, const char **ret_position)
{
	JsonTextMembers members = json_text_members(*text);
	const char *rest = *path;
	bool found = false;

	while (json_text_members_next(&members)) {
		const char *after = *path;

		if (!path_take_name(&after, members.name))
			continue;
		*text = members.value;
		*ret_position = members.name.start - 1;
		rest = after;
		found = true;
	}
	*path = rest;
	return found;
}

/* Moves text and path to the item of an array. */
static bool enter_item(JsonText *text, const char **path, const char **ret_position)
{
	const char *end = text->start + text->length - 1, *digit = *path + 1;
	size_t index = 0;

	if (**path != '[')
		return false;
	for (; *digit >= '0' && *digit <= '9'; digit++)
		index = index * 10 + (size_t)(*digit - '0');
	const char *at = skip_separators(text->start + 1, end);
	for (; index > 0 && at < end; index--)
		at = skip_separators(value_end(at, end), end);
	if (at == end)
		return false;
	*text = (JsonText){ .start = at, .length = (size_t)(value_end(at, end) - at) };
	*ret_position = at;
	*path = *digit == ']' ? digit + 1 : digit;
	return true;
}

const char *json_text_find(JsonText text, const char *path)
{
	const char *position = text.start;

	while (*path != '\0' && text.length > 0) {
		bool entered = *text.start == '{'   ? enter_member(&text, &path, &position)
			       : *text.start == '[' ? enter_item(&text, &path, &position)
						    : false;
		if (!entered)
			break;
	}
	return position;
}

/* --- strings --------------------------------------------------------------------------------- */

#define REPLACEMENT 0xfffd

static uint32_t read_unit(const char *at)
{
	uint32_t unit = 0;

	for (size_t i = 2; i < 6; i++)
		unit = unit * 16 + (uint32_t)hex_digit(at[i]);
	return unit;
}

static bool is_high_surrogate(uint32_t unit)
{
	return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low_surrogate(uint32_t unit)
{
	return unit >= 0xdc00 && unit < 0xe000;
}

/* Takes \uXXXX, or the two of a pair, off the text. A surrogate alone is a REPLACEMENT. */
static uint32_t take_code_point(const char **at, const char *end)
{
	uint32_t unit = read_unit(*at), low;

	*at += 6;
	if (!is_high_surrogate(unit))
		return is_low_surrogate(unit) ? REPLACEMENT : unit;
	if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
		return REPLACEMENT;
	low = read_unit(*at);
	if (!is_low_surrogate(low))
		return REPLACEMENT;
	*at += 6;
	return 0x10000 + ((unit - 0xd800) << 10 | (low - 0xdc00));
}

/* Writes the code point as UTF-8. Returns the end of the output. */
static char *put_code_point(char *out, uint32_t code)
{
	if (code < 0x80) {
		*out++ = (char)code;
		return out;
	}
	if (code < 0x800) {
		*out++ = (char)(0xc0 | code >> 6);
	} else {
		if (code < 0x10000) {
			*out++ = (char)(0xe0 | code >> 12);
		} else {
			*out++ = (char)(0xf0 | code >> 18);
			*out++ = (char)(0x80 | (code >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (code & 0x3f));
	return out;
}

char *json_text_decode(JsonText string, char *out)
{
	static const char meanings[256] = {
		['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
		['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
	};
	const char *at = string.start, *end = string.start + string.length;

	while (at < end) {
		while (at < end && *at != '\\')
			*out++ = *at++;
		if (at == end)
			break;
		if (at[1] == 'u') {
			out = put_code_point(out, take_code_point(&at, end));
		} else {
			*out++ = meanings[(uint8_t)at[1]];
			at += 2;
		}
	}
	return out;
}

/* --- paths ----------------------------------------------------------------------------------- */

/* One level of a path: a member of an object, or an item of an array. */
typedef struct Level {
	bool is_array;
	bool awaits_name; /* the next string is a member's name */
	size_t index;
	JsonText name;
} Level;

/* Returns the part of a name that has at most room bytes, and ends behind a whole character. */
static JsonText shorten_name(JsonText name, size_t room)
{
	size_t length = 0, step;

	for (; length < name.length; length += step) {
		step = name.start[length] != '\\' ? 1 : name.start[length + 1] != 'u' ? 2 : 6;
		if (length + step > room)
			break;
	}
	while (length > 0 && length < name.length && (name.start[length] & 0xc0) == 0x80)
		length--;
	name.length = length;
	return name;
}

/* Appends as much of the level as fits. Returns false if it is cut. */
static bool append_level(const Level *level, char *path, size_t size)
{
	size_t length = strlen(path), room = size - length;

	if (level->is_array)
		return (size_t)snprintf(path + length, room, "[%zu]", level->index) < room;
	if (length > 0 && room > 1) {
		path[length++] = '.';
		room--;
	}
	JsonText name = shorten_name(level->name, room - 1);

	*json_text_decode(name, path + length) = '\0';
	return name.length == level->name.length;
}

static JsonText string_at(const char *at)
{
	return (JsonText){
		.start = at + 1,
		.length = (size_t)(json_text_string_end(at) - at) - 2,
	};
}

void json_text_path(JsonText text, const char *name, char *path, size_t size)
{
	Level levels[JSON_TEXT_DEPTH_MAX] = { 0 };
	size_t depth = 0, i = 0;

	for (const char *at = text.start; at < name; at++) {
		Level *level = &levels[depth - (depth > 0)];

		if (*at == '{' || *at == '[') {
			levels[depth++] = (Level){ .is_array = *at == '[', .awaits_name = true };
		} else if (*at == '}' || *at == ']') {
			depth--;
		} else if (*at == ',') {
			level->index++;
			level->awaits_name = true;
		} else if (*at == '"') {
			JsonText string = string_at(at);

			if (level->awaits_name)
				level->name = string;
			level->awaits_name = false;
			at = string.start + string.length;
		}
	}
	path[0] = '\0';
	while (i < depth && append_level(&levels[i], path, size))
		i++;
}
