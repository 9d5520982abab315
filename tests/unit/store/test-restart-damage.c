/* SPDX-License-Identifier: MIT */
/*
 * Proves that a persisted record that does not fit is dropped completely, with a reason, and that
 * all others are restored.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/restart-stage.h"

TestSuite(restart_damage);

/* Returns the persisted record of the kind that contains the text. */
static FakePersistedRecord *find_persisted(FakeHost *fake_host, const char *kind, const char *part)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"kind\":\"%s\"", kind);
	for (size_t i = 0; i < fake_host->persisted_count; i++)
		if (strncmp(fake_host->persisted[i].text, text, strlen(text)) == 0 &&
		    strstr(fake_host->persisted[i].text, part))
			return &fake_host->persisted[i];
	cr_assert_fail("no record of kind %s contains %s", kind, part);
	return NULL;
}

/* Replaces the first occurrence of part in the record by text. */
static void change(FakePersistedRecord *record, const char *part, const char *text)
{
	char *at = strstr(record->text, part), *changed;

	cr_assert_not_null(at, "%s is not in %s", part, record->text);
	cr_assert(asprintf(&changed, "%.*s%s%s", (int)(at - record->text), record->text, text,
			   at + strlen(part)) > 0);
	free(record->text);
	record->text = changed;
}

static void forget(FakeHost *fake_host, FakePersistedRecord *record)
{
	free(record->text);
	memmove(record, record + 1,
		(size_t)(fake_host->persisted + fake_host->persisted_count - record - 1) *
			sizeof(*record));
	fake_host->persisted_count--;
}

/* Damages one record at a time; total is the number of records that are dropped because of it. */
Test(restart_damage, invalid_record_is_dropped)
{
	static const struct {
		StoreKind kind;
		const char *part, *is, *becomes, *reason;
		size_t total;
	} rows[] = {
		{ STORE_CONTEXT, "", "{\"kind\":\"context\",", "{\"kind\":\"context\",\"new\":1,",
		  "new is invalid", 1 },
		{ STORE_CONTEXT, "", "\"account\":1000", "\"account\":4294967296",
		  "account is invalid", 1 },
		{ STORE_CONTEXT, "", ",\"account\":1000", "", "account is invalid", 1 },
		{ STORE_CONTEXT, "", "\"handle\":\"", "\"handle\":\"g", "handle is invalid", 1 },
		{ STORE_CONTEXT, "", "\"gpuProcess\":", "\"gpuProcess\":9",
		  "its GPU process is gone", 1 },
		{ STORE_CONTEXT, "", "\"serial\":", "\"serial\":9",
		  "it contains a different serial than its own", 1 },
		{ STORE_HOLDER, "", "\"object\":\"", "\"object\":\"0000000000000000000000000000000",
		  "object is invalid", 1 },
		{ STORE_REGISTRATION, "", "\"groups\":[1000]", "\"groups\":[1000,1000]",
		  "connection is invalid", 1 },
		{ STORE_REGISTRATION, "", "\"graphicsContext\":1", "\"graphicsContext\":5",
		  "graphicsContext is invalid", 1 },
		{ STORE_REGISTRATION, "", "\"uids\":[1000,", "\"uids\":[", "credentials is invalid",
		  1 },
		{ STORE_REGISTRATION, "", "\"key\":", "\"key\":77", "its process is gone", 1 },
		{ STORE_MAPPING, "\"hasAllocation\":false", "\"protection\":3", "\"protection\":0",
		  "it contradicts the restored state", 1 },
		{ STORE_MAPPING, "\"hasAllocation\":false", "\"protection\":3", "\"protection\":4",
		  "protection is invalid", 1 },
		{ STORE_MAPPING, "\"isInside\":true", "\"isInside\":true", "\"isInside\":false",
		  "the reservation around it has changed", 1 },
		{ STORE_MAPPING, "", "\"first\":", "\"first\":9000000",
		  "its range is outside the address space", 1 },
		{ STORE_RESERVATION, "\"first\":536870912", "\"first\":536870912", "\"first\":1",
		  "the reservation around it has changed", 3 },
		{ STORE_GPU_PROCESS, "", "\"first\":268435456", "\"first\":0",
		  "it contradicts the restored state", 10 },
		{ STORE_GPU_PROCESS, "", "\"first\":268435456", "\"first\":4503599627370496",
		  "it contradicts the restored state", 10 },
		{ STORE_GPU_PROCESS, "", "\"adapter\":2", "\"adapter\":3", "its adapter is gone",
		  10 },
		{ STORE_OBJECT, "scanout", "\"type\":2", "\"type\":0",
		  "its file descriptors do not match its description", 2 },
		{ STORE_OBJECT, "scanout", "\"format\":\"NV12\"", "\"format\":\"NV1\"",
		  "description is invalid", 2 },
		{ STORE_OBJECT, "scanout", "\"firstRow\":1", "\"firstRow\":2",
		  "description is invalid", 2 },
		{ STORE_OBJECT, "scanout", "\"planes\":[", "\"planes\":[{},",
		  "description is invalid", 2 },
		{ STORE_SHARING, "", "\"descriptors\":[1]", "\"descriptors\":[1,2]",
		  "its object is gone", 1 },
		{ STORE_SHARING, "", "\"virtualMachine\":", "\"virtualMachine\":9",
		  "its VM is gone", 1 },
		{ STORE_VIRTUAL_MACHINE, GUID_A, "\"displayClients\":[{", "\"displayClients\":[7,{",
		  "displayClients is invalid", 6 },
		{ STORE_VIRTUAL_MACHINE, GUID_B,
		  ",\"since\":", ",\"incoming\":{},\"since\":", "incoming is invalid", 4 },
		{ STORE_VIRTUAL_MACHINE, GUID_B, "\"uid\":1000", "\"uid\":-1", "vmm is invalid",
		  4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Stage stage = stage_new();
		FakePersistedRecord *record = find_persisted(
			stage.fake_host, store_kind_name(rows[i].kind), rows[i].part);

		fake_host_stop(stage.fake_host);
		change(record, rows[i].is, rows[i].becomes);
		fake_host_start(stage.fake_host);
		const StoreReport *report = &stage.fake_host->report;
		cr_expect_eq(stage_dropped(&stage, rows[i].kind, rows[i].reason), 1u,
			     "%zu: dropped because %s", i, report->drops[0].reason);
		cr_expect_eq(report->drop_count, rows[i].total, "%zu: %zu were dropped", i,
			     report->drop_count);
		stage_restart_unchanged(&stage);
		stage_free(&stage);
	}
}

Test(restart_damage, unknown_records_are_dropped)
{
	static const char *const texts[] = {
		"",
		"{",
		"null",
		"[]",
		"{\"kind\":\"spaceship\",\"serial\":5000}",
		"{\"serial\":5000}",
		"{\"kind\":7,\"serial\":5000}",
	};
	Stage stage = stage_new();
	FakeHost *fake_host = stage.fake_host;
	char *before = fake_host_snapshot(fake_host, stage.fixture.admin);

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		fake_host_stop(fake_host);
		fake_host_persist_record(fake_host, 5000, texts[i], strlen(texts[i]));
		fake_host_start(fake_host);
		cr_assert_eq(fake_host->report.dropped[STORE_KIND_MAX], 1u, "%s", texts[i]);
		cr_assert_eq(fake_host->report.drop_count, 1u);
		char *after = fake_host_snapshot(fake_host, stage.fixture.admin);
		cr_assert_str_eq(before, after);
		free(after);
	}
	free(before);
	stage_free(&stage);
}

/*
 * Removes one record at a time. An entity without a record had ended, and the records of what ended
 * with it waited for their removal, so they are not reported. If the file was damaged, they are;
 * reported is then their number.
 */
static const struct {
	const char *kind, *part;
	size_t total, reported;
} missing[] = {
	{ "adapter", "", 0, 0 },            /* a new adapter replaces it, with another handle */
	{ "virtualMachine", GUID_A, 0, 5 }, /* vGPU, registration, two sharings, fence */
	{ "virtualGpu", "half", 2, 2 },
	{ "gpuProcess", "", 0, 9 },
	{ "reservation", "\"first\":536870912", 0, 2 },
	{ "object", "scanout", 1, 1 },
	{ "sharing", "\"descriptors\":[1]", 0, 0 },
};

static void drop_dependents(size_t index, bool is_damaged)
{
	Stage stage = stage_new();
	FakeHost *fake_host = stage.fake_host;
	size_t expected = is_damaged ? missing[index].reported : missing[index].total;

	fake_host_stop(fake_host);
	forget(fake_host, find_persisted(fake_host, missing[index].kind, missing[index].part));
	fake_host->has_lost_records = is_damaged;
	fake_host_start(fake_host);
	fake_host->has_lost_records = false;
	cr_expect_eq(fake_host->report.drop_count, expected, "%s: %zu", missing[index].kind,
		     fake_host->report.drop_count);
	stage_restart_unchanged(&stage);
	stage_free(&stage);
}

Test(restart_damage, dependents_of_a_missing_record_are_dropped)
{
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		drop_dependents(i, false);
}

Test(restart_damage, dependents_of_a_damaged_record_are_reported)
{
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		drop_dependents(i, true);
}

/*
 * Frees the start of a mapping; twice a part of the reservation with the ends of two mappings and
 * all of a third one; and the whole reservation.
 */
static const struct {
	const char *base;
	uint64_t size;
	size_t drops;
} frees[] = {
	{ "0x20000010000", 4096, 1 },
	{ "0x2000001f000", 0x3000, 3 },
	{ "0x2000001f000", 0x4000, 4 },
	{ STAGE_OWN, 0x28000, 4 },
};

/* Adds a mapping between the two existing ones. */
static Stage stage_with_three_mappings(void)
{
	Stage stage = stage_new();

	cr_assert_str_eq(map(stage.fake_host, stage.fixture.client, stage.gpu_process, 4096,
			     "0x20000020000"),
			 SUCCESS);
	return stage;
}

/* Stores snapshots from before the call, after it, and after the restart. The caller frees them. */
static void free_with_crash(size_t number, size_t drops, char *ret_snapshots[3])
{
	Stage stage = stage_with_three_mappings();
	FakeHost *fake_host = stage.fake_host;

	ret_snapshots[0] = fake_host_snapshot(fake_host, stage.fixture.admin);
	fake_host->crashes = true;
	fake_host->removals_before_crash = drops;
	cr_assert_str_eq(free_addresses(fake_host, stage.fixture.client, stage.gpu_process,
					frees[number].base, frees[number].size),
			 SUCCESS);
	while (broker_reap(fake_host->service.broker, 1))
		;
	ret_snapshots[1] = fake_host_snapshot(fake_host, stage.fixture.admin);
	cr_assert_eq(fake_host->removals_before_crash, 0u, "%zu: it must drop at least %zu records",
		     number, drops);
	fake_host_restart(fake_host);
	ret_snapshots[2] = fake_host_snapshot(fake_host, stage.fixture.admin);
	stage_restart_unchanged(&stage);
	stage_free(&stage);
}

/*
 * A crash between the records of an operation leaves the state from before or after it. A free
 * saves the remaining parts first, then removes the range that it splits, and then the ranges that
 * were inside.
 */
Test(restart_damage, interrupted_free_is_atomic)
{
	for (size_t i = 0; i < ARRAY_SIZE(frees); i++)
		for (size_t drops = 0; drops <= frees[i].drops; drops++) {
			char *snapshots[3];

			free_with_crash(i, drops, snapshots);
			cr_expect_str_eq(snapshots[2], snapshots[drops > 0],
					 "%zu: interrupted after %zu removals", i, drops);
			for (size_t at = 0; at < ARRAY_SIZE(snapshots); at++)
				free(snapshots[at]);
		}
}

/*
 * Stores snapshots from before the call, after it, and after the restart. The caller frees them.
 * Returns whether the crash came before the last removal.
 */
static bool unregister_with_crash(const char *machine, size_t drops, char *ret_snapshots[3])
{
	Stage stage = stage_new();
	FakeHost *fake_host = stage.fake_host;

	ret_snapshots[0] = fake_host_snapshot(fake_host, stage.fixture.admin);
	fake_host->crashes = true;
	fake_host->removals_before_crash = drops;
	cr_assert_str_eq(call(fake_host, stage.fixture.admin, UNREGISTER_MACHINE, machine),
			 SUCCESS);
	bool was_interrupted = fake_host->removals_before_crash == 0;
	ret_snapshots[1] = fake_host_snapshot(fake_host, stage.fixture.admin);
	fake_host_restart(fake_host);
	ret_snapshots[2] = fake_host_snapshot(fake_host, stage.fixture.admin);
	stage_restart_unchanged(&stage);
	stage_free(&stage);
	return was_interrupted;
}

/* A VM must not survive without its registrations and vGPUs. */
Test(restart_damage, interrupted_unregistration_of_a_vm_is_atomic)
{
	bool was_interrupted = true;

	for (size_t drops = 0; was_interrupted; drops++) {
		char *snapshots[3];

		was_interrupted = unregister_with_crash(NAMES_B, drops, snapshots);
		cr_expect_str_eq(snapshots[2], snapshots[drops > 0],
				 "interrupted after %zu removals", drops);
		for (size_t at = 0; at < ARRAY_SIZE(snapshots); at++)
			free(snapshots[at]);
	}
}
