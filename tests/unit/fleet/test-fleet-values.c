/* SPDX-License-Identifier: MIT */
/* The JSON of each key. Hosts of other versions write it, so members may be missing or unknown. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/model/value.h"
#include "proto/macros.h"

static JsonParser *parser;

static void begin(void)
{
	parser = json_parser_new();
}

static void end(void)
{
	json_parser_free(parser);
}

TestSuite(fleet_values, .init = begin, .fini = end);

#define VM   "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c"
#define HOST "0123456789abcdef0123456789abcdef"

/* Parses and writes a value again. */
static void expect_written(FleetKeyKind kind, const char *text, const char *expected)
{
	FleetValue value;

	cr_assert_eq(fleet_value_parse(parser, kind, text, &value), FLEET_PARSE_DONE, "%s", text);
	_cleanup_free_ char *written = fleet_value_format(&value);
	cr_assert_str_eq(written, expected);
	fleet_value_deinit(&value);
}

Test(fleet_values, round_trip)
{
	static const struct {
		FleetKeyKind kind;
		const char *text;
	} rows[] = {
		{ FLEET_KEY_HOST, "{\"name\":\"a\",\"version\":\"1.2\",\"virtualMachines\":3,"
				  "\"registrations\":4}" },
		{ FLEET_KEY_HOST,
		  "{\"name\":\"a\",\"version\":\"1.2\",\"virtualMachines\":0,\"registrations\":0,"
		  "\"vaildIsAway\":true}" },
		{ FLEET_KEY_VM,
		  "{\"name\":\"\\\"x\\u0001\",\"state\":\"running\",\"virtualGpus\":1,"
		  "\"registrations\":2,\"since\":\"today\"}" },
		{ FLEET_KEY_VM, "{\"state\":\"incoming\",\"virtualGpus\":0,\"registrations\":0}" },
		{ FLEET_KEY_VM, "{\"state\":\"ended\",\"virtualGpus\":0,\"registrations\":0}" },
		{ FLEET_KEY_VM, "{\"state\":\"conflict\",\"virtualGpus\":0,\"registrations\":0}" },
		{ FLEET_KEY_GPU,
		  "{\"name\":\"A16\",\"source\":\"drm\",\"capacity\":16,\"used\":2,"
		  "\"types\":[{\"name\":\"nvidia-63\",\"free\":14}],"
		  "\"holders\":[{\"virtualMachineGuid\":\"" VM "\",\"type\":\"nvidia-63\"}]}" },
		{ FLEET_KEY_GPU, "{\"capacity\":1,\"used\":0,\"takesAnyType\":true,\"types\":[],"
				 "\"holders\":[]}" },
		{ FLEET_KEY_WHERE, "{\"host\":\"" HOST "\",\"name\":\"a\","
				   "\"virtualMachineName\":\"vm\",\"since\":\"today\"}" },
		{ FLEET_KEY_WHERE, "{\"host\":\"" HOST "\",\"previousHost\":\"" HOST "\"}" },
		{ FLEET_KEY_QUARANTINE, "{\"reason\":\"r\",\"who\":\"root\",\"when\":\"today\"}" },
		{ FLEET_KEY_QUARANTINE, "{}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_written(rows[i].kind, rows[i].text, rows[i].text);
}

Test(fleet_values, unknown_and_ill_typed_members_have_defaults)
{
	expect_written(FLEET_KEY_HOST,
		       "{\"name\":1,\"version\":[],\"virtualMachines\":\"3\",\"registrations\":-1,"
		       "\"vaildIsAway\":1,\"new\":{\"deep\":[1,2]}}",
		       "{\"virtualMachines\":0,\"registrations\":0}");
	expect_written(FLEET_KEY_VM, "{\"state\":\"new\",\"name\":null}",
		       "{\"state\":\"running\",\"virtualGpus\":0,\"registrations\":0}");
	expect_written(FLEET_KEY_GPU,
		       "{\"types\":{},\"holders\":[{},{\"virtualMachineGuid\":\"x\"},7,"
		       "{\"virtualMachineGuid\":\"" VM "\"}],\"used\":99999999999}",
		       "{\"capacity\":0,\"used\":4294967295,\"types\":[],"
		       "\"holders\":[{\"virtualMachineGuid\":\"" VM "\"}]}");
	expect_written(FLEET_KEY_WHERE, "{\"host\":\"nobody\"}",
		       "{\"host\":\"00000000000000000000000000000000\"}");
}

Test(fleet_values, malformed_ones_are_refused)
{
	static const char *const texts[] = { "",
					     "?",
					     "[]",
					     "null",
					     "1",
					     "\"x\"",
					     "{\"name\"",
					     "{} {}",
					     "{\"name\":\"\\u0000\"}",
					     "{\"name\":\"\xff\"}" };
	FleetValue value;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (FleetKeyKind kind = 0; kind < FLEET_KEY_KIND_MAX; kind++)
			cr_assert_eq(fleet_value_parse(parser, kind, texts[i], &value),
				     FLEET_PARSE_MALFORMED, "%s", texts[i]);
}

/* Returns a host's value whose name has that many letters, and then an ä. */
static char *long_name(size_t letters)
{
	char *text = malloc(letters + 64), *at = text;

	at = stpcpy(at, "{\"name\":\"");
	memset(at, 'a', letters);
	strcpy(at + letters, "\xc3\xa4\"}");
	return text;
}

Test(fleet_values, long_texts_are_cut_behind_a_character)
{
	static const struct {
		size_t letters, kept;
	} rows[] = { { 252, 254 }, { 253, 255 }, { 254, 254 }, { 255, 255 }, { 60000, 255 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = long_name(rows[i].letters);
		FleetValue value;

		cr_assert_eq(fleet_value_parse(parser, FLEET_KEY_HOST, text, &value),
			     FLEET_PARSE_DONE);
		cr_assert_eq(strlen(value.host.name), rows[i].kept, "%zu letters", rows[i].letters);
		fleet_value_deinit(&value);
	}
}

Test(fleet_values, too_long_ones_are_refused)
{
	_cleanup_free_ char *just = long_name(FLEET_VALUE_MAX - 13);
	_cleanup_free_ char *above = long_name(FLEET_VALUE_MAX - 12);
	FleetValue value;

	cr_assert_eq(strlen(just), FLEET_VALUE_MAX);
	cr_assert_eq(fleet_value_parse(parser, FLEET_KEY_HOST, just, &value), FLEET_PARSE_DONE);
	fleet_value_deinit(&value);
	cr_assert_eq(fleet_value_parse(parser, FLEET_KEY_HOST, above, &value),
		     FLEET_PARSE_MALFORMED);
}

Test(fleet_values, further_items_are_ignored)
{
	char text[8192] = "{\"types\":[";
	FleetValue value;

	for (size_t i = 0; i < FLEET_ITEMS_MAX + 1; i++)
		strcat(text, i == 0 ? "{\"name\":\"t\",\"free\":1}" : ",{\"name\":\"t\"}");
	strcat(text, "]}");
	cr_assert_eq(fleet_value_parse(parser, FLEET_KEY_GPU, text, &value), FLEET_PARSE_DONE);
	cr_assert_eq(value.gpu.type_count, FLEET_ITEMS_MAX);
	fleet_value_deinit(&value);
}

Test(fleet_values, free_vgpus)
{
	static const struct {
		const char *text, *type;
		uint64_t free;
		bool offers;
	} rows[] = {
		{ "{\"capacity\":4,\"used\":1,\"takesAnyType\":true}", "x", 3, true },
		{ "{\"capacity\":4,\"used\":4,\"takesAnyType\":true}", "x", 0, true },
		{ "{\"capacity\":4,\"used\":5,\"takesAnyType\":true}", "x", 0, true },
		{ "{\"capacity\":0,\"takesAnyType\":true}", "x", 0, false },
		{ "{\"capacity\":4,\"used\":1}", "x", 0, false },
		{ "{\"capacity\":4,\"used\":1}", NULL, 3, false },
		{ "{\"capacity\":4,\"types\":[{\"name\":\"x\",\"free\":2}]}", "x", 2, true },
		{ "{\"capacity\":4,\"types\":[{\"name\":\"x\",\"free\":0}]}", "x", 0, true },
		{ "{\"capacity\":4,\"types\":[{\"name\":\"x\",\"free\":2}]}", "X", 0, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		FleetValue value;

		cr_assert_eq(fleet_value_parse(parser, FLEET_KEY_GPU, rows[i].text, &value),
			     FLEET_PARSE_DONE);
		cr_assert_eq(fleet_gpu_free(&value.gpu, rows[i].type), rows[i].free, "%s",
			     rows[i].text);
		if (rows[i].type)
			cr_assert_eq(fleet_gpu_offers(&value.gpu, rows[i].type), rows[i].offers,
				     "%s", rows[i].text);
		fleet_value_deinit(&value);
	}
}
