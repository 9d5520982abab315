/* SPDX-License-Identifier: MIT */
/* The JSON reader converts no types, and refuses malformed JSON and invalid UTF-8. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/macros.h"

TestSuite(json);

static JsonValue *parse(JsonParser *parser, const char *text, const char **ret_error)
{
	return json_parse(parser, text, strlen(text), ret_error);
}

Test(json, types_are_strict)
{
	static const struct {
		const char *text;
		JsonType type;
		bool is_number;
		uint64_t number;
	} rows[] = {
		{ "0", JSON_INTEGER, true, 0 },
		{ "1", JSON_INTEGER, true, 1 },
		{ "9223372036854775807", JSON_INTEGER, true, INT64_MAX },
		{ "9223372036854775808", JSON_INTEGER, false, 0 },
		{ "18446744073709551615", JSON_INTEGER, false, 0 },
		{ "18446744073709551616", JSON_INTEGER, false, 0 },
		{ "99999999999999999999999999", JSON_INTEGER, false, 0 },
		{ "-1", JSON_INTEGER, false, 0 },
		{ "-9223372036854775808", JSON_INTEGER, false, 0 },
		{ "-99999999999999999999999999", JSON_INTEGER, false, 0 },
		{ "1.0", JSON_REAL, false, 0 },
		{ "1.9", JSON_REAL, false, 0 },
		{ "1e3", JSON_REAL, false, 0 },
		{ "1E0", JSON_REAL, false, 0 },
		{ "\"12\"", JSON_STRING, false, 0 },
		{ "\"12abc\"", JSON_STRING, false, 0 },
		{ "true", JSON_BOOLEAN, false, 0 },
		{ "false", JSON_BOOLEAN, false, 0 },
		{ "null", JSON_NULL, false, 0 },
		{ "[]", JSON_ARRAY, false, 0 },
		{ "[1]", JSON_ARRAY, false, 0 },
		{ "{}", JSON_OBJECT, false, 0 },
	};
	JsonParser *parser = json_parser_new();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *error;
		JsonValue *value = parse(parser, rows[i].text, &error);
		uint64_t number = 77;
		double real = 7.5;
		bool boolean, is_real = rows[i].type == JSON_REAL || rows[i].type == JSON_INTEGER;

		cr_assert_null(error, "%s: %s", rows[i].text, error);
		cr_assert_eq(json_type_of(value), rows[i].type, "%s", rows[i].text);
		cr_assert_eq(json_read_unsigned(value, &number), rows[i].is_number, "%s",
			     rows[i].text);
		cr_assert_eq(number, rows[i].is_number ? rows[i].number : 77, "%s", rows[i].text);
		cr_assert_eq(json_read_boolean(value, &boolean), rows[i].type == JSON_BOOLEAN);
		cr_assert_eq(json_read_real(value, &real), is_real);
		cr_assert_eq(json_string(value) != NULL, rows[i].type == JSON_STRING);
		cr_assert_eq(json_array_size(value),
			     rows[i].text[1] == '1' && rows[i].text[0] == '[');
		cr_assert_null(json_array_at(value, 1));
		cr_assert_null(json_member(value, "a"));
		json_free(value);
	}
	json_parser_free(parser);
}

/* The framing refuses NaN, comments and single quotes, so its tests cover those. */
Test(json, malformed_json)
{
	static const char *const rows[] = {
		"",           " ",    "12abc",   "nul",       "nulll",     "tru",   "+1",   "-",
		"--1",        "01",   "-01",     "1.",        "-.5",       ".5",    "1.e3", "1e",
		"1e+",        "0x10", "1-2",     "1.5.5",     "-Infinity", "[1,]",  "[,1]", "[1 2]",
		"{\"a\":1,}", "{,}",  "{\"a\"}", "{\"a\":}",  "{a:1}",     "{]",    "[}",   "[",
		"{",          "\"",   "\"\\x\"", "\"\\u12\"", "1 2",       "{} {}",
	};
	JsonParser *parser = json_parser_new();
	const char *error;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_null(parse(parser, rows[i], &error), "%s", rows[i]);
		cr_assert_not_null(error, "%s", rows[i]);
	}
	JsonValue *value = parse(parser, "[1]", &error);
	cr_assert_eq(json_array_size(value), 1u, "the parser still works after errors");
	json_free(value);
	json_parser_free(parser);
}

Test(json, utf8)
{
	static const struct {
		const char *bytes;
		bool good;
	} rows[] = {
		{ "\x7f", true },
		{ "\xc2\x80", true },
		{ "\xdf\xbf", true },
		{ "\xe0\xa0\x80", true },
		{ "\xed\x9f\xbf", true },
		{ "\xee\x80\x80", true },
		{ "\xef\xbf\xbf", true },
		{ "\xf0\x90\x80\x80", true },
		{ "\xf4\x8f\xbf\xbf", true },
		{ "\x80", false },
		{ "\xbf", false },
		{ "\xc0\x80", false }, /* NUL, overlong */
		{ "\xc0\xaf", false },
		{ "\xc1\xbf", false },
		{ "\xc2", false },
		{ "\xc2 ", false },
		{ "\xe0\x80\x80", false },
		{ "\xe0\x9f\xbf", false },
		{ "\xe0\xa0", false },
		{ "\xed\xa0\x80", false }, /* surrogate */
		{ "\xed\xbf\xbf", false },
		{ "\xf0\x80\x80\x80", false },
		{ "\xf0\x8f\xbf\xbf", false },
		{ "\xf4\x90\x80\x80", false }, /* above U+10FFFF */
		{ "\xf5\x80\x80\x80", false },
		{ "\xf8\x88\x80\x80\x80", false },
		{ "\xfe", false },
		{ "\xff", false },
	};
	JsonParser *parser = json_parser_new();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int in_key = 0; in_key < 2; in_key++) {
			char text[40];
			const char *error;

			snprintf(text, sizeof(text), in_key ? "{\"%s\":1}" : "[\"%s\"]",
				 rows[i].bytes);
			JsonValue *value = parse(parser, text, &error);
			cr_assert_eq(value != NULL, rows[i].good, "row %zu", i);
			cr_assert_eq(error == NULL, rows[i].good, "row %zu", i);
			if (value && !in_key)
				cr_assert_str_eq(json_string(json_array_at(value, 0)),
						 rows[i].bytes);
			json_free(value);
		}
	json_parser_free(parser);
}

/* A list without more has as many values as the daemon has entities. */
Test(json, number_of_values_and_digits_is_not_bounded)
{
	enum { COUNT = 20000 };
	JsonParser *parser = json_parser_new();
	const char *error;
	char *text = malloc(COUNT * 3 + 200), *at = stpcpy(text, "[");

	for (size_t i = 0; i < COUNT; i++)
		at = stpcpy(at, "{},");
	memset(at, '7', 100);
	strcpy(at + 100, "]");
	JsonValue *value = parse(parser, text, &error);
	cr_assert_null(error, "%s", error);
	cr_assert_eq(json_array_size(value), COUNT + 1u);
	json_free(value);
	free(text);
	json_parser_free(parser);
}

Test(json, maximum_depth)
{
	JsonParser *parser = json_parser_new();
	const char *error;

	for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
		char text[2 * JSON_DEPTH_MAX + 3] = "";

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		JsonValue *value = parse(parser, text, &error);
		cr_assert_eq(value != NULL, depth <= JSON_DEPTH_MAX, "depth %zu", depth);
		cr_assert_eq(error == NULL, depth <= JSON_DEPTH_MAX, "depth %zu", depth);
		json_free(value);
	}
	json_parser_free(parser);
}

Test(json, members_are_in_the_order_of_the_text)
{
	JsonParser *parser = json_parser_new();
	const char *error, *const names[] = { "z", "a", "m" };
	JsonValue *value = parse(parser, "{\"z\":1,\"a\":null,\"m\":\"x\"}", &error);
	JsonMembers members = json_members(value);
	size_t count = 0;

	while (json_members_next(&members))
		cr_assert_str_eq(members.name, names[count++]);
	cr_assert_eq(count, 3u);
	cr_assert_null(json_member(value, "a"), "null counts as absent");
	cr_assert_str_eq(json_string(json_member(value, "m")), "x");
	members = json_members(NULL);
	cr_assert_not(json_members_next(&members));
	json_free(value);
	json_parser_free(parser);
}
