/* SPDX-License-Identifier: MIT */
/* Security property: a quarantine lasts until an operator lifts it, whatever happens to the file.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake-host.h"
#include "quarantine-store.h"

typedef struct State {
	char path[64];
	QuarantineStore store;
	Guid guid;
} State;

static State state_begin(void)
{
	State state = { .path = "/tmp/vaild-state-XXXXXX" };

	cr_assert_not_null(mkdtemp(state.path));
	cr_assert_eq(quarantine_store_open(&state.store, state.path), 0);
	cr_assert(guid_parse(GUID_A, &state.guid));
	return state;
}

static void state_end(State *state)
{
	char command[128];

	quarantine_store_close(&state->store);
	snprintf(command, sizeof(command), "rm -rf '%s'", state->path);
	cr_assert_eq(system(command), 0);
}

static void state_write(const State *state, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/quarantine/" GUID_A ".json", state->path);
	FILE *file = fopen(path, "we");
	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

static bool state_has(const State *state, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/quarantine/%s", state->path, name);
	return access(path, F_OK) == 0;
}

/* Restores into a broker of its own. Returns the reason, which the caller frees; NULL where the
 * GUID is not in quarantine. */
static char *restore(State *state)
{
	World *world = world_new();
	Broker *broker = world->service.broker;

	cr_assert_geq(quarantine_store_restore(&state->store, broker, world->service.parser,
					       &world->service.statistics),
		      0);
	broker_check(broker);
	const Quarantine *quarantine = quarantine_find(broker, &state->guid);
	char *reason = quarantine ? strdup(quarantine->reason ? quarantine->reason : "") : NULL;
	world_free(world);
	return reason;
}

static void assert_restores(State *state, const char *expected)
{
	char *reason = restore(state);

	if (expected)
		cr_assert_str_eq(reason, expected);
	else
		cr_assert_null(reason);
	free(reason);
}

Test(quarantine_lasts, kept_and_dropped)
{
	State state = state_begin();

	assert_restores(&state, NULL);
	cr_assert(quarantine_store_keep(&state.store, &state.guid, "GPU \"fell\" off\n"));
	assert_restores(&state, "GPU \"fell\" off\n");
	cr_assert(quarantine_store_keep(&state.store, &state.guid, NULL));
	assert_restores(&state, "");
	cr_assert(quarantine_store_drop(&state.store, &state.guid));
	cr_assert(quarantine_store_drop(&state.store, &state.guid));
	assert_restores(&state, NULL);
	state_end(&state);
}

/* What there are no descriptors to read is not damaged: nobody is served without. */
Test(quarantine_lasts, over_a_start_without_descriptors)
{
	State state = state_begin();
	World *world = world_new();
	struct rlimit limit, few;

	cr_assert(quarantine_store_keep(&state.store, &state.guid, "odd"));
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	int next = dup(STDERR_FILENO);
	close(next);
	few = limit;
	few.rlim_cur = (rlim_t)next + 1; /* for the directory */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	int restored = quarantine_store_restore(&state.store, world->service.broker,
						world->service.parser, &world->service.statistics);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(restored, -EMFILE);
	cr_assert(state_has(&state, GUID_A ".json"));
	assert_restores(&state, "odd");
	world_free(world);
	state_end(&state);
}

Test(quarantine_lasts, over_a_damaged_file)
{
	static const char *const damaged[] = {
		"",
		"{",
		"null",
		"[]",
		"{\"version\":1}",
		"{\"version\":\"1\",\"virtualMachineGuid\":\"" GUID_A "\"}",
		"{\"version\":0,\"virtualMachineGuid\":\"" GUID_A "\"}",
		"{\"version\":1,\"virtualMachineGuid\":\"" GUID_B "\"}",
		"{\"version\":1,\"virtualMachineGuid\":\"" GUID_A "\"",
	};

	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		State state = state_begin();

		state_write(&state, damaged[i]);
		assert_restores(&state, "its record was damaged");
		cr_assert(state_has(&state, GUID_A ".json.damaged"), "case %zu", i);
		/* And again: what was written in its place is sound. */
		assert_restores(&state, "its record was damaged");
		state_end(&state);
	}
}

Test(quarantine_lasts, over_a_downgrade)
{
	State state = state_begin();

	state_write(&state, "{\"version\":2,\"virtualMachineGuid\":\"" GUID_A "\"}");
	assert_restores(&state, "recorded by a newer version of vaild");
	cr_assert_not(state_has(&state, GUID_A ".json.damaged"));
	state_end(&state);
}

Test(quarantine_lasts, every_truncation_of_a_record)
{
	static const char record[] =
		"{\"version\":1,\"virtualMachineGuid\":\"" GUID_A "\",\"reason\":\"r\"}\n";

	for (size_t length = 0; length < sizeof(record); length++) {
		State state = state_begin();
		char text[sizeof(record)];

		memcpy(text, record, sizeof(record));
		text[length] = '\0';
		state_write(&state, text);
		char *reason = restore(&state);
		cr_assert_not_null(reason, "length %zu", length);
		free(reason);
		state_end(&state);
	}
}

/* Its name alone counts: whatever became of what is in it, the GUID is in quarantine. */
Test(quarantine_lasts, random_bytes_changed)
{
	static const char record[] =
		"{\"version\":1,\"virtualMachineGuid\":\"" GUID_A "\",\"reason\":\"r\"}\n";
	State state = state_begin();
	size_t asides = 0;

	srandom(13);
	for (int i = 0; i < 2000; i++) {
		char text[sizeof(record)];

		memcpy(text, record, sizeof(record));
		for (long changes = 1 + random() % 3; changes > 0; changes--)
			text[(size_t)random() % (sizeof(record) - 1)] = (char)(1 + random() % 255);
		state_write(&state, text);
		char *reason = restore(&state);
		cr_assert_not_null(reason, "change %d: %s", i, text);
		if (strcmp(reason, "its record was damaged") == 0) {
			cr_assert(state_has(&state, GUID_A ".json.damaged"));
			asides++;
		}
		free(reason);
	}
	cr_assert(asides > 1000 && asides < 2000, "%zu", asides);
	state_end(&state);
}

static void state_path(const State *state, char ret[static 160])
{
	snprintf(ret, 160, "%s/quarantine/" GUID_A ".json", state->path);
}

/* Whatever stands there, nobody is waited for. */
Test(quarantine_lasts, what_is_no_file_is_set_aside, .timeout = 10)
{
	for (int i = 0; i < 4; i++) {
		State state = state_begin();
		char path[160];

		state_path(&state, path);
		cr_assert_eq(i == 0   ? mkdir(path, 0700)
			     : i == 1 ? mkfifo(path, 0600)
				      : symlink(i == 2 ? "/dev/zero" : "/nowhere", path),
			     0);
		assert_restores(&state, "its record was damaged");
		cr_assert(state_has(&state, GUID_A ".json.damaged") ||
			  i == 3); /* it leads nowhere */
		assert_restores(&state, "its record was damaged");
		state_end(&state);
	}
}

/* What takes a damaged file's place is there before that goes. */
Test(quarantine_lasts, over_a_damaged_file_and_a_full_disk)
{
	struct rlimit limit = { .rlim_cur = 1, .rlim_max = RLIM_INFINITY };
	State state = state_begin();

	signal(SIGXFSZ, SIG_IGN);
	state_write(&state, "{");
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 3; i++)
		assert_restores(&state, "its record was damaged");
	limit.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_restores(&state, "its record was damaged");
	state_end(&state);
}

Test(quarantine_lasts, what_cannot_be_written_is_said)
{
	State state = state_begin();

	quarantine_store_close(&state.store);
	cr_assert_not(quarantine_store_keep(&state.store, &state.guid, NULL));
	cr_assert_not(quarantine_store_drop(&state.store, &state.guid));
	state_end(&state);
}
