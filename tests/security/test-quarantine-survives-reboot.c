/* SPDX-License-Identifier: MIT */
/* Security property: only an operator lifts a quarantine, whatever happens to the file. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/host/persist/quarantine-store.h"
#include "proto/macros.h"
#include "tests/support/fake-host.h"

typedef struct State {
	char path[64];
	QuarantineStore store;
	Guid guid;
} State;

static const Payer root = { .uid = 0, .is_operator = true };

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

/*
 * Restores into a new broker. Returns the reason, which the caller frees, or NULL if the GUID is
 * not in quarantine.
 */
static char *restore(State *state)
{
	FakeHost *fake_host = fake_host_new();
	Broker *broker = fake_host->service.broker;

	cr_assert_geq(quarantine_store_restore(&state->store, broker, fake_host->service.parser,
					       &fake_host->service.statistics),
		      0);
	broker_check(broker);
	const Quarantine *quarantine = quarantine_find(broker, &state->guid);
	char *reason = quarantine ? strdup(quarantine->reason ? quarantine->reason : "") : NULL;
	fake_host_free(fake_host);
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

Test(quarantine_survives_reboot, saved_and_removed)
{
	State state = state_begin();

	assert_restores(&state, NULL);
	cr_assert(quarantine_store_save(&state.store, &state.guid, "GPU \"fell\" off\n", &root));
	assert_restores(&state, "GPU \"fell\" off\n");
	cr_assert(quarantine_store_save(&state.store, &state.guid, NULL, &root));
	assert_restores(&state, "");
	cr_assert(quarantine_store_remove(&state.store, &state.guid));
	cr_assert(quarantine_store_remove(&state.store, &state.guid));
	assert_restores(&state, NULL);
	state_end(&state);
}

/* Restores into a new broker, and returns who pays for the quarantine. */
static Payer restore_payer(State *state)
{
	FakeHost *fake_host = fake_host_new();
	Broker *broker = fake_host->service.broker;

	cr_assert_eq(quarantine_store_restore(&state->store, broker, fake_host->service.parser,
					      &fake_host->service.statistics),
		     1);
	const Payer payer = quarantine_find(broker, &state->guid)->charge.account->payer;
	fake_host_free(fake_host);
	return payer;
}

/* Members of the quarantine group could otherwise use up root's limit by restarts. */
Test(quarantine_survives_reboot, the_same_user_pays)
{
	static const Payer payers[] = {
		{ .uid = 1000, .is_operator = false },
		{ .uid = 1001, .is_operator = true },
		{ .uid = 0, .is_operator = false },
	};
	State state = state_begin();

	for (size_t i = 0; i < ARRAY_SIZE(payers); i++) {
		cr_assert(quarantine_store_save(&state.store, &state.guid, "r", &payers[i]));
		const Payer payer = restore_payer(&state);
		cr_assert_eq(payer_compare(&payer, &payers[i]), 0, "payer %zu", i);
	}
	state_end(&state);
}

Test(quarantine_survives_reboot, root_pays_if_the_file_names_nobody)
{
	static const char *const members[] = {
		"",
		",\"payerUid\":1000",
		",\"byOperator\":false",
		",\"payerUid\":4294967295,\"byOperator\":false",
		",\"payerUid\":\"1000\",\"byOperator\":false",
	};
	State state = state_begin();

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		char text[256];

		snprintf(text, sizeof(text),
			 "{\"version\":1,\"virtualMachineGuid\":\"" GUID_A "\"%s}", members[i]);
		state_write(&state, text);
		const Payer payer = restore_payer(&state);
		cr_assert_eq(payer_compare(&payer, &root), 0, "%s", members[i]);
	}
	state_end(&state);
}

/* A file that cannot be opened for lack of fds is not damaged. The start fails instead. */
Test(quarantine_survives_reboot, start_without_free_fds_fails)
{
	State state = state_begin();
	FakeHost *fake_host = fake_host_new();
	struct rlimit limit, few;

	cr_assert(quarantine_store_save(&state.store, &state.guid, "odd", &root));
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	int next = dup(STDERR_FILENO);
	close(next);
	few = limit;
	few.rlim_cur = (rlim_t)next + 1; /* for the directory */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	int restored =
		quarantine_store_restore(&state.store, fake_host->service.broker,
					 fake_host->service.parser, &fake_host->service.statistics);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(restored, -EMFILE);
	cr_assert(state_has(&state, GUID_A ".json"));
	assert_restores(&state, "odd");
	fake_host_free(fake_host);
	state_end(&state);
}

Test(quarantine_survives_reboot, damaged_file)
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
		/* The file that replaced it is valid. */
		assert_restores(&state, "its record was damaged");
		state_end(&state);
	}
}

Test(quarantine_survives_reboot, downgrade)
{
	State state = state_begin();

	state_write(&state, "{\"version\":2,\"virtualMachineGuid\":\"" GUID_A "\"}");
	assert_restores(&state, "recorded by a newer version of vaild");
	cr_assert_not(state_has(&state, GUID_A ".json.damaged"));
	state_end(&state);
}

Test(quarantine_survives_reboot, truncation_at_every_byte)
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

/* The name of the file is enough, so the contents do not matter. */
Test(quarantine_survives_reboot, random_bytes_changed)
{
	static const char record[] =
		"{\"version\":1,\"virtualMachineGuid\":\"" GUID_A "\",\"reason\":\"r\"}\n";
	State state = state_begin();
	size_t saved = 0;

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
			saved++;
		}
		free(reason);
	}
	cr_assert(saved > 1000 && saved < 2000, "%zu", saved);
	state_end(&state);
}

static void state_path(const State *state, char ret[static 160])
{
	snprintf(ret, 160, "%s/quarantine/" GUID_A ".json", state->path);
}

/* Opening a FIFO or a device must not block the start. */
Test(quarantine_survives_reboot, irregular_file_is_saved_and_replaced)
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
			  i == 3); /* access() follows the dangling link */
		assert_restores(&state, "its record was damaged");
		state_end(&state);
	}
}

/* A damaged file stays until a valid file replaces it. */
Test(quarantine_survives_reboot, damaged_file_on_a_full_disk)
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

Test(quarantine_survives_reboot, write_failures_are_reported)
{
	State state = state_begin();

	quarantine_store_close(&state.store);
	cr_assert_not(quarantine_store_save(&state.store, &state.guid, NULL, &root));
	cr_assert_not(quarantine_store_remove(&state.store, &state.guid));
	state_end(&state);
}
