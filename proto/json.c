/* SPDX-License-Identifier: MIT */
#include "proto/json.h"

#include <json-c/json.h>
#include <string.h>

#include "proto/json-scan.h"

const char *json_check(const char *text, size_t length, size_t *ret_position)
{
	static const char *const sentences[JSON_SCAN_RESULT_MAX] = {
		[JSON_SCAN_FAULT_SYNTAX] = "a character is at the wrong place",
		[JSON_SCAN_FAULT_NUL] = "it contains a NUL",
		[JSON_SCAN_FAULT_ZERO] = "a string contains \\u0000",
		[JSON_SCAN_FAULT_CONTROL] = "a string contains a raw control character",
		[JSON_SCAN_FAULT_UTF8] = "a string is not UTF-8",
		[JSON_SCAN_FAULT_CUT] = "the value is incomplete",
		[JSON_SCAN_FAULT_DEPTH] = "it is nested too deeply",
	};
	static const JsonBounds bounds = { .depth = JSON_DEPTH_MAX,
					   .values = UINT32_MAX,
					   .digits = UINT32_MAX };
	JsonScan scan = { 0 };
	size_t position = 0;
	JsonScanResult result = json_scan(&scan, &bounds, text, length, &position);

	if (result == JSON_SCAN_INCOMPLETE)
		result = json_scan_end(&scan);
	*ret_position = position;
	if (result != JSON_SCAN_COMPLETE)
		return sentences[result];
	while (position < length && strchr(" \t\r\n", text[position]) && text[position] != '\0')
		position++;
	*ret_position = position;
	return position < length ? "there is text after the value" : NULL;
}

JsonValue *json_parse(JsonParser *parser, const char *text, size_t length, const char **ret_error)
{
	size_t position;

	*ret_error = json_check(text, length, &position);
	if (*ret_error)
		return NULL;
	return json_build(parser, (JsonText){ .start = text, .length = length }, ret_error);
}

void json_free(JsonValue *value)
{
	json_object_put(value);
}

JsonType json_type_of(const JsonValue *value)
{
	switch (json_object_get_type(value)) {
	case json_type_boolean:
		return JSON_BOOLEAN;
	case json_type_int:
		return JSON_INTEGER;
	case json_type_double:
		return JSON_REAL;
	case json_type_string:
		return JSON_STRING;
	case json_type_array:
		return JSON_ARRAY;
	case json_type_object:
		return JSON_OBJECT;
	case json_type_null:
		break;
	}
	return JSON_NULL;
}

bool json_read_boolean(const JsonValue *value, bool *ret)
{
	if (json_type_of(value) != JSON_BOOLEAN)
		return false;
	*ret = json_object_get_boolean(value);
	return true;
}

bool json_read_unsigned(const JsonValue *value, uint64_t *ret)
{
	if (json_type_of(value) != JSON_INTEGER)
		return false;
	/*
	 * Both getters saturate: the first maps negative numbers to 0, the second ends at
	 * INT64_MAX.
	 */
	uint64_t number = json_object_get_uint64(value);
	if (number > INT64_MAX || json_object_get_int64(value) < 0)
		return false;
	*ret = number;
	return true;
}

bool json_read_real(const JsonValue *value, double *ret)
{
	JsonType type = json_type_of(value);

	if (type != JSON_REAL && type != JSON_INTEGER)
		return false;
	*ret = json_object_get_double(value);
	return true;
}

const char *json_string(const JsonValue *value)
{
	if (json_type_of(value) != JSON_STRING)
		return NULL;
	/* The parameter is not const, because json-c caches the text inside the value. */
	return json_object_get_string((JsonValue *)value);
}

size_t json_array_size(const JsonValue *value)
{
	return json_type_of(value) == JSON_ARRAY ? json_object_array_length(value) : 0;
}

JsonValue *json_array_at(const JsonValue *value, size_t index)
{
	return index < json_array_size(value) ? json_object_array_get_idx(value, index) : NULL;
}

JsonValue *json_member(const JsonValue *value, const char *name)
{
	JsonValue *member = NULL;

	if (json_type_of(value) != JSON_OBJECT)
		return NULL;
	json_object_object_get_ex(value, name, &member);
	return member;
}

JsonMembers json_members(const JsonValue *object)
{
	JsonMembers members = { 0 };

	if (json_type_of(object) == JSON_OBJECT)
		members.next = lh_table_head(json_object_get_object(object));
	return members;
}

bool json_members_next(JsonMembers *members)
{
	struct lh_entry *entry = members->next;

	if (!entry)
		return false;
	members->name = lh_entry_k(entry);
	members->value = lh_entry_v(entry);
	members->next = lh_entry_next(entry);
	return true;
}

char *json_format(const JsonValue *value, bool pretty)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
		    (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
			    : JSON_C_TO_STRING_PLAIN);
	const char *text = json_object_to_json_string_ext((JsonValue *)value, flags);

	return text ? strdup(text) : NULL;
}
