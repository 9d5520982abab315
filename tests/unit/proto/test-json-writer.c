/* SPDX-License-Identifier: MIT */
/* The writer produces JSON, and reading it returns the original values. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "proto/json-writer.h"
#include "proto/json.h"
#include "proto/macros.h"

TestSuite(json_writer);

/* Writes the text as a JSON string, parses it, and compares the result. */
static void check_round_trip(JsonParser *parser, const char *text)
{
	Buffer out = BUFFER_INIT;
	Writer writer = WRITER_INIT(&out);
	const char *error;

	writer_string(&writer, text);
	cr_assert_not(writer.failed);
	size_t length = buffer_size(&out);
	for (size_t i = 0; i < length; i++)
		cr_assert_geq((uint8_t)buffer_head(&out)[i], 0x20, "raw control character");
	writer_terminator(&writer, '\0');
	JsonValue *value = json_parse(parser, buffer_head(&out), length, &error);
	cr_assert_null(error, "%s: %s", buffer_head(&out), error);
	cr_assert_str_eq(json_string(value), text);
	json_free(value);
	buffer_deinit(&out);
}

Test(json_writer, round_trip_of_each_byte)
{
	JsonParser *parser = json_parser_new();

	for (int byte = 1; byte < 0x80; byte++) {
		char alone[] = { (char)byte, '\0' };
		char among[] = { 'a', (char)byte, '"', (char)byte, '\\', (char)byte, 'z', '\0' };

		check_round_trip(parser, alone);
		check_round_trip(parser, among);
	}
	json_parser_free(parser);
}

Test(json_writer, round_trip_of_texts)
{
	char all[0x7f] = "", large[5000];
	JsonParser *parser = json_parser_new();

	for (int byte = 1; byte < 0x7f; byte++)
		all[byte - 1] = (char)byte;
	memset(large, '\x01', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	check_round_trip(parser, "");
	check_round_trip(parser, all);
	check_round_trip(parser, large);
	check_round_trip(parser, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
	for (size_t length = 0; length < 600;
	     length++) { /* around the sizes at which the buffer grows */
		memset(large, length % 2 ? '"' : 'x', length);
		large[length] = '\0';
		check_round_trip(parser, large);
	}
	json_parser_free(parser);
}

Test(json_writer, commas_and_brackets)
{
	static const uint8_t bytes[16] = { 0xaf, 0x0d };
	Guid guid;
	Handle handle;
	Buffer out = BUFFER_INIT;
	Writer writer = WRITER_INIT(&out);

	memcpy(&guid, bytes, sizeof(guid));
	memcpy(&handle, bytes, sizeof(handle));
	writer_object_begin(&writer);
	writer_key(&writer, "a");
	writer_array_begin(&writer);
	writer_array_end(&writer);
	writer_key(&writer, "b");
	writer_array_begin(&writer);
	writer_unsigned(&writer, 0);
	writer_unsigned(&writer, UINT64_MAX);
	writer_boolean(&writer, true);
	writer_boolean(&writer, false);
	writer_object_begin(&writer);
	writer_object_end(&writer);
	writer_json(&writer, "null", 4);
	writer_string(&writer, "s");
	writer_seconds(&writer, 1000002);
	writer_array_end(&writer);
	writer_key(&writer, "g");
	writer_guid(&writer, &guid);
	writer_key(&writer, "h");
	writer_handle(&writer, &handle);
	writer_object_end(&writer);
	writer_terminator(&writer, '\n');
	writer_object_begin(&writer);
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	cr_assert_str_eq(
		buffer_head(&out),
		"{\"a\":[],\"b\":[0,18446744073709551615,true,false,{},null,\"s\",1.000002],"
		"\"g\":\"af0d0000-0000-0000-0000-000000000000\","
		"\"h\":\"af0d0000000000000000000000000000\"}\n{}");
	buffer_deinit(&out);
}

Test(json_writer, numbers)
{
	static const struct {
		uint64_t number;
		const char *text, *seconds;
	} rows[] = {
		{ 0, "0", "0.000000" },
		{ 9, "9", "0.000009" },
		{ 10, "10", "0.000010" },
		{ 999999, "999999", "0.999999" },
		{ 1000000, "1000000", "1.000000" },
		{ 12345678901, "12345678901", "12345.678901" },
		{ INT64_MAX, "9223372036854775807", "9223372036854.775807" },
		{ UINT64_MAX, "18446744073709551615", "18446744073709.551615" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Buffer out = BUFFER_INIT;
		Writer writer = WRITER_INIT(&out);

		writer_unsigned(&writer, rows[i].number);
		writer_terminator(&writer, '\0');
		writer_seconds(&writer, rows[i].number);
		writer_terminator(&writer, '\0');
		cr_assert_str_eq(buffer_head(&out), rows[i].text);
		cr_assert_str_eq(buffer_head(&out) + strlen(rows[i].text) + 1, rows[i].seconds);
		buffer_deinit(&out);
	}
}
