/* SPDX-License-Identifier: MIT */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reading JSON. The one file behind this header is the only one that knows json-c: its getters
 * coerce silently ("12abc" is 12, true is 1, 1.9 is 1), so here the type is looked at first.
 *
 * Null and absent are the same to every reader: a JsonValue of NULL.
 */

typedef struct json_object JsonValue;
typedef struct json_tokener JsonParser;

typedef enum JsonType {
	JSON_NULL,
	JSON_BOOLEAN,
	JSON_INTEGER,
	JSON_REAL,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
} JsonType;

/* NULL when there is no memory. A parser serves any number of texts, one after the other. */
JsonParser *json_parser_new(void);
void json_parser_free(JsonParser *parser);

/*
 * Parses one value, text[length] being NUL. The caller owns the result and frees it. Returns NULL
 * with *ret_error set when the text is no JSON, with *ret_error NULL when it is the value null.
 */
JsonValue *json_parse(JsonParser *parser, const char *text, size_t length, const char **ret_error);
void json_free(JsonValue *value);

JsonType json_type_of(const JsonValue *value);

/* Each returns false, and leaves its result, when the value is of another type or out of range. */
bool json_read_boolean(const JsonValue *value, bool *ret);
bool json_read_unsigned(const JsonValue *value, uint64_t *ret); /* 0 to 2^63-1 */
bool json_read_real(const JsonValue *value, double *ret);       /* integers too */

/* The string, owned by the value; NULL when it is none. */
const char *json_string(const JsonValue *value);

/* 0 and NULL for what is no array. */
size_t json_array_size(const JsonValue *value);
JsonValue *json_array_at(const JsonValue *value, size_t index);

/* NULL for what is no object, and where the object has no such member. */
JsonValue *json_member(const JsonValue *value, const char *name);

/* Goes through an object's members in the order of the text: while (json_members_next(&members)) */
typedef struct JsonMembers {
	const char *name;
	JsonValue *value;
	void *next;
} JsonMembers;

JsonMembers json_members(const JsonValue *object);
bool json_members_next(JsonMembers *members);

/* The value as JSON text, with line breaks and indents if asked. The caller frees it; NULL when
 * there is no memory. */
char *json_format(const JsonValue *value, bool pretty);

#endif
