/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the text of a configuration file. A file with a mistake changes no setting and gives a
 * sentence that begins with its name, has no control character and is UTF-8. Reading a valid file
 * twice gives the same settings.
 */
#include <string.h>

#include "daemon/host/config.h"
#include "tests/fuzz/common/fuzz-input.h"

#define NAME "vaild.json"

/* A sentence goes to terminals, to systemd and, as JSON, to clients. */
static void check_sentence(const char *sentence)
{
	char quoted[sizeof(((ConfigError *)NULL)->message) * 2 + 3];
	size_t length = 0, position;

	quoted[length++] = '"';
	for (; *sentence != '\0'; sentence++) {
		fuzz_must((unsigned char)*sentence >= 0x20 && *sentence != 0x7f);
		if (*sentence == '"' || *sentence == '\\')
			quoted[length++] = '\\';
		quoted[length++] = *sentence;
	}
	quoted[length++] = '"';
	fuzz_must(json_check(quoted, length, &position) == NULL);
}

static bool parse(Input input, Settings *settings)
{
	Buffer text = BUFFER_INIT;
	ConfigError error;

	fuzz_must(buffer_append(&text, input.data, input.size));
	bool is_valid = config_parse(NAME, &text, settings, &error);
	fuzz_must(is_valid == (error.message[0] == '\0'));
	fuzz_must(is_valid || strncmp(error.message, NAME ":", strlen(NAME ":")) == 0);
	check_sentence(error.message);
	buffer_deinit(&text);
	return is_valid;
}

static void check_limits(const Settings *settings)
{
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++)
		fuzz_must(settings->limits.per_uid[kind] <= LIMIT_VALUE_MAX &&
			  settings->limits.host_wide[kind] <= LIMIT_VALUE_MAX);
}

static bool groups_are_equal(const ConfiguredGroup *one, const ConfiguredGroup *other)
{
	return one->exists == other->exists && one->gid == other->gid &&
	       strcmp(one->name, other->name) == 0;
}

static bool are_equal(const Settings *one, const Settings *other)
{
	return one->allow_user_machines == other->allow_user_machines &&
	       one->require_sealed_memory == other->require_sealed_memory &&
	       groups_are_equal(&one->operators, &other->operators) &&
	       groups_are_equal(&one->observers, &other->observers) &&
	       groups_are_equal(&one->quarantiners, &other->quarantiners) &&
	       memcmp(&one->limits, &other->limits, sizeof(one->limits)) == 0 &&
	       one->software_adapter.of_processes.count ==
		       other->software_adapter.of_processes.count &&
	       one->software_adapter.of_system_process.count ==
		       other->software_adapter.of_system_process.count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const Input input = { data, size };
	const Settings defaults = { .limits = limits_default };
	Settings settings = defaults, again;

	if (!parse(input, &settings)) {
		fuzz_must(are_equal(&settings, &defaults));
		return 0;
	}
	check_limits(&settings);
	again = settings;
	fuzz_must(parse(input, &again));
	fuzz_must(are_equal(&settings, &again));
	return 0;
}
