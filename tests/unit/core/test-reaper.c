/* SPDX-License-Identifier: MIT */
/*
 * Proves that freed ranges and ended GPU processes disappear at once for everybody. Their memory
 * and their persisted records are reaped later, and this garbage cannot grow.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-gpu.h"

enum { MAPPINGS = 300 };

#define PAGE UINT64_C(4096)
#define BASE UINT64_C(0x20000000000)

static HostFixture fixture;
static FakeHost *fake_host;
static Broker *broker;
static char process[64];

static void set_up(void)
{
	fixture = host_fixture_new_quiet();
	fake_host = fixture.fake_host;
	broker = fake_host->service.broker;
	cr_assert_str_eq(call(fake_host, fixture.client, CREATE_CONTEXT, NULL), "STATUS_SUCCESS");
	strcpy(process, reply_string(fake_host, "process"));
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

TestSuite(reaper, .init = set_up, .fini = tear_down);

static const char *address_of(uint64_t page)
{
	static char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)(BASE + page * PAGE));
	return text;
}

static uint64_t ranges_used(void)
{
	return accounts_used(&broker->accounts, &(Payer){ .uid = 1000 }, LIMIT_USER_RANGES);
}

/* Reserves addresses and maps every other page of them. */
static void map_many(void)
{
	cr_assert_str_eq(
		reserve(fake_host, fixture.client, process, MAPPINGS * 32 * PAGE, address_of(0)),
		"STATUS_SUCCESS");
	for (uint64_t i = 0; i < MAPPINGS; i++)
		cr_assert_str_eq(map(fake_host, fixture.client, process, PAGE, address_of(2 * i)),
				 "STATUS_SUCCESS");
	cr_assert_eq(ranges_used(), 1u + MAPPINGS);
}

static void free_all(void)
{
	cr_assert_str_eq(free_addresses(fake_host, fixture.client, process, address_of(0),
					MAPPINGS * 32 * PAGE),
			 "STATUS_SUCCESS");
}

/* Reaps in steps of one and returns how many there were. */
static size_t reap_all(void)
{
	size_t steps = broker_has_garbage(broker);

	while (broker_reap(broker, 1))
		steps++;
	return steps;
}

Test(reaper, freed_ranges_are_gone_at_once)
{
	size_t persisted = fake_host->persisted_count;

	map_many();
	free_all();
	cr_expect_eq(ranges_used(), 0u);
	cr_expect_str_eq(translate(fake_host, fixture.client, process, address_of(0)), "invalid");
	cr_expect_str_eq(translate(fake_host, fixture.client, process, address_of(2)), "invalid");
	cr_expect(broker_has_garbage(broker));
	cr_expect_eq(fake_host->persisted_count, persisted + MAPPINGS,
		     "only the reservation's record is removed at once");
	broker_check(broker);
	cr_expect_eq(reap_all(), MAPPINGS + 1u, "a step for each range, and one for the process");
	cr_expect_eq(fake_host->persisted_count, persisted);
	cr_expect_not(broker_has_garbage(broker));
	cr_expect_not(broker_reap(broker, 1));
}

/* The part begins and ends in the middle of mappings of two pages. */
Test(reaper, a_freed_part_keeps_what_lies_around_it)
{
	map_many();
	cr_assert_str_eq(map(fake_host, fixture.client, process, 2 * PAGE, address_of(1000)),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(map(fake_host, fixture.client, process, 2 * PAGE, address_of(1100)),
			 "STATUS_SUCCESS");
	for (uint64_t page = 1010; page < 1100; page++)
		cr_assert_str_eq(map(fake_host, fixture.client, process, PAGE, address_of(page)),
				 "STATUS_SUCCESS");
	cr_assert_str_eq(
		free_addresses(fake_host, fixture.client, process, address_of(1001), 100 * PAGE),
		"STATUS_SUCCESS");
	cr_expect_eq(ranges_used(), 2u + MAPPINGS + 2, "the reservation is split in two");
	cr_expect_str_eq(translate(fake_host, fixture.client, process, address_of(1000)), "mapped");
	cr_expect_str_eq(translate(fake_host, fixture.client, process, address_of(1001)),
			 "invalid");
	cr_expect_str_eq(translate(fake_host, fixture.client, process, address_of(1100)),
			 "invalid");
	cr_expect_str_eq(translate(fake_host, fixture.client, process, address_of(1101)), "mapped");
	broker_check(broker);
}

Test(reaper, garbage_does_not_grow)
{
	size_t persisted = fake_host->persisted_count, most = 0;

	for (int round = 0; round < 5; round++) {
		map_many();
		most = fake_host->persisted_count > most ? fake_host->persisted_count : most;
		free_all();
	}
	cr_expect_eq(most, persisted + 1 + MAPPINGS, "additions reap at least as much as they add");
}

/* Somebody else's additions reap it too, because a process that has ended adds nothing. */
Test(reaper, ended_gpu_processes_are_reaped_by_the_additions_of_others)
{
	size_t persisted;

	cr_assert_str_eq(call(fake_host, fixture.stranger, CREATE_CONTEXT, NULL), "STATUS_SUCCESS");
	persisted = fake_host->persisted_count - 2; /* without those of alice */
	map_many();
	fake_host_exit(fake_host, fixture.viewer);
	cr_expect_eq(ranges_used(), 0u);
	cr_expect_eq(accounts_used(&broker->accounts, &(Payer){ .uid = 1000 }, LIMIT_CONTEXTS), 0u);
	cr_expect_geq(fake_host->persisted_count, persisted + MAPPINGS);
	for (int i = 0; i < MAPPINGS; i++)
		cr_assert_str_eq(call(fake_host, fixture.stranger, CREATE_CONTEXT, NULL),
				 "STATUS_SUCCESS");
	cr_expect_eq(fake_host->persisted_count, persisted + MAPPINGS);
	cr_expect_not(broker_has_garbage(broker));
}

Test(reaper, contexts_of_an_ended_gpu_process_are_unknown_at_once)
{
	char context[64];

	cr_assert_str_eq(call(fake_host, fixture.client, CREATE_CONTEXT, NULL), "STATUS_SUCCESS");
	strcpy(context, reply_string(fake_host, "context"));
	fake_host_exit(fake_host, fixture.viewer);
	cr_assert(broker_has_garbage(broker));
	cr_expect_str_eq(
		callf(fake_host, fixture.admin, DESTROY_CONTEXT, "{\"context\":\"%s\"}", context),
		"STATUS_INVALID_HANDLE");
	call(fake_host, fixture.admin, LIST_PROCESSES, NULL);
	cr_expect_eq(reply_count(fake_host, "processes"), 1u);
	cr_expect_eq(fake_host_events(fake_host, EVENT_GPU_PROCESS_REMOVED), 1u);
	cr_expect_eq(reap_all(), 3u, "two contexts and the process");
}

Test(reaper, entries_and_evicted_tables_are_reaped)
{
	FakeAdapter adapter = fake_running_adapter(fake_host, fixture.admin, "9,9,9,9");
	size_t persisted = fake_host->persisted_count;
	char card[64];

	create_gpu_process(fake_host, fixture.admin, &adapter, "", card);
	cr_assert_str_eq(reserve_range(fake_host, fixture.admin, card, UINT64_C(4) << 30,
				       ",\"baseAddress\":\"0x20000000000\""),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(complete_process(fake_host, fixture.admin, card), "STATUS_SUCCESS");
	for (uint64_t i = 0; i < 3; i++)
		cr_assert_str_eq(
			set_entry(fake_host, fixture.admin, card, address_of(512 * i), "0x1000"),
			"STATUS_SUCCESS");
	cr_assert_str_eq(table_call(fake_host, fixture.admin, EVICT, card, address_of(0)),
			 "STATUS_SUCCESS");
	cr_assert_eq(accounts_used(&broker->accounts, &(Payer){ .is_operator = true },
				   LIMIT_PAGE_TABLE_ENTRIES),
		     4u);
	cr_assert_str_eq(
		callf(fake_host, fixture.admin, DESTROY_PROCESS, "{\"process\":\"%s\"}", card),
		"STATUS_SUCCESS");
	cr_expect_eq(accounts_used(&broker->accounts, &(Payer){ .is_operator = true },
				   LIMIT_PAGE_TABLE_ENTRIES),
		     0u);
	cr_expect_eq(accounts_used(&broker->accounts, &(Payer){ .is_operator = true },
				   LIMIT_DRIVER_RESERVATIONS),
		     0u);
	cr_expect_eq(reap_all(), 6u, "a reservation, three entries, a table, and the process");
	cr_expect_eq(fake_host->persisted_count, persisted);
}
