/* SPDX-License-Identifier: MIT */
/* The members of a request beside its parameters, and members that stand twice anywhere. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-host.h"

static HostFixture fixture;

static void set_up(void)
{
	fixture = host_fixture_new_quiet();
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

TestSuite(envelope, .init = set_up, .fini = tear_down);

#define INFO "{\"method\":\"org.varlink.service.GetInfo\"}"

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

Test(envelope, flags_of_the_envelope)
{
	static const struct {
		const char *flags, *parameter; /* parameter is NULL for success */
	} rows[] = {
		{ "\"more\":true", NULL }, /* the method does not stream, so there is one reply */
		{ "\"more\":false,\"oneway\":false", NULL },
		{ "\"more\":null,\"oneway\":null", NULL },
		{ "\"upgrade\":false,\"anything\":[1]", NULL },
		{ "\"upgrade\":null", NULL },
		{ "\"upgrade\":1", "upgrade" },
		{ "\"upgrade\":\"true\"", "upgrade" },
		{ "\"parameters\":null", NULL },
		{ "\"parameters\":{}", NULL },
		{ "\"more\":true,\"oneway\":true", "more" },
		{ "\"more\":1", "more" },
		{ "\"more\":\"true\"", "more" },
		{ "\"oneway\":1", "oneway" },
		{ "\"oneway\":{}", "oneway" },
		{ "\"parameters\":[]", "parameters" },
		{ "\"parameters\":\"\"", "parameters" },
		{ "\"parameters\":false", "parameters" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char request[160], parameter[40];

		snprintf(request, sizeof(request), "{\"method\":\"%s\",%s}\n", CREATE_CONTEXT,
			 rows[i].flags);
		snprintf(parameter, sizeof(parameter), "\"parameter\":\"%s\"}}\n",
			 rows[i].parameter ? rows[i].parameter : "");
		const char *text = exchange(fixture.fake_host, fixture.client, request);
		cr_assert_eq(count_lines(text), 1u, "%s", request);
		cr_assert_null(strstr(text, "continues"), "%s", request);
		if (!rows[i].parameter) {
			cr_assert_not_null(strstr(text, "STATUS_SUCCESS"), "%s", request);
			continue;
		}
		cr_assert_not_null(strstr(text, "io.vaild.Gpu.InvalidParameter"), "%s", request);
		cr_assert_not_null(strstr(text, parameter), "%s got %s", request, text);
	}
}

/* Not every interface declares NotSupported, so the error is that of io.vaild. */
Test(envelope, upgrade_is_not_supported)
{
	static const char *const names[] = { GET_INFO, CREATE_CONTEXT, WATCH };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char request[160];

		snprintf(request, sizeof(request),
			 "{\"method\":\"%s\",\"upgrade\":true}\n" INFO "\n", names[i]);
		const char *text = exchange(fixture.fake_host, fixture.client, request);

		cr_assert_eq(strncmp(text, "{\"error\":\"io.vaild.NotSupported\"", 32), 0, "%s",
			     text);
		cr_assert_not_null(strstr(text, "leave out \\\"upgrade\\\""), "%s", text);
		cr_assert_not_null(strstr(text, "vendor"), "the connection stays open");
	}
	call(fixture.fake_host, fixture.admin, LIST_PROCESSES, NULL);
	cr_assert_eq(reply_count(fixture.fake_host, "processes"), 1u, "there is no new context");
}

/* A method that is no string is not missing. */
Test(envelope, error_of_the_method_fits)
{
	static const struct {
		const char *request, *sentence;
	} rows[] = {
		{ "{}", "method is missing; send" },
		{ "{\"method\":null}", "method is missing; send" },
		{ "{\"parameters\":{\"method\":\"a.b\"}}", "method is missing; send" },
		{ "{\"method\":17}", "method is not a string; send" },
		{ "{\"method\":[\"a.b\"]}", "method is not a string; send" },
		{ "{\"method\":{}}", "method is not a string; send" },
		{ "{\"method\":true}", "method is not a string; send" },
		{ "[]", "method is missing, because the message is not an object; send" },
		{ "\"a.b\"", "method is missing, because the message is not an object; send" },
		{ "null", "method is missing, because the message is not an object; send" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char request[120];

		snprintf(request, sizeof(request), "%s\n", rows[i].request);
		const char *text = exchange(fixture.fake_host, fixture.client, request);

		cr_assert_not_null(strstr(text, rows[i].sentence), "%s got %s", rows[i].request,
				   text);
		cr_assert_not_null(strstr(text, "\"parameter\":\"method\""), "%s", text);
	}
}

/* A member that stands twice is refused on every level, and also where members are ignored. */
Test(envelope, member_that_stands_twice)
{
	static const struct {
		const char *members, *path; /* path is NULL if the message is accepted */
	} rows[] = {
		{ "\"method\":\"" GET_INFO "\"", "method" },
		{ "\"m\\u0065thod\":null", "method" },
		{ "\"more\":false,\"more\":false", "more" },
		{ "\"upgrade\":null,\"upgrade\":null", "upgrade" },
		{ "\"oneway\":false,\"onewa\\u0079\":false", "oneway" },
		{ "\"parameters\":{},\"parameters\":{}", "parameters" },
		{ "\"parameters\":{\"a\":1,\"b\":2,\"a\":1}", "a" },
		{ "\"parameters\":{\"a\":1,\"\\u0061\":1}", "a" },
		{ "\"parameters\":{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":1}",
		  "\xf0\x9f\x98\x80" },
		{ "\"parameters\":{\"\\ud800\":1,\"\\udc00\":1}", "\xef\xbf\xbd" },
		{ "\"parameters\":{\"\":1,\"\":1}", "" },
		{ "\"parameters\":{\"a\":[0,{\"b\":[[],[{\"c\":1,\"d\":{},\"c\":1}]]}]}",
		  "a[1].b[1][0].c" },
		{ "\"parameters\":{\"a\":\"{,\\\",[\",\"b\":{\"c\":\"c\",\"d\":\"c\",\"c\":0}}",
		  "b.c" },
		{ "\"x\":1,\"x\":1", "x" },
		{ "\"x\":1,\"y\":{\"z\":[{},{\"a\":1,\"a\":1}]}", "y.z[1].a" },
		{ "\"x\":1,\"parameters\":{\"a\":{\"b\":1,\"b\":1}}", "a.b" },
		{ "\"x\":{\"method\":1},\"y\":[{\"a\":1},{\"a\":1}],\"z\":{\"x\":{\"x\":1}}",
		  NULL },
		{ "\"parameters\":{},\"x\":{\"a\":\"a\",\"A\":1,\"\":1}", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char request[200], parameter[80];

		snprintf(request, sizeof(request), "{\"method\":\"%s\",%s}\n" INFO "\n", GET_INFO,
			 rows[i].members);
		snprintf(parameter, sizeof(parameter), "\"parameter\":\"%s\"}}\n",
			 rows[i].path ? rows[i].path : "");
		const char *text = exchange(fixture.fake_host, fixture.client, request);
		cr_assert_eq(count_lines(text), 2u, "%s", request);
		cr_assert_not_null(strstr(strchr(text, '\n'), "vendor"),
				   "the connection stays open");
		if (!rows[i].path) {
			cr_assert_eq(strncmp(text, "{\"parameters\"", 13), 0, "%s got %s", request,
				     text);
			continue;
		}
		cr_assert_eq(strncmp(text, "{\"error\":\"io.vaild.InvalidParameter\"", 36), 0,
			     "%s got %s", request, text);
		cr_assert_not_null(strstr(text, "stands twice in its object"), "%s got %s", request,
				   text);
		if (rows[i].path[0] != '\0')
			cr_assert_not_null(strstr(text, parameter), "%s got %s", request, text);
	}
}

/* The last value of a member that stands twice is not acted on either. */
Test(envelope, message_with_a_member_twice_changes_nothing)
{
	exchange(fixture.fake_host, fixture.admin,
		 "{\"method\":\"" SET_QUARANTINE
		 "\",\"parameters\":{\"virtualMachineGuid\":\"" GUID_A
		 "\",\"virtualMachineGuid\":\"" GUID_B "\",\"quarantined\":true}}\n");
	cr_assert_null(fake_host_find_quarantine(fixture.fake_host, GUID_A));
	cr_assert_null(fake_host_find_quarantine(fixture.fake_host, GUID_B));
}

Test(envelope, names_of_methods)
{
	static const struct {
		const char *name, *answer;
	} rows[] = {
		{ "io.vaild.Nothing",
		  "MethodNotFound\",\"parameters\":{\"method\":\"io.vaild.Nothing\"" },
		{ "io.vaild.", "MethodNotFound\",\"parameters\":{\"method\":\"io.vaild.\"" },
		{ "io.vaild.registerVailProcess", "MethodNotFound" },
		{ "io.vaild.RegisterVailProcessX", "MethodNotFound" },
		{ "io.vaild.RegisterVailProces", "MethodNotFound" },
		{ "GetInfo", "MethodNotFound\",\"parameters\":{\"method\":\"GetInfo\"" },
		{ "", "MethodNotFound\",\"parameters\":{\"method\":\"\"" },
		{ ".", "InterfaceNotFound\",\"parameters\":{\"interface\":\"\"" },
		{ ".GetInfo", "InterfaceNotFound\",\"parameters\":{\"interface\":\"\"" },
		{ "io.vail.GetInfo",
		  "InterfaceNotFound\",\"parameters\":{\"interface\":\"io.vail\"" },
		{ "io.vaild.Gpux.ListAdapters", "InterfaceNotFound" },
		{ "io.vaild.GetInfo", "MethodNotFound" },
		{ "io.vaild.Gpu", "MethodNotFound" },
		{ "IO.VAILD.RegisterVailProcess", "InterfaceNotFound" },
		{ "a\\nb.c\\\"d", "InterfaceNotFound\",\"parameters\":{\"interface\":\"a\\nb\"" },
		{ "a\\\"b", "MethodNotFound\",\"parameters\":{\"method\":\"a\\\"b\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char request[160];

		snprintf(request, sizeof(request), "{\"method\":\"%s\"}\n" INFO "\n", rows[i].name);
		const char *text = exchange(fixture.fake_host, fixture.client, request);
		cr_assert_not_null(strstr(text, rows[i].answer), "%s got %s", request, text);
		cr_assert_null(strstr(text, "\"status\""), "Varlink's errors carry no status");
		cr_assert_not_null(strstr(text, "vendor"), "the connection stays open");
	}
}

Test(envelope, json_that_is_not_a_call_keeps_the_connection)
{
	static const char *const rows[] = {
		"null",
		"true",
		"false",
		"0",
		"-1",
		"1e9",
		"\"text\"",
		"[]",
		"[{}]",
		"{}",
		"{\"method\":null}",
		"{\"method\":1}",
		"{\"method\":[]}",
		"{\"Method\":\"x\"}",
		"{\"parameters\":{}}",
		"{\"method\":{\"method\":\"a.b\"}}",
		"0 ",
		"{} \t",
		"\"\" ",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char request[120];

		snprintf(request, sizeof(request), "%s\n" INFO "\n", rows[i]);
		const char *text = exchange(fixture.fake_host, fixture.client, request);
		cr_assert_eq(strncmp(text, "{\"error\":\"io.vaild.InvalidParameter\"", 36), 0,
			     "%s got %s", rows[i], text);
		cr_assert_not_null(strstr(text, "\"parameter\":\"method\"}}\n"), "%s", rows[i]);
		cr_assert_not_null(strstr(text, "\"code\":\"0xC000000D\""), "%s", rows[i]);
		cr_assert_not_null(strstr(text, "vendor"), "%s: the connection stays open",
				   rows[i]);
	}
}

Test(envelope, members_are_found)
{
	static const struct {
		const char *request, *reply;
	} rows[] = {
		{ "{\"metho\\u0064\":\"org.varlink.service.GetI\\u006efo\"}", "vendor" },
		{ "{\"parameters\":null,\"method\":\"org.varlink.service.GetInfo\"}", "vendor" },
		{ "{\"parameters\":\"{}\",\"method\":\"org.varlink.service.GetInfo\"}",
		  "\"parameter\":\"parameters\"" },
		{ "{\"x\":{\"method\":\"a.b\"},\"method\":\"org.varlink.service.GetInfo\"}",
		  "vendor" },
		{ "{\"x\":\"\\\"method\\\":\",\"method\":\"org.varlink.service.GetInfo\"}",
		  "vendor" },
		{ "{\"oneway\":\"true\",\"method\":\"org.varlink.service.GetInfo\"}",
		  "\"parameter\":\"oneway\"" },
		{ "{\"more\":[true],\"method\":\"org.varlink.service.GetInfo\"}",
		  "\"parameter\":\"more\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char request[200];

		snprintf(request, sizeof(request), "%s\n" INFO "\n", rows[i].request);
		const char *text = exchange(fixture.fake_host, fixture.client, request);

		cr_assert_eq(count_lines(text), 2u, "%s got %s", rows[i].request, text);
		cr_assert_not_null(strstr(text, rows[i].reply), "%s got %s", rows[i].request, text);
	}
}
