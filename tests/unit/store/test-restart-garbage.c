/* SPDX-License-Identifier: MIT */
/*
 * Restarts while the reaper has removed only some of the records of freed mappings and ended GPU
 * processes. None of them comes back, even if their addresses are used again. None is reported.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/restart-stage.h"

TestSuite(restart_garbage);

enum { MAPPINGS = 12 };

#define PAGE UINT64_C(4096)
#define BASE UINT64_C(0x20000100000)
#define SIZE (UINT64_C(64) << 12)

static const char *address_of(uint64_t page)
{
	static char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)(BASE + page * PAGE));
	return text;
}

static void make_reservation(Stage *stage, uint64_t page, uint64_t size)
{
	cr_assert_str_eq(reserve(stage->fake_host, stage->fixture.client, stage->gpu_process, size,
				 address_of(page)),
			 SUCCESS);
}

static void make_mapping(Stage *stage, uint64_t page)
{
	cr_assert_str_eq(map(stage->fake_host, stage->fixture.client, stage->gpu_process, PAGE,
			     address_of(page)),
			 SUCCESS);
}

static void free_part(Stage *stage, uint64_t page, uint64_t size)
{
	cr_assert_str_eq(free_addresses(stage->fake_host, stage->fixture.client, stage->gpu_process,
					address_of(page), size),
			 SUCCESS);
}

static Stage stage_with_mappings(void)
{
	Stage stage = stage_new();

	make_reservation(&stage, 0, SIZE);
	for (uint64_t i = 0; i < MAPPINGS; i++)
		make_mapping(&stage, 2 * i);
	return stage;
}

/* Restarts, and expects no visible difference, no report and no record of the garbage. */
static void expect_unseen_restart(Stage *stage, const char *what, size_t number)
{
	FakeHost *fake_host = stage->fake_host;
	char *before = fake_host_snapshot(fake_host, stage->fixture.admin);

	fake_host_restart(fake_host);
	char *after = fake_host_snapshot(fake_host, stage->fixture.admin);
	cr_expect_str_eq(after, before, "%s %zu", what, number);
	cr_expect_eq(fake_host->report.drop_count, 0u, "%s %zu: %s", what, number,
		     fake_host->report.drops[0].reason);
	size_t restored = 0;
	for (StoreKind kind = 0; kind < STORE_KIND_MAX; kind++)
		restored += fake_host->report.restored[kind];
	cr_expect_eq(fake_host->persisted_count, restored, "%s %zu", what, number);
	free(before);
	free(after);
	stage_restart_unchanged(stage);
}

static void reserve_again(Stage *stage)
{
	make_reservation(stage, 0, SIZE);
}

static void reserve_and_map_again(Stage *stage)
{
	make_reservation(stage, 0, SIZE);
	for (uint64_t i = 0; i < MAPPINGS; i++)
		make_mapping(stage, 3 * i);
}

/* Maps free addresses, without a reservation. */
static void map_again(Stage *stage)
{
	make_mapping(stage, 0);
	make_mapping(stage, 6);
}

/* Cuts the second reservation, so that its remaining parts have new records. */
static void reserve_and_free_a_part(Stage *stage)
{
	make_reservation(stage, 0, SIZE);
	make_mapping(stage, 5);
	free_part(stage, 8, 4 * PAGE);
}

/* The third reservation follows while garbage of the first and of the second one is left. */
static void reserve_twice(Stage *stage)
{
	reserve_and_map_again(stage);
	free_part(stage, 0, SIZE);
	make_reservation(stage, 0, SIZE / 4);
	make_mapping(stage, 1);
}

static void do_nothing(Stage *stage)
{
	(void)stage;
}

static const struct {
	const char *name;
	void (*act)(Stage *stage);
} sequels[] = {
	{ "nothing", do_nothing },
	{ "reserve", reserve_again },
	{ "reserve and map", reserve_and_map_again },
	{ "map", map_again },
	{ "reserve and cut", reserve_and_free_a_part },
	{ "reserve twice", reserve_twice },
};

Test(restart_garbage, freed_mappings_do_not_come_back)
{
	for (size_t i = 0; i < ARRAY_SIZE(sequels); i++)
		for (size_t steps = 0; steps <= MAPPINGS; steps++) {
			Stage stage = stage_with_mappings();

			free_part(&stage, 0, SIZE);
			broker_reap(stage.fake_host->service.broker, steps);
			sequels[i].act(&stage);
			expect_unseen_restart(&stage, sequels[i].name, steps);
			stage_free(&stage);
		}
}

/* A refused mapping reaps some garbage, too, and leaves the rest. */
Test(restart_garbage, mappings_of_a_freed_part_do_not_come_back)
{
	for (size_t steps = 0; steps <= MAPPINGS / 2; steps++) {
		Stage stage = stage_with_mappings();

		free_part(&stage, 4, 12 * PAGE);
		broker_reap(stage.fake_host->service.broker, steps);
		cr_assert_str_eq(map(stage.fake_host, stage.fixture.client, stage.gpu_process, PAGE,
				     address_of(2)),
				 "STATUS_CONFLICTING_ADDRESSES");
		expect_unseen_restart(&stage, "part", steps);
		stage_free(&stage);
	}
}

Test(restart_garbage, ended_gpu_processes_do_not_come_back)
{
	for (size_t steps = 0; steps <= MAPPINGS + 8; steps++) {
		Stage stage = stage_with_mappings();

		fake_host_exit(stage.fake_host, stage.fixture.viewer);
		broker_reap(stage.fake_host->service.broker, steps);
		expect_unseen_restart(&stage, "end", steps);
		stage_free(&stage);
	}
}

/* The end of another GPU process, with reservations of its own, is reported as always. */
Test(restart_garbage, garbage_is_not_reported_beside_an_ended_process)
{
	Stage stage = stage_with_mappings();
	FakeHost *fake_host = stage.fake_host;
	Caller *other = stage.fixture.stranger;

	cr_assert_str_eq(call(fake_host, other, CREATE_CONTEXT, NULL), SUCCESS);
	cr_assert_str_eq(
		reserve(fake_host, other, reply_string(fake_host, "process"), SIZE, address_of(0)),
		SUCCESS);
	free_part(&stage, 0, SIZE);
	fake_host_stop(fake_host);
	fake_host_kill(fake_host, stage.fixture.mallory);
	fake_host_start(fake_host);
	cr_expect_eq(stage_dropped(&stage, STORE_RESERVATION, "its GPU process is gone"), 1u);
	cr_expect_eq(fake_host->report.dropped[STORE_MAPPING], 0u);
	stage_restart_unchanged(&stage);
	stage_free(&stage);
}

/* The mark of a reservation is written only while there is garbage. */
Test(restart_garbage, records_without_garbage_are_those_of_earlier_versions)
{
	Stage stage = stage_with_mappings();

	cr_expect_null(fake_host_record(stage.fake_host, "mappingsFrom"));
	free_part(&stage, 0, SIZE);
	make_reservation(&stage, 0, SIZE);
	cr_expect_not_null(fake_host_record(stage.fake_host, "mappingsFrom"));
	free_part(&stage, 0, SIZE);
	while (broker_reap(stage.fake_host->service.broker, 1))
		;
	make_reservation(&stage, 0, SIZE);
	cr_expect_null(fake_host_record(stage.fake_host, "mappingsFrom"));
	stage_free(&stage);
}
