/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the text of a drop-in for VMs. One with a mistake adds nothing, and gives a sentence that
 * begins with its name and has no control character. One that is right reads the same when the
 * daemon has kept its text. A match with any name ends.
 */
#include <string.h>

#include "daemon/discovery/drop-in-parse.h"
#include "tests/fuzz/common/fuzz-input.h"

#define NAME "a.json"

/* Users have the uid of their first letter. The others do not exist, or cannot be looked up. */
static Lookup find_user(const char *user, uid_t *ret_uid)
{
	*ret_uid = (uid_t)user[0];
	if (user[0] == 'z')
		return LOOKUP_EXHAUSTED;
	return user[0] >= 'a' && user[0] < 'z' ? LOOKUP_FOUND : LOOKUP_ABSENT;
}

static bool parse(Input input, bool is_kept, DropIns *drop_ins)
{
	Buffer text = BUFFER_INIT;
	ConfigError error = { .message = "" };
	ConfigFile file = { .path = NAME, .is_kept = is_kept, .ret_error = &error };
	DropInReader reader = { drop_ins, find_user };

	fuzz_must(buffer_append(&text, input.data, input.size));
	bool is_valid = config_text_read(&file, &text, drop_in_read, &reader);
	buffer_deinit(&text);
	fuzz_must(is_valid == (error.message[0] == '\0'));
	fuzz_must(is_valid || strncmp(error.message, NAME ":", strlen(NAME ":")) == 0);
	fuzz_must(drop_ins->count == (is_valid ? 1 : 0));
	for (const char *at = error.message; *at != '\0'; at++)
		fuzz_must((unsigned char)*at >= 0x20 && *at != 0x7f);
	return is_valid;
}

static void check(const DropIn *drop_in)
{
	fuzz_must((drop_in->subject == DROP_IN_GUID) == (drop_in->name == NULL));
	fuzz_must(!drop_in->name || drop_in->name[0] != '\0');
	fuzz_must(drop_in->client_count <= LIMIT_DISPLAY_CLIENTS);
	for (size_t i = 0; i < drop_in->client_count; i++) {
		fuzz_must(drop_in->clients[i].name && !drop_in->clients[i].is_unknown);
		fuzz_must((drop_in->clients[i].rights & ~DISPLAY_RIGHTS_ALL) == 0);
	}
	fuzz_must(!drop_in->has_agent || drop_in->agent.name);
}

/* Matches the name and the GUID of the drop-in itself, and a long name. */
static void match(const DropIns *drop_ins)
{
	const DropIn *drop_in = &drop_ins->items[0];
	char name[LIMIT_NAME_LENGTH + 1] = { 0 };
	VmIdentity identity = { .guid = &drop_in->guid,
				.name = drop_in->name,
				.by_operator = true,
				.registered_by = drop_in->registrar.uid };

	DropInChoice choice = drop_ins_choose(drop_ins, &identity);
	fuzz_must(drop_in->subject == DROP_IN_NAME_PATTERN ||
		  !choice.clients == (drop_in->client_count == 0));
	memset(name, drop_in->name ? drop_in->name[0] : 'a', LIMIT_NAME_LENGTH);
	identity.name = name;
	drop_ins_choose(drop_ins, &identity);
	identity.by_operator = false;
	identity.registered_by = 65534;
	choice = drop_ins_choose(drop_ins, &identity);
	fuzz_must(!choice.clients && !choice.agent && !choice.requires_sealed_memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	DropIns drop_ins = DROP_INS_INIT, kept = DROP_INS_INIT;

	if (parse((Input){ data, size }, false, &drop_ins)) {
		const char *text = drop_ins.items[0].text;

		check(&drop_ins.items[0]);
		match(&drop_ins);
		fuzz_must(parse((Input){ (const uint8_t *)text, strlen(text) }, true, &kept));
		fuzz_must(strcmp(kept.items[0].text, text) == 0);
	}
	drop_ins_deinit(&drop_ins);
	drop_ins_deinit(&kept);
	return 0;
}
