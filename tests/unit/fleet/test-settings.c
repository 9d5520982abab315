/* SPDX-License-Identifier: MIT */
/* The configuration of vaild-fleet: what it may say, its defaults, and the sentence of each
 * mistake. */
#include <criterion/criterion.h>
#include <string.h>

#include "daemon/fleet/settings.h"

TestSuite(fleet_settings);

#define TLS "\"endpoints\":[\"https://a:1\"]"

static bool parse(const char *text, Settings *ret, ConfigError *ret_error)
{
	_cleanup_(buffer_deinit) Buffer buffer = BUFFER_INIT;

	cr_assert(buffer_append(&buffer, text, strlen(text)));
	return settings_parse("fleet.json", &buffer, ret, ret_error);
}

Test(fleet_settings, everything)
{
	_cleanup_(settings_deinit) Settings settings = { 0 };
	ConfigError error;

	cr_assert(parse("{\"endpoints\":[\"https://a:1\",\"https://[::1]:2/\"],\"prefix\":\"/x/\","
			"\"caFile\":\"/ca\",\"certificateFile\":\"/cert\",\"keyFile\":\"/key\","
			"\"name\":\"rack1\",\"operatorGroup\":\"o\",\"observersGroup\":\"p\","
			"\"ttl\":30}",
			&settings, &error),
		  "%s", error.message);
	cr_assert_eq(settings.endpoint_count, 2u);
	cr_assert_str_eq(settings.endpoints[1], "https://[::1]:2/");
	cr_assert_str_eq(settings.prefix, "/x/");
	cr_assert_str_eq(settings.ca, "/ca");
	cr_assert_str_eq(settings.certificate, "/cert");
	cr_assert_str_eq(settings.private_key, "/key");
	cr_assert_str_eq(settings.name, "rack1");
	cr_assert_str_eq(settings.operator_group, "o");
	cr_assert_str_eq(settings.observer_group, "p");
	cr_assert_eq(settings.ttl, 30u);
}

Test(fleet_settings, defaults)
{
	_cleanup_(settings_deinit) Settings settings = { 0 };
	ConfigError error;

	cr_assert(parse("{\"endpoints\":[\"http://a:1\"]}", &settings, &error));
	cr_assert_str_eq(settings.prefix, "/vaild/");
	cr_assert_str_eq(settings.operator_group, "vaild");
	cr_assert_str_eq(settings.observer_group, "vaild-observers");
	cr_assert_eq(settings.ttl, 15u);
	cr_assert(!settings.ca && !settings.certificate && !settings.private_key && !settings.name);
}

Test(fleet_settings, mistakes)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "{}", "endpoints is missing; add it" },
		{ "{\"endpoints\":[]}", "endpoints is empty; name a member of etcd" },
		{ "{\"endpoints\":\"https://a\"}", "endpoints is not an array" },
		{ "{\"endpoints\":[1]}", "endpoints[0] is not a string" },
		{ "{\"endpoints\":[\"https://a\",\"etcd1:2379\"]}",
		  "endpoints[1]: \"etcd1:2379\" does not begin with https:// or http://;" },
		{ "{\"endpoints\":[\"https://\"]}", "endpoints[0]: \"https://\" has no host" },
		{ "{\"endpoints\":[\"https://:2379\"]}", "has no host" },
		{ "{\"endpoints\":[\"https://a/v3\"]}", "has a path" },
		{ "{\"endpoints\":[\"https://a@b\"]}", "has a user, query or fragment" },
		{ "{\"endpoints\":[\"https://a b\"]}", "has a character that no URL may have" },
		{ "{" TLS ",\"prefix\":\"/vaild\"}", "prefix does not end with a slash" },
		{ "{" TLS ",\"prefix\":\"\"}", "prefix does not end with a slash" },
		{ "{" TLS ",\"prefix\":\"/a\\n/\"}", "prefix has a control character" },
		{ "{" TLS ",\"caFile\":\"ca.pem\"}", "caFile is not an absolute path" },
		{ "{" TLS ",\"certificateFile\":\"/c\"}", "certificateFile needs a keyFile" },
		{ "{" TLS ",\"keyFile\":\"/c\"}", "keyFile needs a certificateFile" },
		{ "{\"endpoints\":[\"https://a\",\"https://b\",\"http://c\"]}",
		  "endpoints[2]: one URL has https:// and another http://" },
		{ "{\"endpoints\":[\"http://a\",\"https://b\"]}",
		  "endpoints[1]: one URL has https:// and another http://" },
		{ "{\"endpoints\":[\"http://a\"],\"caFile\":\"/c\"}",
		  "endpoints has no URL with https://, so caFile would have no effect" },
		{ "{" TLS ",\"ttl\":2}", "ttl is less than 3 seconds" },
		{ "{" TLS ",\"ttl\":3601}", "ttl " },
		{ "{" TLS ",\"name\":\"\"}", "name is empty" },
		{ "{" TLS ",\"endpoint\":[]}", "did you mean \"endpoints\"?" },
		{ "{" TLS ",\"ca_file\":\"/c\"}", "did you mean \"caFile\"?" },
		{ "{" TLS ",\"prefix\":null}", "prefix " },
		{ "[]", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Settings settings = { 0 };
		ConfigError error;

		cr_assert_not(parse(rows[i].text, &settings, &error), "%s", rows[i].text);
		cr_assert_not_null(strstr(error.message, rows[i].message), "%s: %s", rows[i].text,
				   error.message);
		cr_assert_eq(strncmp(error.message, "fleet.json", strlen("fleet.json")), 0);
		cr_assert_null(settings.prefix, "the settings are unchanged");
	}
}
