/* SPDX-License-Identifier: MIT */
/*
 * Builds json-c's values from text that json_scan() has found valid. json-c's own parser looks at
 * each byte several times, so an escape costs it seven times as much.
 */
#include <json-c/json.h>
#include <json-c/printbuf.h>
#include <locale.h>
#include <stdlib.h>

#include "proto/json.h"

/*
 * The stack is of json-c, so only json-c allocates while values are built. Its failed allocations
 * are not handled everywhere, because json-c does not survive most of them anyway.
 */
struct JsonParser {
	locale_t locale;           /* the one whose decimal point is that of JSON */
	struct printbuf *strings;  /* a stack of decoded strings, each with its NUL */
	const char *repeated_name; /* as json_repeated_name() */
};

typedef struct Builder {
	JsonParser *parser;
	const char *at;
	const char *end;
	bool failed; /* out of memory */
} Builder;

JsonParser *json_parser_new(void)
{
	JsonParser *parser = calloc(1, sizeof(*parser));

	if (!parser)
		return NULL;
	parser->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	parser->strings = printbuf_new();
	if (parser->locale && parser->strings)
		return parser;
	json_parser_free(parser);
	return NULL;
}

void json_parser_free(JsonParser *parser)
{
	if (!parser)
		return;
	if (parser->locale)
		freelocale(parser->locale);
	printbuf_free(parser->strings);
	free(parser);
}

static JsonValue *build_value(Builder *builder);

static JsonValue *check_allocated(Builder *builder, JsonValue *value)
{
	if (!value)
		builder->failed = true;
	return value;
}

static void skip_blanks(Builder *builder)
{
	while (builder->at < builder->end && (*builder->at == ' ' || *builder->at == '\t' ||
					      *builder->at == '\n' || *builder->at == '\r'))
		builder->at++;
}

/* --- strings --------------------------------------------------------------------------------- */

/*
 * Takes a string off the text and pushes it, with a NUL. Returns its position on the stack, or -1
 * if out of memory. strings->bpos is the position after the NUL.
 */
static int push_string(Builder *builder)
{
	struct printbuf *strings = builder->parser->strings;
	const char *start = builder->at + 1;
	int position = strings->bpos;

	builder->at = json_text_string_end(builder->at);
	if (printbuf_memset(strings, -1, 0, (int)(builder->at - start)) != 0) {
		builder->failed = true;
		return -1;
	}
	const JsonText text = { .start = start, .length = (size_t)(builder->at - start) - 1 };
	char *end = json_text_decode(text, strings->buf + position);
	*end = '\0';
	strings->bpos = (int)(end + 1 - strings->buf);
	return position;
}

static JsonValue *build_string(Builder *builder)
{
	struct printbuf *strings = builder->parser->strings;
	int position = push_string(builder);

	if (position < 0)
		return NULL;
	JsonValue *value =
		json_object_new_string_len(strings->buf + position, strings->bpos - position - 1);
	strings->bpos = position;
	return check_allocated(builder, value);
}

/* --- numbers --------------------------------------------------------------------------------- */

/* Returns the value of the digits, or UINT64_MAX if it is too large. */
static uint64_t read_digits(const char *at, const char *end)
{
	uint64_t number = 0;

	for (; at < end; at++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
			return UINT64_MAX;
	return number;
}

/* Builds an integer; as json-c does, the nearest one if it has more than 64 bits. */
static JsonValue *build_integer(JsonText text)
{
	bool is_negative = *text.start == '-';
	uint64_t number = read_digits(text.start + is_negative, text.start + text.length);

	if (is_negative)
		return json_object_new_int64(number > INT64_MAX ? INT64_MIN : -(int64_t)number);
	return number > INT64_MAX ? json_object_new_uint64(number)
				  : json_object_new_int64((int64_t)number);
}

/* Builds a real that is formatted as in the text. json-c's tokener makes two locales for each. */
static JsonValue *build_real(Builder *builder, JsonText text)
{
	struct printbuf *strings = builder->parser->strings;
	int position = strings->bpos;

	if (printbuf_memappend(strings, text.start, (int)text.length) < 0)
		return NULL;
	const char *number = strings->buf + position;
	JsonValue *value =
		json_object_new_double_s(strtod_l(number, NULL, builder->parser->locale), number);
	strings->bpos = position;
	return value;
}

static JsonValue *build_number(Builder *builder)
{
	static const bool is_of_integer[256] = { ['0' ... '9'] = true, ['-'] = true };
	static const bool is_of_real[256] = {
		['0' ... '9'] = true, ['+'] = true, ['-'] = true,
		['.'] = true,         ['e'] = true, ['E'] = true,
	};
	JsonText text = { .start = builder->at };

	while (builder->at < builder->end && is_of_integer[(uint8_t)*builder->at])
		builder->at++;
	const char *end_of_integer = builder->at;
	while (builder->at < builder->end && is_of_real[(uint8_t)*builder->at])
		builder->at++;
	text.length = (size_t)(builder->at - text.start);
	return check_allocated(builder, builder->at == end_of_integer ? build_integer(text)
								      : build_real(builder, text));
}

/* --- values ---------------------------------------------------------------------------------- */

static JsonValue *build_literal(Builder *builder, size_t length, JsonValue *value)
{
	builder->at += length;
	return check_allocated(builder, value);
}

/* Moves behind the comma or the bracket. Returns true if it was a comma. */
static bool goes_on(Builder *builder)
{
	skip_blanks(builder);
	return *builder->at++ == ',';
}

/* Moves into an object or array. Returns false, and moves behind it, if it is empty. */
static bool enter(Builder *builder)
{
	builder->at++;
	skip_blanks(builder);
	if (*builder->at != '}' && *builder->at != ']')
		return true;
	builder->at++;
	return false;
}

/* Builds the next item of the array. Returns false after the last one, or if out of memory. */
static bool build_item(Builder *builder, JsonValue *array)
{
	JsonValue *value = build_value(builder);

	if (!builder->failed && json_object_array_add(array, value) != 0)
		builder->failed = true;
	if (!builder->failed)
		return goes_on(builder);
	json_object_put(value);
	return false;
}

/* As build_item(). If the object has the name already, the last value counts. */
static bool build_member(Builder *builder, JsonValue *object)
{
	struct printbuf *strings = builder->parser->strings;

	skip_blanks(builder);
	const char *name_text = builder->at + 1;
	int name = push_string(builder);
	if (name < 0)
		return false;
	skip_blanks(builder);
	builder->at++; /* the colon */
	JsonValue *value = build_value(builder);
	int count = json_object_object_length(object);

	if (!builder->failed && json_object_object_add(object, strings->buf + name, value) != 0)
		builder->failed = true;
	if (json_object_object_length(object) == count && !builder->parser->repeated_name)
		builder->parser->repeated_name = name_text;
	strings->bpos = name;
	if (!builder->failed)
		return goes_on(builder);
	json_object_put(value);
	return false;
}

static JsonValue *build_container(Builder *builder, JsonValue *container,
				  bool (*build_next)(Builder *builder, JsonValue *container))
{
	if (!check_allocated(builder, container) || !enter(builder))
		return container;
	while (build_next(builder, container))
		;
	return container;
}

/* The depth of the text was bounded when it was scanned. Returns NULL for null and on failure. */
static JsonValue *build_value(Builder *builder)
{
	skip_blanks(builder);
	switch (*builder->at) {
	case '{':
		return build_container(builder, json_object_new_object(), build_member);
	case '[':
		return build_container(builder, json_object_new_array(), build_item);
	case '"':
		return build_string(builder);
	case 't':
		return build_literal(builder, sizeof("true") - 1, json_object_new_boolean(true));
	case 'f':
		return build_literal(builder, sizeof("false") - 1, json_object_new_boolean(false));
	case 'n':
		builder->at += sizeof("null") - 1;
		return NULL;
	default:
		return build_number(builder);
	}
}

JsonValue *json_build(JsonParser *parser, JsonText text, const char **ret_error)
{
	Builder builder = {
		.parser = parser,
		.at = text.start,
		.end = text.start + text.length,
	};

	parser->strings->bpos = 0;
	parser->repeated_name = NULL;
	JsonValue *value = build_value(&builder);

	*ret_error = NULL;
	if (!builder.failed)
		return value;
	*ret_error = "out of memory";
	json_object_put(value);
	return NULL;
}

const char *json_repeated_name(const JsonParser *parser)
{
	return parser->repeated_name;
}
