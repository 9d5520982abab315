/* SPDX-License-Identifier: MIT */
#ifndef PROTO_JSON_TEXT_H
#define PROTO_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Finds the members of an object in text that json_scan() has found valid, without building any
 * value. Such text may be part of a larger one, so no byte is read behind it.
 */

/* One value, without blanks around it. It is owned by the text. */
typedef struct JsonText {
	const char *start; /* NULL if there is no value */
	size_t length;
} JsonText;

/* Tests whether the value is null, true or false, as the literal says. */
bool json_text_is(JsonText text, const char *literal);

/* Returns the end of the string whose first quote is at the position, behind its last quote. */
const char *json_text_string_end(const char *at);

/*
 * Decodes a string, which is the text between its quotes. Appends no NUL. The output never has more
 * bytes than the string. Returns the end of the output.
 */
char *json_text_decode(JsonText string, char *out);

/* Levels of objects and arrays that a text may have for json_text_path(). */
#define JSON_TEXT_DEPTH_MAX 32

/*
 * Writes the path of a member, like "planes[0].offset", with a NUL. name is the position behind the
 * first quote of its name in the text. A path of more than size bytes is cut behind a character.
 */
void json_text_path(JsonText text, const char *name, char *path, size_t size);

/* Iterator over an object's members in the order of the text. */
typedef struct JsonTextMembers {
	JsonText name; /* the string between its quotes, with its escapes */
	JsonText value;
	const char *next;
	const char *end;
} JsonTextMembers;

/* Begins before the first member. A value that is not an object has no members. */
JsonTextMembers json_text_members(JsonText object);

/* Moves to the next member and fills in name and value. Returns false after the last one. */
bool json_text_members_next(JsonTextMembers *members);

/* Tests whether the member has this name, which is ASCII. The text may contain escapes. */
bool json_text_name_is(JsonText name, const char *expected);

/*
 * Finds the value at a path like "planes[0].offset", which contains names as the text writes them.
 * If the text has no such value, finds the innermost container on the path. Returns the position of
 * the value's name, of the item if it is one of an array, or of the text.
 */
const char *json_text_find(JsonText text, const char *path);

#endif
