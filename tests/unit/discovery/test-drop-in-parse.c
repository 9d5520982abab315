/* SPDX-License-Identifier: MIT */
/* Tests the parser of the drop-ins for VMs: what it reads, and the sentences about mistakes. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/discovery/drop-in-parse.h"
#include "proto/macros.h"

static size_t lookups;

static Lookup find_user(const char *user, uid_t *ret_uid)
{
	lookups++;
	*ret_uid = strcmp(user, "alice") == 0 ? 1000 : strcmp(user, "bob") == 0 ? 1001 : 65534;
	if (strcmp(user, "slow") == 0)
		return LOOKUP_EXHAUSTED;
	return *ret_uid < 65534 || strcmp(user, "overflow") == 0 ? LOOKUP_FOUND : LOOKUP_ABSENT;
}

static bool parse(const char *text, bool is_kept, DropIns *drop_ins, ConfigError *error)
{
	ConfigFile file = { .path = "a.json", .is_kept = is_kept, .ret_error = error };
	DropInReader reader = { drop_ins, find_user };
	Buffer buffer = BUFFER_INIT;

	*error = (ConfigError){ 0 };
	cr_assert(buffer_append(&buffer, text, strlen(text)));
	bool is_read = config_text_read(&file, &buffer, drop_in_read, &reader);
	cr_assert_eq(is_read, error->message[0] == '\0', "%s", error->message);
	buffer_deinit(&buffer);
	return is_read;
}

Test(drop_in_parse, all_keys)
{
	DropIns drop_ins = DROP_INS_INIT;
	ConfigError error;

	cr_assert(parse("{ \"virtualMachineGuid\": \"AF0DCD1A-A0FD-59A0-998E-CAD0C3834A2C\",\n"
			"  \"registeredBy\": \"bob\",\n"
			"  \"displayClients\": [{ \"user\": \"alice\", \"rights\": [\"view\", "
			"\"input\"] }, { \"user\": \"bob\" }],\n"
			"  \"agent\": { \"user\": \"bob\" },\n"
			"  \"requireSealedMemory\": true }\n",
			false, &drop_ins, &error));
	const DropIn *drop_in = &drop_ins.items[0];
	cr_assert_eq(drop_in->subject, DROP_IN_GUID);
	cr_assert_eq(drop_in->guid.bytes[0], 0xaf);
	cr_assert_null(drop_in->name);
	cr_assert(drop_in->has_registrar && drop_in->registrar.uid == 1001);
	cr_assert_eq(drop_in->client_count, 2u);
	cr_assert_str_eq(drop_in->clients[0].name, "alice");
	cr_assert_eq(drop_in->clients[0].uid, 1000u);
	cr_assert_eq(drop_in->clients[0].rights, DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_VIEW) |
							 DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_INPUT));
	cr_assert_eq(drop_in->clients[1].rights, 0u);
	cr_assert(drop_in->has_agent && drop_in->agent.uid == 1001);
	cr_assert(drop_in->requires_sealed_memory);
	cr_assert_str_eq(drop_in->path, "a.json");
	drop_ins_deinit(&drop_ins);
}

Test(drop_in_parse, a_name_and_a_pattern)
{
	DropIns drop_ins = DROP_INS_INIT;
	ConfigError error;

	cr_assert(parse("{\"name\":\"build-*\"}", false, &drop_ins, &error));
	cr_assert(parse("{\"namePattern\":\"build-*\"}", false, &drop_ins, &error));
	cr_assert_eq(drop_ins.count, 2u);
	cr_assert_eq(drop_ins.items[0].subject, DROP_IN_NAME);
	cr_assert_eq(drop_ins.items[1].subject, DROP_IN_NAME_PATTERN);
	cr_assert_str_eq(drop_ins.items[1].name, "build-*");
	cr_assert_not(drop_ins.items[0].has_registrar || drop_ins.items[0].has_agent);
	drop_ins_deinit(&drop_ins);
}

/* Users can be in a database at the other end of a network. */
Test(drop_in_parse, a_user_is_looked_up_once)
{
	DropIns drop_ins = DROP_INS_INIT;
	ConfigError error;

	lookups = 0;
	for (size_t i = 0; i < 10; i++)
		cr_assert(parse("{\"name\":\"a\",\"displayClients\":[{\"user\":\"alice\"}],"
				"\"agent\":{\"user\":\"bob\"},\"registeredBy\":\"bob\"}",
				false, &drop_ins, &error));
	cr_assert_leq(lookups, 3u);
	cr_assert_eq(drop_ins.items[9].agent.uid, 1001u);
	drop_ins_deinit(&drop_ins);
}

static const struct {
	const char *text, *message;
} mistakes[] = {
	{ "{}", "a.json:1:1: the drop-in names no VM; add virtualMachineGuid, name or "
		"namePattern" },
	{ "{\"name\": \"a\", \"namePattern\": \"b\"}",
	  "a.json:1:1: the drop-in has more than one of virtualMachineGuid, name or namePattern; "
	  "write one file for each" },
	{ "{\"name\": \"\"}", "a.json:1:2: name is empty" },
	{ "{\n \"namePattern\": \"\"}", "a.json:2:2: namePattern is empty" },
	{ "{\"virtualMachineGuid\": \"1\"}", "a.json:1:2: virtualMachineGuid is not a GUID" },
	{ "{\"name\": \"a\", \"displayclients\": []}",
	  "a.json:1:15: displayclients is not a key of the drop-in; did you mean "
	  "\"displayClients\"?" },
	{ "{\"name\": \"a\", \"user\": \"alice\"}",
	  "a.json:1:15: user is not a key of the drop-in but of the items of \"displayClients\"; "
	  "move it there" },
	{ "{\"name\": \"a\", \"displayClients\": []}",
	  "a.json:1:15: displayClients names nobody; name a user, or remove the key" },
	{ "{\"name\": \"a\", \"displayClients\": [{\"rights\": []}]}",
	  "displayClients[0].user is missing; add it" },
	{ "{\"name\": \"a\", \"displayClients\": [{\"user\": \"alice\", \"rights\": "
	  "[\"inputs\"]}]}",
	  "displayClients[0].rights[0] is not one of view, input, clipboard, "
	  "audioOutput" },
	{ "{\"name\": \"a\", \"displayClients\": [{\"user\": \"carol\"}]}",
	  "a.json:1:35: displayClients[0].user: user \"carol\" does not exist; create it" },
	{ "{\"name\": \"a\", \"agent\": {\"user\": \"overflow\"}}",
	  "agent.user: user \"overflow\" has uid 65534, which stands for unknown users" },
	{ "{\"name\": \"a\", \"agent\": {\"pid\": 5}}",
	  "agent.pid is not a key of \"agent\"; its" },
	{ "{\"name\": \"a\", \"registeredBy\": \"slow\"}",
	  "registeredBy: user \"slow\" cannot be looked up now" },
	{ "{\"name\": \"a\", \"requireSealedMemory\": \"true\"}", "remove the quotes" },
	{ "{\"name\": null}", "name is not a string" },
	{ "[]", "a.json:1:1: the file is not one JSON object" },
	{ "", "the file is empty" },
	{ "{\"name\": \"a\",}", "no comma is allowed behind the last value" },
	{ "{\"name\": \"a\", \"name\": \"b\"}", "name stands twice" },
};

Test(drop_in_parse, mistakes_name_the_key_and_add_nothing)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		DropIns drop_ins = DROP_INS_INIT;
		ConfigError error;

		cr_assert_not(parse(mistakes[i].text, false, &drop_ins, &error), "%s",
			      mistakes[i].text);
		cr_assert_not_null(strstr(error.message, mistakes[i].message), "%s: %s",
				   mistakes[i].text, error.message);
		cr_assert_eq(error.is_temporary, strstr(mistakes[i].text, "slow") != NULL);
		cr_assert_eq(drop_ins.count, 0u);
		drop_ins_deinit(&drop_ins);
	}
}

Test(drop_in_parse, a_kept_file_may_name_users_that_do_not_exist)
{
	DropIns drop_ins = DROP_INS_INIT;
	ConfigError error;

	cr_assert(parse("{\"name\":\"a\",\"displayClients\":[{\"user\":\"carol\"}]}", true,
			&drop_ins, &error));
	cr_assert(drop_ins.items[0].clients[0].is_unknown);
	cr_assert(parse("{\"name\":\"a\",\"displayClients\":[{\"user\":\"carol\"}]}", true,
			&drop_ins, &error));
	cr_assert(drop_ins.items[1].clients[0].is_unknown);
	cr_assert_not(
		parse("{\"name\":\"a\",\"agent\":{\"user\":\"slow\"}}", true, &drop_ins, &error));
	cr_assert(error.is_temporary);
	drop_ins_deinit(&drop_ins);
}
