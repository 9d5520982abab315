/* SPDX-License-Identifier: MIT */
/*
 * Proves that only the driver reserves ranges for a process, and only during its creation. Other
 * drivers and the process itself cannot take or free the driver's ranges, and the driver cannot
 * take the process's. Each attempt returns the documented status and changes nothing.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake-gpu.h"

#define MIB (UINT64_C(1) << 20)

/*
 * viewer's GPU process on an adapter of admin's connection. The driver has reserved the lowest 4
 * MiB, and the next 4 MiB with user mappings allowed.
 */
typedef struct Scene {
	HostFixture fixture;
	FakeAdapter adapter;
	char process[64];
	char *before;
} Scene;

static Scene scene;

static const char *describe(void)
{
	char request[256];

	snprintf(request, sizeof(request),
		 "{\"method\":\"" DESCRIBE_SPACE "\",\"parameters\":{\"process\":\"%s\"}}\n",
		 scene.process);
	return exchange(scene.fixture.fake_host, scene.fixture.admin, request);
}

static void set_up_creating(void)
{
	scene.fixture = host_fixture_new_quiet();
	FakeHost *fake_host = scene.fixture.fake_host;
	Caller *admin = scene.fixture.admin;

	scene.adapter = fake_running_adapter(fake_host, admin, "9,9,9,9");
	create_gpu_process(fake_host, admin, &scene.adapter, ",\"pid\":300", scene.process);
	reserve_range(fake_host, admin, scene.process, 4 * MIB, "");
	reserve_range(fake_host, admin, scene.process, 4 * MIB, ",\"allowUserModeMapping\":true");
}

static void set_up(void)
{
	set_up_creating();
	cr_assert_str_eq(
		complete_process(scene.fixture.fake_host, scene.fixture.admin, scene.process),
		"STATUS_SUCCESS");
}

static void remember(void)
{
	free(scene.before);
	scene.before = strdup(describe());
}

static void tear_down(void)
{
	cr_assert_str_eq(describe(), scene.before, "the address space has changed");
	free(scene.before);
	host_fixture_free(&scene.fixture);
}

TestSuite(driver_ranges_are_protected, .init = set_up, .fini = tear_down);

Test(driver_ranges_are_protected_in_creation, only_the_driver_reserves_for_a_process,
     .init = set_up_creating, .fini = tear_down)
{
	FakeHost *fake_host = scene.fixture.fake_host;
	FakeProcess *other = fake_host_process(fake_host, 150, 0);
	Caller *same_process = fake_host_connect(fake_host, scene.fixture.root);
	Caller *other_operator = fake_host_connect(fake_host, other);
	Caller *callers[] = { same_process, other_operator, scene.fixture.client,
			      scene.fixture.stranger };

	remember();
	/* Another driver, the process itself, and another connection of the driver's process. */
	fake_adapter(fake_host, other_operator, "9,9,9,9");
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
		cr_assert_str_eq(reserve_range(fake_host, callers[i], scene.process, 2 * MIB, ""),
				 "STATUS_ACCESS_DENIED", "%zu", i);
		cr_assert_str_eq(complete_process(fake_host, callers[i], scene.process),
				 "STATUS_ACCESS_DENIED", "%zu", i);
		cr_assert_str_eq(callf(fake_host, callers[i], DESTROY_PROCESS,
				       "{\"process\":\"%s\"}", scene.process),
				 "STATUS_ACCESS_DENIED", "%zu", i);
		cr_assert_str_eq(
			set_entry(fake_host, callers[i], scene.process, "0x8000000000", "0x0"),
			"STATUS_ACCESS_DENIED", "%zu", i);
		cr_assert_str_eq(
			table_call(fake_host, callers[i], EVICT, scene.process, "0x8000000000"),
			"STATUS_ACCESS_DENIED", "%zu", i);
		cr_assert_str_eq(table_call(fake_host, callers[i], MAKE_RESIDENT, scene.process,
					    "0x8000000000"),
				 "STATUS_ACCESS_DENIED", "%zu", i);
	}
}

Test(driver_ranges_are_protected, driver_reserves_only_during_creation)
{
	FakeHost *fake_host = scene.fixture.fake_host;
	char process[64];

	remember();
	cr_assert_str_eq(reserve_range(fake_host, scene.fixture.admin, scene.process, 2 * MIB, ""),
			 "STATUS_INVALID_DEVICE_STATE");
	cr_assert_str_eq(complete_process(fake_host, scene.fixture.admin, scene.process),
			 "STATUS_INVALID_DEVICE_STATE");
	create_gpu_process(fake_host, scene.fixture.admin, &scene.adapter, "", process);
	callf(fake_host, scene.fixture.admin, DESTROY_PROCESS, "{\"process\":\"%s\"}", process);
	cr_assert_str_eq(reserve_range(fake_host, scene.fixture.admin, process, 2 * MIB, ""),
			 "STATUS_INVALID_HANDLE");
}

Test(driver_ranges_are_protected, process_cannot_free_driver_ranges)
{
	static const struct {
		const char *base;
		uint64_t size;
	} rows[] = {
		{ "0x8000000000", 4 * MIB },
		{ "0x8000000000", 4096 },
		{ "0x8000000000", 8 * MIB },
		{ "0x8000400000", 4 * MIB },
		{ "0x8000400000", 4096 },
		{ "0x80003ff000", 8192 },
		{ "0x0", 4096 },
		{ "0x7ffffff000", 4096 },
		{ "0x0", UINT64_C(0x8000000000) },
		{ "0x80007ff000", 8192 },
		{ "0x8000800000", 4096 },
		{ "0xfffffffffffff000", 4096 },
		{ "0xfffffffffffff000", 8192 },
	};

	remember();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_str_eq(free_addresses(scene.fixture.fake_host, scene.fixture.client,
						scene.process, rows[i].base, rows[i].size),
				 "STATUS_INVALID_PARAMETER", "%s", rows[i].base);
}

Test(driver_ranges_are_protected, process_frees_only_mappings_in_driver_ranges)
{
	FakeHost *fake_host = scene.fixture.fake_host;

	remember();
	cr_assert_str_eq(map(fake_host, scene.fixture.client, scene.process, 65536, "0x8000500000"),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(free_addresses(fake_host, scene.fixture.client, scene.process,
					"0x80004ff000", 65536),
			 "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(free_addresses(fake_host, scene.fixture.client, scene.process,
					"0x8000500000", 65536),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(translate(fake_host, scene.fixture.client, scene.process, "0x8000500000"),
			 "reserved");
}

Test(driver_ranges_are_protected, process_cannot_map_or_reserve_over_driver_ranges)
{
	static const char *const bases[] = { "0x8000000000", "0x80001f0000", "0x80003f0000" };
	FakeHost *fake_host = scene.fixture.fake_host;

	remember();
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		cr_assert_str_eq(
			map(fake_host, scene.fixture.client, scene.process, 65536, bases[i]),
			"STATUS_CONFLICTING_ADDRESSES");
		cr_assert_str_eq(reply_string(fake_host, "parameter"), "baseAddress");
		cr_assert_str_eq(
			reserve(fake_host, scene.fixture.client, scene.process, 65536, bases[i]),
			"STATUS_CONFLICTING_ADDRESSES");
	}
	/* The mapping extends beyond the part that allows mappings, below or above. */
	cr_assert_str_eq(
		map(fake_host, scene.fixture.client, scene.process, 2 * MIB, "0x8000300000"),
		"STATUS_CONFLICTING_ADDRESSES");
	cr_assert_str_eq(
		map(fake_host, scene.fixture.client, scene.process, 2 * MIB, "0x8000700000"),
		"STATUS_CONFLICTING_ADDRESSES");
	cr_assert_str_eq(
		reserve(fake_host, scene.fixture.client, scene.process, 65536, "0x8000400000"),
		"STATUS_CONFLICTING_ADDRESSES");
}

Test(driver_ranges_are_protected, driver_and_manager_cannot_share_an_entry)
{
	FakeHost *fake_host = scene.fixture.fake_host;

	cr_assert_str_eq(
		set_entry(fake_host, scene.fixture.admin, scene.process, "0x8000400000", "0x1000"),
		"STATUS_SUCCESS");
	cr_assert_str_eq(map(fake_host, scene.fixture.client, scene.process, 65536, "0x8000600000"),
			 "STATUS_SUCCESS");
	remember();
	/* A mapping makes the entry the manager's. */
	cr_assert_str_eq(
		set_entry(fake_host, scene.fixture.admin, scene.process, "0x80007fffff", "0x2000"),
		"STATUS_CONFLICTING_ADDRESSES");
	cr_assert_str_eq(reply_string(fake_host, "parameter"), "virtualAddress");
	cr_assert_str_eq(translate(fake_host, scene.fixture.admin, scene.process, "0x8000610000"),
			 "reserved");
	/* An entry remains the driver's, even if invalid after its table became resident. */
	for (int resident = 0; resident < 2; resident++) {
		cr_assert_str_eq(
			map(fake_host, scene.fixture.client, scene.process, 4096, "0x80005ff000"),
			"STATUS_CONFLICTING_ADDRESSES");
		cr_assert_str_eq(map(fake_host, scene.fixture.client, scene.process, 4 * MIB,
				     "0x8000400000"),
				 "STATUS_CONFLICTING_ADDRESSES");
		table_call(fake_host, scene.fixture.admin, EVICT, scene.process, "0x8000400000");
		table_call(fake_host, scene.fixture.admin, MAKE_RESIDENT, scene.process,
			   "0x8000400000");
		cr_assert_str_eq(
			translate(fake_host, scene.fixture.admin, scene.process, "0x8000400000"),
			"reserved");
		cr_assert_str_eq(
			translate(fake_host, scene.fixture.admin, scene.process, "0x8000600000"),
			"mapped", "the manager's entries are written again");
	}
}

Test(driver_ranges_are_protected, page_table_addresses_are_hidden_from_the_process)
{
	FakeHost *fake_host = scene.fixture.fake_host;

	set_entry(fake_host, scene.fixture.admin, scene.process, "0x8000000000", "0x1000");
	remember();
	cr_assert_str_eq(translate(fake_host, scene.fixture.client, scene.process, "0x8000000000"),
			 "driverPageTable");
	cr_assert_str_eq(reply_string(fake_host, "pageTableAddress"), "");
	translate(fake_host, scene.fixture.admin, scene.process, "0x8000000000");
	cr_assert_str_eq(reply_string(fake_host, "pageTableAddress"), "0x1000");
	cr_assert_str_eq(
		translate(fake_host, scene.fixture.stranger, scene.process, "0x8000000000"),
		"STATUS_ACCESS_DENIED");
	cr_assert_str_eq(callf(fake_host, scene.fixture.stranger, DESCRIBE_SPACE,
			       "{\"process\":\"%s\"}", scene.process),
			 "STATUS_ACCESS_DENIED");
}

Test(driver_ranges_are_protected, address_space_is_used_only_by_its_process)
{
	FakeHost *fake_host = scene.fixture.fake_host;
	Caller *callers[] = { scene.fixture.admin, scene.fixture.stranger, scene.fixture.machine };

	remember();
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
		cr_assert_str_eq(map(fake_host, callers[i], scene.process, 4096, NULL),
				 "STATUS_ACCESS_DENIED");
		cr_assert_str_eq(reserve(fake_host, callers[i], scene.process, 65536, NULL),
				 "STATUS_ACCESS_DENIED");
		cr_assert_str_eq(free_addresses(fake_host, callers[i], scene.process, "0x0", 4096),
				 "STATUS_ACCESS_DENIED");
	}
}
