/* SPDX-License-Identifier: MIT */
/* The members of an object are found in its text, whatever their values contain. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/json-text.h"
#include "proto/macros.h"

TestSuite(json_text);

static JsonText text_of(const char *text)
{
	return (JsonText){ .start = text, .length = strlen(text) };
}

Test(json_text, members)
{
	static const struct {
		const char *object;
		const char *members; /* name=value; of each */
	} rows[] = {
		{ "{}", "" },
		{ "{ \n}", "" },
		{ "[1,2]", "" },
		{ "17", "" },
		{ "null", "" },
		{ "\"{}\"", "" },
		{ "{\"a\":1}", "a=1;" },
		{ "{\"a\":1 , \"b\" :\tnull\n}", "a=1;b=null;" },
		{ "{\"\":-1.5e+3,\"\":true}", "=-1.5e+3;=true;" },
		{ "{\"a\":\"}\\\"]\",\"b\":{}}", "a=\"}\\\"]\";b={};" },
		{ "{\"a\":\"\\\\\",\"b\":[]}", "a=\"\\\\\";b=[];" },
		{ "{\"a\":[{\"b\":[\"]\"]},[]],\"c\":{\"d\":{\"e\":\"{\"}}}",
		  "a=[{\"b\":[\"]\"]},[]];c={\"d\":{\"e\":\"{\"}};" },
		{ "{\"a\\\"\\u0062\":0}", "a\\\"\\u0062=0;" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		JsonTextMembers members = json_text_members(text_of(rows[i].object));
		char found[200] = "";

		while (json_text_members_next(&members)) {
			strncat(found, members.name.start, members.name.length);
			strcat(found, "=");
			strncat(found, members.value.start, members.value.length);
			strcat(found, ";");
		}
		cr_assert_str_eq(found, rows[i].members, "%s", rows[i].object);
	}
	JsonTextMembers none = json_text_members((JsonText){ 0 });
	cr_assert_not(json_text_members_next(&none));
}

Test(json_text, names_are_compared_without_their_escapes)
{
	static const struct {
		const char *name, *expected;
		bool is;
	} rows[] = {
		{ "method", "method", true },
		{ "metho\\u0064", "method", true },
		{ "\\u006D\\u0065thod", "method", true },
		{ "metho", "method", false },
		{ "methods", "method", false },
		{ "Method", "method", false },
		{ "", "method", false },
		{ "", "", true },
		{ "metho\\u0164", "method", false },
		{ "metho\\u00e4", "method", false },
		{ "metho\xc3\xa4", "method", false },
		{ "metho\\ud83d\\ude00", "method", false },
		{ "a\\/b\\\"\\\\\\n\\t\\r\\b\\f", "a/b\"\\\n\t\r\b\f", true },
		{ "a\\n", "an", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_eq(json_text_name_is(text_of(rows[i].name), rows[i].expected), rows[i].is,
			     "row %zu: %s", i, rows[i].name);
}

/* A path that is too long is cut behind a character. */
Test(json_text, paths)
{
	static const struct {
		const char *text, *name; /* the path is that of the last member of this name */
		size_t size;
		const char *path;
	} rows[] = {
		{ "{\"a\":1,\"b\":2}", "b", 96, "b" },
		{ "[1,[2,{\"a\":1,\"b\":2}]]", "b", 96, "[1][1].b" },
		{ "{\"a\":{\"x\":\"x\"},\"b\":[{\"c\":0},{\"d\":0}]}", "d", 96, "b[1].d" },
		{ "{\"\\u0041\":{\"b\":0}}", "b", 96, "A.b" },
		{ "{\"a\":{\"\\u0041\\n\":0}}", "\\u0041", 96, "a.A\n" },
		{ "{\"abcdef\":{\"b\":0}}", "b", 7, "abcdef" },
		{ "{\"abcdef\":{\"b\":0}}", "b", 4, "abc" },
		{ "{\"abcd\":[{\"b\":0}]}", "b", 7, "abcd[0" },
		{ "{\"ab\xc3\xa4\":{\"b\":0}}", "b", 4, "ab" },
		{ "{\"\xf0\x9f\x98\x80\":{\"b\":0}}", "b", 5, "\xf0\x9f\x98\x80" },
		{ "{\"\\ud83d\\ude00\":{\"b\":0}}", "b", 96, "\xf0\x9f\x98\x80.b" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char quoted[20], path[96];

		snprintf(quoted, sizeof(quoted), "\"%s", rows[i].name);
		const char *name = strstr(rows[i].text, quoted) + 1;
		json_text_path(text_of(rows[i].text), name, path, rows[i].size);
		cr_assert_str_eq(path, rows[i].path, "row %zu", i);
	}
}

Test(json_text, literals)
{
	cr_assert(json_text_is(text_of("true"), "true"));
	cr_assert_not(json_text_is(text_of("true"), "false"));
	cr_assert_not(json_text_is(text_of("\"true\""), "true"));
	cr_assert_not(json_text_is((JsonText){ 0 }, "null"));
}
