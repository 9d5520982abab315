/* SPDX-License-Identifier: MIT */
/*
 * The scanner accepts exactly what json-c accepts, except for a few things that it refuses by name,
 * and its bounds are exact. It gives the same result however the text is split.
 */
#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/framing.h"
#include "proto/json-scan.h"
#include "proto/json.h"
#include "proto/macros.h"

TestSuite(json_scan);

static const JsonBounds bounds = {
	.depth = FRAME_DEPTH_MAX,
	.values = FRAME_VALUES_MAX,
	.digits = FRAME_DIGITS_MAX,
};

/* Scans the text in two parts. Parts of SIZE_MAX are single bytes. */
static JsonScanResult scan(const char *text, size_t size, size_t cut)
{
	JsonScan state = { 0 };
	JsonScanResult result = JSON_SCAN_INCOMPLETE;
	size_t position = 0, available = cut == SIZE_MAX ? 0 : cut;

	while (result == JSON_SCAN_INCOMPLETE && available <= size) {
		result = json_scan(&state, &bounds, text, available, &position);
		if (result == JSON_SCAN_INCOMPLETE)
			cr_assert_eq(position, available);
		if (available == size)
			break;
		available = cut == SIZE_MAX ? available + 1 : size;
	}
	if (result == JSON_SCAN_INCOMPLETE)
		result = json_scan_end(&state);
	while (result == JSON_SCAN_COMPLETE && position < size)
		if (!strchr(" \t\r\n", text[position++]))
			return JSON_SCAN_FAULT_SYNTAX;
	return result;
}

static JsonScanResult scan_at_once(const char *text)
{
	return scan(text, strlen(text), strlen(text));
}

/* --- bounds ---------------------------------------------------------------------------------- */

/* Writes begin, then count items with commas, then end. */
static void repeat(char *text, const char *begin, const char *item, size_t count, const char *end)
{
	char *at = stpcpy(text, begin);

	for (size_t i = 0; i < count; i++)
		at = stpcpy(stpcpy(at, i > 0 ? "," : ""), item);
	stpcpy(at, end);
}

Test(json_scan, maximum_number_of_values)
{
	static const struct {
		const char *begin, *item, *end;
		size_t outside;  /* values besides the items */
		size_t per_item; /* values of one item */
	} rows[] = {
		{ "[", "1", "]", 1, 1 },
		{ "[", "null", "]", 1, 1 },
		{ "[", "true", "]", 1, 1 },
		{ "[", "\"\"", "]", 1, 1 },
		{ "[", "{}", "]", 1, 1 },
		{ "[", "[]", "]", 1, 1 },
		{ "[0,", "[ ]", "]", 2, 1 },
		{ "{", "\"\":0", "}", 1, 1 },
		{ "{", "\"\":{}", "}", 1, 1 },
		{ "[", "[[{\"\":-1}]]", ",0]", 2, 4 },
		{ "{\"method\":\"a.b\",\"parameters\":{\"a\":[", "0", "]}}", 4, 1 },
	};
	static char text[16384];

	cr_assert_eq(FRAME_VALUES_MAX, 512);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t count = 1; count <= 600; count++) {
			size_t values = rows[i].outside + count * rows[i].per_item;
			JsonScanResult expected =
				values > 512 ? JSON_SCAN_FAULT_VALUES : JSON_SCAN_COMPLETE;

			repeat(text, rows[i].begin, rows[i].item, count, rows[i].end);
			cr_assert_eq(scan_at_once(text), expected, "row %zu, %zu values", i,
				     values);
		}
}

/* Each # of the pattern stands for the digits that make the number as long as wanted. */
Test(json_scan, maximum_number_of_digits)
{
	static const struct {
		const char *pattern;
		size_t digits; /* besides those of # */
	} rows[] = {
		{ "#", 0 },           { "-#", 0 },     { "0.#", 0 },     { "-0.#", 0 },
		{ "1.5e#", 2 },       { "1E+#", 1 },   { "-1.5e-#", 2 }, { "#.25", 2 },
		{ "#e7", 1 },         { "-#E-07", 2 }, { "[0,#]", 0 },   { "{\"a\":-#.0}", 1 },
		{ "[123, #,45]", 0 }, { "0.000#", 0 }, { "0e#", 0 },     { "0.0e-00#", 2 },
		{ "0.01e#", 1 },      { "1.00#", 3 },
	};

	cr_assert_eq(FRAME_DIGITS_MAX, 32);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t digits = rows[i].digits + 1; digits <= 40; digits++) {
			const char *hash = strchr(rows[i].pattern, '#');
			size_t count = digits - rows[i].digits;
			char text[100] = "";

			memcpy(text, rows[i].pattern, (size_t)(hash - rows[i].pattern));
			memset(text + strlen(text), '7', count);
			strcat(text, hash + 1);
			cr_assert_eq(scan_at_once(text),
				     digits > 32 ? JSON_SCAN_FAULT_DIGITS : JSON_SCAN_COMPLETE,
				     "row %zu: %s", i, text);
		}
}

/* A number close to zero is valid JSON, and costs no more than other text. */
Test(json_scan, zeros_at_the_beginning_are_not_counted)
{
	static char text[1000] = "-0.";

	memset(text + 3, '0', 900);
	cr_assert_eq(scan_at_once(text), JSON_SCAN_COMPLETE);
	strcat(text, "12345678901234567890123456789e123");
	cr_assert_eq(scan_at_once(text), JSON_SCAN_COMPLETE);
	strcat(text, "4");
	cr_assert_eq(scan_at_once(text), JSON_SCAN_FAULT_DIGITS);
}

Test(json_scan, digits_inside_strings_are_not_counted)
{
	char text[300] = "\"";

	memset(text + 1, '7', 200);
	strcat(text, "\"");
	cr_assert_eq(scan_at_once(text), JSON_SCAN_COMPLETE);
}

/* The worst messages do not cost more than their bounds, because they are refused at the bound. */
Test(json_scan, faults_are_found_at_their_first_byte)
{
	static const struct {
		const char *text;
		size_t position;
		JsonScanResult result;
	} rows[] = {
		{ "{\"a\" 1", 5, JSON_SCAN_FAULT_SYNTAX },
		{ "{\"a\":}", 5, JSON_SCAN_FAULT_SYNTAX },
		{ "{1", 1, JSON_SCAN_FAULT_SYNTAX },
		{ "{\"a\":1,}", 7, JSON_SCAN_FAULT_SYNTAX },
		{ "[1,]", 3, JSON_SCAN_FAULT_SYNTAX },
		{ "[1}", 2, JSON_SCAN_FAULT_SYNTAX },
		{ "{\"a\":1]", 6, JSON_SCAN_FAULT_SYNTAX },
		{ "[01", 2, JSON_SCAN_FAULT_SYNTAX },
		{ "[1.]", 3, JSON_SCAN_FAULT_SYNTAX },
		{ "[1e]", 3, JSON_SCAN_FAULT_SYNTAX },
		{ "[-]", 2, JSON_SCAN_FAULT_SYNTAX },
		{ "[trux", 4, JSON_SCAN_FAULT_SYNTAX },
		{ "[nul]", 4, JSON_SCAN_FAULT_SYNTAX },
		{ "[\"\\x", 3, JSON_SCAN_FAULT_SYNTAX },
		{ "[\"\\u12g", 6, JSON_SCAN_FAULT_SYNTAX },
		{ "[\"\\u0000", 7, JSON_SCAN_FAULT_ZERO },
		{ "[\"\x01", 2, JSON_SCAN_FAULT_CONTROL },
		{ "[\"\\\n", 3, JSON_SCAN_FAULT_CONTROL },
		{ "[\"\xc3(", 3, JSON_SCAN_FAULT_UTF8 },
		{ "[\"\xed\xa0", 3, JSON_SCAN_FAULT_UTF8 },
		{ "[\"\xff", 2, JSON_SCAN_FAULT_UTF8 },
		{ "[\xc3", 1, JSON_SCAN_FAULT_SYNTAX },
		{ "[[[[[[[[[[[[[[[[[", 16, JSON_SCAN_FAULT_DEPTH },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		JsonScan state = { 0 };
		size_t position = 0;

		cr_assert_eq(
			json_scan(&state, &bounds, rows[i].text, strlen(rows[i].text), &position),
			rows[i].result, "%s", rows[i].text);
		cr_assert_eq(position, rows[i].position, "%s: %zu", rows[i].text, position);
	}
}

/* --- comparison with json-c ------------------------------------------------------------------ */

static uint64_t next_random(uint64_t *dice)
{
	*dice = *dice * 6364136223846793005u + 1442695040888963407u;
	return *dice >> 33;
}

/* Returns the value, which may be NULL for null, and whether json-c accepts the text. */
static struct json_object *json_c_parse(json_tokener *parser, const char *text, size_t size,
					bool *ret_accepts)
{
	json_tokener_reset(parser);
	struct json_object *value = json_tokener_parse_ex(parser, text, (int)size + 1);

	*ret_accepts = json_tokener_get_error(parser) == json_tokener_success;
	return value;
}

/* Tests whether a digit run with a leading zero, or a point without digits, is in the text. */
static bool has_odd_number(const char *text)
{
	bool in_string = false;

	for (const char *at = text; *at; at++) {
		if (in_string && *at == '\\' && at[1])
			at++;
		else if (*at == '"')
			in_string = !in_string;
		else if (!in_string && strspn(at, "+-.0123456789eE") > 1)
			return true;
	}
	return false;
}

static bool contains_any(const char *text, const char *const *strings)
{
	for (; *strings; strings++)
		if (strstr(text, *strings))
			return true;
	return false;
}

/*
 * Tests whether json-c may accept text that the scanner refuses as a syntax error: json-c knows
 * NaN, Infinity, comments and single quotes, ignores the case of literals, and reads some odd
 * numbers.
 */
static bool may_be_laxer(const char *text)
{
	static const char *const names[] = { "N", "I", "/*", "//", "'", "T", "F",
					     "R", "U", "L",  "A",  "S", "E", NULL };

	return contains_any(text, names) || has_odd_number(text);
}

/* Makes a text of random tokens, most of which could follow each other. */
static size_t random_text(uint64_t *dice, char *text, size_t room)
{
	static const char *const tokens[] = {
		"{",
		"}",
		"[",
		"]",
		",",
		":",
		"\"a\":",
		"\"\"",
		"\"\\n\"",
		"true",
		"false",
		"null",
		"0",
		"-1",
		"1.5",
		"2e3",
		" ",
		"\n",
		"\t",
		"[1,2]",
		"{\"b\":{}}",
		"\"\\ud83d\\ude00\"",
		"\"\xc3\xa9\"",
		"-0",
		"1E-2",
		"\"\\u00e9\"",
		"\"x\":[",
		"},{",
		"],[",
		"\"\\/\"",
	};
	static const char noise[] =
		"{}[],:\"\\ \n\t\r0123456789+-.eEtrufalsn/'N\x01\x7f\x80\xc3\xff";
	size_t size = 0, count = 1 + next_random(dice) % 12;

	for (size_t i = 0; i < count && size + 32 < room; i++) {
		if (next_random(dice) % 12 == 0) {
			text[size++] = noise[next_random(dice) % (sizeof(noise) - 1)];
			continue;
		}
		const char *token = tokens[next_random(dice) % ARRAY_SIZE(tokens)];

		memcpy(text + size, token, strlen(token));
		size += strlen(token);
	}
	text[size] = '\0';
	return size;
}

/* Makes a valid text, in which a few bytes may be changed afterwards. */
static size_t random_value(uint64_t *dice, char *text, size_t depth)
{
	static const char *const scalars[] = {
		"0",    "-12",  "3.25e-7",       "true",        "false",
		"null", "\"\"", "\"k\\\"\\\\\"", "\"\\u12aB\"", "\"\xf0\x9f\x98\x80\""
	};
	size_t count = depth > 0 ? next_random(dice) % 4 : 0, size = 0;
	bool is_object = next_random(dice) % 2;

	if (depth == 0 || next_random(dice) % 3 == 0)
		return (size_t)(stpcpy(text, scalars[next_random(dice) % ARRAY_SIZE(scalars)]) -
				text);
	text[size++] = is_object ? '{' : '[';
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			text[size++] = ',';
		if (is_object)
			size += (size_t)sprintf(text + size, "\"%s%zu\" :", i % 2 ? "\\u00e9" : "",
						next_random(dice) % 4);
		size += random_value(dice, text + size, depth - 1);
		if (next_random(dice) % 4 == 0)
			text[size++] = "\n\t\r "[next_random(dice) % 4];
	}
	text[size++] = is_object ? '}' : ']';
	text[size] = '\0';
	return size;
}

static void change_bytes(uint64_t *dice, char *text, size_t size)
{
	for (size_t changes = next_random(dice) % 3; changes > 0; changes--)
		text[next_random(dice) % size] =
			"{}[],:\"\\ 01-+.eEtnu\xc3\x80"[next_random(dice) % 21];
}

/* Checks that json_build() builds what json-c does. */
static void compare_values(JsonParser *parser, struct json_object *expected, const char *text,
			   size_t size)
{
	const char *error;
	/* A copy of the exact size, because json_build() must not read behind the text. */
	char *copy = memcpy(malloc(size), text, size);
	JsonValue *value = json_build(parser, (JsonText){ .start = copy, .length = size }, &error);

	cr_assert_null(error, "%s: %s", text, error);
	cr_assert_str_eq(json_object_to_json_string(value), json_object_to_json_string(expected),
			 "%s", text);
	cr_assert(json_object_equal(value, expected), "%s", text);
	json_free(value);
	free(copy);
}

/* Tests for a number that may not fit in 64 bits, which some versions of json-c refuse. */
static bool has_long_number(const char *text)
{
	for (; *text; text++)
		if (strspn(text, "0123456789") > 18)
			return true;
	return false;
}

static bool may_refuse(JsonScanResult result, const char *text)
{
	return result == JSON_SCAN_FAULT_ZERO || result == JSON_SCAN_FAULT_CONTROL ||
	       result == JSON_SCAN_FAULT_UTF8 ||
	       ((result == JSON_SCAN_FAULT_SYNTAX || result == JSON_SCAN_FAULT_CUT) &&
		may_be_laxer(text));
}

typedef struct Comparison {
	uint64_t dice;
	json_tokener *json_c;
	JsonParser *parser;
	size_t accepted;
} Comparison;

static void compare(Comparison *comparison, const char *text, size_t size)
{
	JsonScanResult result = scan(text, size, size);
	bool json_c_accepts;
	struct json_object *value = json_c_parse(comparison->json_c, text, size, &json_c_accepts);

	cr_assert_eq(scan(text, size, SIZE_MAX), result, "single bytes: %s", text);
	cr_assert_eq(scan(text, size, next_random(&comparison->dice) % (size + 1)), result,
		     "cut: %s", text);
	if (result == JSON_SCAN_COMPLETE) {
		cr_assert(json_c_accepts || has_long_number(text), "only json-c refuses %s", text);
		if (json_c_accepts)
			compare_values(comparison->parser, value, text, size);
		comparison->accepted++;
	} else if (json_c_accepts) {
		cr_assert(may_refuse(result, text), "only json-c accepts %s", text);
	}
	json_object_put(value);
}

Test(json_scan, agrees_with_json_c)
{
	const char *seed = getenv("VAILD_SEED");
	Comparison comparison = {
		.dice = seed ? strtoull(seed, NULL, 10) : 20261,
		.json_c = json_tokener_new_ex(40),
		.parser = json_parser_new(),
	};
	size_t rounds = 50000;
	char text[16384];

	json_tokener_set_flags(comparison.json_c, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	for (size_t i = 0; i < rounds; i++) {
		size_t size = random_text(&comparison.dice, text, sizeof(text));

		compare(&comparison, text, size);
		size = random_value(&comparison.dice, text, 5);
		change_bytes(&comparison.dice, text, size);
		compare(&comparison, text, size);
	}
	cr_assert_gt(comparison.accepted, rounds / 4, "only %zu of the texts were valid",
		     comparison.accepted);
	cr_assert_lt(comparison.accepted, rounds * 7 / 4, "%zu of the texts were valid",
		     comparison.accepted);
	json_parser_free(comparison.parser);
	json_tokener_free(comparison.json_c);
}
