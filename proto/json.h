/* SPDX-License-Identifier: MIT */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/json-text.h"

/*
 * A strict reader of JSON on top of json-c. Only json.c and json-build.c include json-c, because
 * its getters convert silently: "12abc" to 12, true to 1, and 1.9 to 1. The functions here check
 * the type first.
 *
 * The value null is a JsonValue of NULL, like an absent member.
 */

typedef struct json_object JsonValue;
typedef struct JsonParser JsonParser;

typedef enum JsonType {
	JSON_NULL,
	JSON_BOOLEAN,
	JSON_INTEGER,
	JSON_REAL,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
} JsonType;

/* Returns NULL if out of memory. A parser can be used for any number of texts. */
JsonParser *json_parser_new(void);
void json_parser_free(JsonParser *parser);

/* Levels of objects and arrays that json_parse() accepts; more than a message may have. */
#define JSON_DEPTH_MAX 32

/*
 * Checks that text consists of one value. Returns NULL, or a static sentence about the fault at
 * *ret_position.
 */
const char *json_check(const char *text, size_t length, size_t *ret_position);

/*
 * Parses text that consists of one value. Returns the value, to be freed with json_free(), with
 * *ret_error NULL. Returns NULL for the value null, also with *ret_error NULL, and on error with
 * *ret_error set to a static sentence.
 */
JsonValue *json_parse(JsonParser *parser, const char *text, size_t length, const char **ret_error);

/*
 * Builds the value of text that json_scan() has found valid. Otherwise the same as json_parse().
 */
JsonValue *json_build(JsonParser *parser, JsonText text, const char **ret_error);

/*
 * Returns the first name that its object has had before, in the text that was parsed last: a
 * position in the text, behind the first quote. Returns NULL if no object has a name twice. Names
 * are compared without their escapes.
 */
const char *json_repeated_name(const JsonParser *parser);
void json_free(JsonValue *value);

JsonType json_type_of(const JsonValue *value);

/* Return false, with *ret unchanged, if the value is of another type or out of range. */
bool json_read_boolean(const JsonValue *value, bool *ret);
bool json_read_unsigned(const JsonValue *value, uint64_t *ret); /* 0 to 2^63-1 */
bool json_read_real(const JsonValue *value, double *ret);       /* integers too */

/* Returns the string, owned by the value, or NULL if the value is not a string. */
const char *json_string(const JsonValue *value);

/* Returns 0 if the value is not an array. */
size_t json_array_size(const JsonValue *value);

/* Returns an item, owned by the array, or NULL if the value is not an array or has no such item. */
JsonValue *json_array_at(const JsonValue *value, size_t index);

/* Returns a member, owned by the object, or NULL if the value is not an object or lacks it. */
JsonValue *json_member(const JsonValue *value, const char *name);

/* Iterator over an object's members in the order of the text. */
typedef struct JsonMembers {
	const char *name;
	JsonValue *value;
	void *next;
} JsonMembers;

/* Begins before the first member. A value that is not an object has no members. */
JsonMembers json_members(const JsonValue *object);

/* Moves to the next member and fills in name and value. Returns false after the last one. */
bool json_members_next(JsonMembers *members);

/*
 * Formats the value as JSON text, with line breaks and indentation if pretty is set. Returns the
 * text, to be freed by the caller, or NULL if out of memory.
 */
char *json_format(const JsonValue *value, bool pretty);

#endif
