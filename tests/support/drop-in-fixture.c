/* SPDX-License-Identifier: MIT */
#include "tests/support/drop-in-fixture.h"

#include <string.h>

#include "daemon/discovery/drop-in-apply.h"
#include "daemon/discovery/drop-in-parse.h"

static FakeHost *users_of; /* for find_user(), which has no context */

static Lookup find_user(const char *user, uid_t *ret_uid)
{
	return users_of->host.find_user(users_of->host.self, user, ret_uid);
}

static void add(DropIns *drop_ins, const char *text)
{
	ConfigError error = { .message = "" };
	ConfigFile file = { .path = "drop-in.json", .ret_error = &error };
	DropInReader reader = { drop_ins, find_user };
	Buffer buffer = BUFFER_INIT;

	fake_host_must(buffer_append(&buffer, text, strlen(text)));
	bool is_read = config_text_read(&file, &buffer, drop_in_read, &reader);
	fake_host_check(is_read, error.message, __FILE__, __LINE__);
	buffer_deinit(&buffer);
}

void set_drop_ins(FakeHost *fake_host, DropIns *drop_ins, const char *const *texts, size_t count)
{
	Broker *broker = fake_host->service.broker;

	users_of = fake_host;
	drop_ins_deinit(drop_ins);
	for (size_t i = 0; i < count; i++)
		add(drop_ins, texts[i]);
	fake_host->drop_ins = broker->drop_ins = drop_ins;
	fake_host_must(drop_ins_apply(&fake_host->service.store) == 0);
	while (broker_end_some(broker, UINT64_MAX))
		;
	broker_check(broker);
}
