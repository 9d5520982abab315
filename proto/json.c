/* SPDX-License-Identifier: MIT */
#include "proto/json.h"

#include <json-c/json.h>
#include <string.h>

/* framing.c limits the depth of messages; this only has to be larger than its limit. */
#define PARSER_DEPTH 40

JsonParser *json_parser_new(void)
{
	JsonParser *parser = json_tokener_new_ex(PARSER_DEPTH);

	if (parser)
		json_tokener_set_flags(parser, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	return parser;
}

void json_parser_free(JsonParser *parser)
{
	if (parser)
		json_tokener_free(parser);
}

/* Returns the size in bytes of the character at text, which is NUL-terminated; 0 if not UTF-8. */
static size_t utf8_length(const unsigned char *text)
{
	unsigned char lead = text[0], low = 0x80, high = 0xbf;
	size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	if (length == 1)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	if (lead == 0xe0)
		low = 0xa0; /* lower values are overlong */
	else if (lead == 0xed)
		high = 0x9f; /* higher values are surrogates */
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f; /* higher values exceed the last code point */
	if (text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

/* Returns the end of the number at text, without the exponent; NULL for forms like 1. or -01. */
static const unsigned char *number_end(const unsigned char *text)
{
	static const char digits[] = "0123456789";
	const char *at = (const char *)text + (*text == '-');
	size_t count = strspn(at, digits);

	if (count == 0 || (count > 1 && *at == '0'))
		return NULL;
	at += count;
	if (*at == '.') {
		count = strspn(at + 1, digits);
		if (count == 0)
			return NULL;
		at += count + 1;
	}
	return (const unsigned char *)at;
}

/* Refuses two things that json-c accepts: invalid UTF-8 and malformed numbers. */
static bool text_is_strict(const char *text, size_t length)
{
	const unsigned char *at = (const unsigned char *)text, *end = at + length;
	bool in_string = false;

	while (at && at < end) {
		if (*at == '"') {
			in_string = !in_string;
		} else if (in_string && *at == '\\') {
			at++;
		} else if (!in_string && (*at == '-' || (*at >= '0' && *at <= '9'))) {
			at = number_end(at);
			if (at && (*at == 'e' || *at == 'E')) /* json-c checks the exponent */
				at += 1 + strspn((const char *)at + 1, "+-0123456789");
			continue;
		}
		size_t size = *at < 0x80 ? 1 : utf8_length(at);
		if (size == 0)
			return false;
		at += size;
	}
	return at != NULL;
}

JsonValue *json_parse(JsonParser *parser, const char *text, size_t length, const char **ret_error)
{
	if (!text_is_strict(text, length)) {
		*ret_error = "it contains a malformed number or invalid UTF-8";
		return NULL;
	}
	*ret_error = NULL;
	json_tokener_reset(parser);
	JsonValue *value = json_tokener_parse_ex(parser, text, (int)length + 1);

	enum json_tokener_error error = json_tokener_get_error(parser);
	if (error == json_tokener_success)
		return value;
	*ret_error = error == json_tokener_continue ? "the value is incomplete"
						    : json_tokener_error_desc(error);
	json_object_put(value);
	return NULL;
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
