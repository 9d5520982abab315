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

TestSuite(driver_ranges_are_protected);

#define MIB (UINT64_C(1) << 20)

/*
 * viewer's GPU process on an adapter of admin's connection. The driver has reserved the lowest 4
 * MiB, and the next 4 MiB with user mappings allowed.
 */
typedef struct Scene {
	Cast cast;
	FakeAdapter adapter;
	char process[64];
	char *before;
} Scene;

static const char *describe(const Scene *scene)
{
	char request[256];

	snprintf(request, sizeof(request),
		 "{\"method\":\"" DESCRIBE_SPACE "\",\"parameters\":{\"process\":\"%s\"}}\n",
		 scene->process);
	return exchange(scene->cast.world, scene->cast.admin, request);
}

static Scene scene_new(void)
{
	Scene scene = { .cast = cast_new_quiet() };
	World *world = scene.cast.world;
	Caller *admin = scene.cast.admin;

	scene.adapter = fake_running_adapter(world, admin, "9,9,9,9");
	create_gpu_process(world, admin, &scene.adapter, ",\"pid\":300", scene.process);
	reserve_range(world, admin, scene.process, 4 * MIB, "");
	reserve_range(world, admin, scene.process, 4 * MIB, ",\"allowUserModeMapping\":true");
	return scene;
}

static Scene scene_new_running(void)
{
	Scene scene = scene_new();

	cr_assert_str_eq(complete_process(scene.cast.world, scene.cast.admin, scene.process),
			 "STATUS_SUCCESS");
	return scene;
}

static void remember(Scene *scene)
{
	free(scene->before);
	scene->before = strdup(describe(scene));
}

static void scene_free(Scene *scene)
{
	cr_assert_str_eq(describe(scene), scene->before, "the address space has changed");
	free(scene->before);
	cast_free(&scene->cast);
}

Test(driver_ranges_are_protected, only_the_driver_reserves_for_a_process)
{
	Scene scene = scene_new();
	World *world = scene.cast.world;
	FakeProcess *other = world_process(world, 150, 0);
	Caller *same_process = world_connect(world, scene.cast.root);
	Caller *other_operator = world_connect(world, other);
	Caller *callers[] = { same_process, other_operator, scene.cast.client,
			      scene.cast.stranger };

	remember(&scene);
	/* Another driver, the process itself, and another connection of the driver's process. */
	fake_adapter(world, other_operator, "9,9,9,9");
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
		cr_assert_str_eq(reserve_range(world, callers[i], scene.process, 2 * MIB, ""),
				 "STATUS_ACCESS_DENIED", "%zu", i);
		cr_assert_str_eq(complete_process(world, callers[i], scene.process),
				 "STATUS_ACCESS_DENIED", "%zu", i);
		cr_assert_str_eq(callf(world, callers[i], DESTROY_PROCESS, "{\"process\":\"%s\"}",
				       scene.process),
				 "STATUS_ACCESS_DENIED", "%zu", i);
		cr_assert_str_eq(set_entry(world, callers[i], scene.process, "0x8000000000", "0x0"),
				 "STATUS_ACCESS_DENIED", "%zu", i);
		cr_assert_str_eq(
			table_call(world, callers[i], EVICT, scene.process, "0x8000000000"),
			"STATUS_ACCESS_DENIED", "%zu", i);
		cr_assert_str_eq(
			table_call(world, callers[i], MAKE_RESIDENT, scene.process, "0x8000000000"),
			"STATUS_ACCESS_DENIED", "%zu", i);
	}
	scene_free(&scene);
}

Test(driver_ranges_are_protected, driver_reserves_only_during_creation)
{
	Scene scene = scene_new_running();
	World *world = scene.cast.world;
	char process[64];

	remember(&scene);
	cr_assert_str_eq(reserve_range(world, scene.cast.admin, scene.process, 2 * MIB, ""),
			 "STATUS_INVALID_DEVICE_STATE");
	cr_assert_str_eq(complete_process(world, scene.cast.admin, scene.process),
			 "STATUS_INVALID_DEVICE_STATE");
	create_gpu_process(world, scene.cast.admin, &scene.adapter, "", process);
	callf(world, scene.cast.admin, DESTROY_PROCESS, "{\"process\":\"%s\"}", process);
	cr_assert_str_eq(reserve_range(world, scene.cast.admin, process, 2 * MIB, ""),
			 "STATUS_INVALID_HANDLE");
	scene_free(&scene);
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
	Scene scene = scene_new_running();

	remember(&scene);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_str_eq(free_addresses(scene.cast.world, scene.cast.client, scene.process,
						rows[i].base, rows[i].size),
				 "STATUS_INVALID_PARAMETER", "%s", rows[i].base);
	scene_free(&scene);
}

Test(driver_ranges_are_protected, process_frees_only_mappings_in_driver_ranges)
{
	Scene scene = scene_new_running();
	World *world = scene.cast.world;

	remember(&scene);
	cr_assert_str_eq(map(world, scene.cast.client, scene.process, 65536, "0x8000500000"),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(
		free_addresses(world, scene.cast.client, scene.process, "0x80004ff000", 65536),
		"STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(
		free_addresses(world, scene.cast.client, scene.process, "0x8000500000", 65536),
		"STATUS_SUCCESS");
	cr_assert_str_eq(translate(world, scene.cast.client, scene.process, "0x8000500000"),
			 "reserved");
	scene_free(&scene);
}

Test(driver_ranges_are_protected, process_cannot_map_or_reserve_over_driver_ranges)
{
	static const char *const bases[] = { "0x8000000000", "0x80001f0000", "0x80003f0000" };
	Scene scene = scene_new_running();
	World *world = scene.cast.world;

	remember(&scene);
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		cr_assert_str_eq(map(world, scene.cast.client, scene.process, 65536, bases[i]),
				 "STATUS_CONFLICTING_ADDRESSES");
		cr_assert_str_eq(reply_string(world, "parameter"), "baseAddress");
		cr_assert_str_eq(reserve(world, scene.cast.client, scene.process, 65536, bases[i]),
				 "STATUS_CONFLICTING_ADDRESSES");
	}
	/* The mapping extends beyond the part that allows mappings, below or above. */
	cr_assert_str_eq(map(world, scene.cast.client, scene.process, 2 * MIB, "0x8000300000"),
			 "STATUS_CONFLICTING_ADDRESSES");
	cr_assert_str_eq(map(world, scene.cast.client, scene.process, 2 * MIB, "0x8000700000"),
			 "STATUS_CONFLICTING_ADDRESSES");
	cr_assert_str_eq(reserve(world, scene.cast.client, scene.process, 65536, "0x8000400000"),
			 "STATUS_CONFLICTING_ADDRESSES");
	scene_free(&scene);
}

Test(driver_ranges_are_protected, driver_and_manager_cannot_share_an_entry)
{
	Scene scene = scene_new_running();
	World *world = scene.cast.world;

	cr_assert_str_eq(
		set_entry(world, scene.cast.admin, scene.process, "0x8000400000", "0x1000"),
		"STATUS_SUCCESS");
	cr_assert_str_eq(map(world, scene.cast.client, scene.process, 65536, "0x8000600000"),
			 "STATUS_SUCCESS");
	remember(&scene);
	/* A mapping makes the entry the manager's. */
	cr_assert_str_eq(
		set_entry(world, scene.cast.admin, scene.process, "0x80007fffff", "0x2000"),
		"STATUS_CONFLICTING_ADDRESSES");
	cr_assert_str_eq(reply_string(world, "parameter"), "virtualAddress");
	cr_assert_str_eq(translate(world, scene.cast.admin, scene.process, "0x8000610000"),
			 "reserved");
	/* An entry remains the driver's, even if invalid after its table became resident. */
	for (int resident = 0; resident < 2; resident++) {
		cr_assert_str_eq(map(world, scene.cast.client, scene.process, 4096, "0x80005ff000"),
				 "STATUS_CONFLICTING_ADDRESSES");
		cr_assert_str_eq(
			map(world, scene.cast.client, scene.process, 4 * MIB, "0x8000400000"),
			"STATUS_CONFLICTING_ADDRESSES");
		table_call(world, scene.cast.admin, EVICT, scene.process, "0x8000400000");
		table_call(world, scene.cast.admin, MAKE_RESIDENT, scene.process, "0x8000400000");
		cr_assert_str_eq(translate(world, scene.cast.admin, scene.process, "0x8000400000"),
				 "reserved");
		cr_assert_str_eq(translate(world, scene.cast.admin, scene.process, "0x8000600000"),
				 "mapped", "the manager's entries are written again");
	}
	scene_free(&scene);
}

Test(driver_ranges_are_protected, page_table_addresses_are_hidden_from_the_process)
{
	Scene scene = scene_new_running();
	World *world = scene.cast.world;

	set_entry(world, scene.cast.admin, scene.process, "0x8000000000", "0x1000");
	remember(&scene);
	cr_assert_str_eq(translate(world, scene.cast.client, scene.process, "0x8000000000"),
			 "driverPageTable");
	cr_assert_str_eq(reply_string(world, "pageTableAddress"), "");
	translate(world, scene.cast.admin, scene.process, "0x8000000000");
	cr_assert_str_eq(reply_string(world, "pageTableAddress"), "0x1000");
	cr_assert_str_eq(translate(world, scene.cast.stranger, scene.process, "0x8000000000"),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(callf(world, scene.cast.stranger, DESCRIBE_SPACE, "{\"process\":\"%s\"}",
			       scene.process),
			 "STATUS_ACCESS_DENIED");
	scene_free(&scene);
}

Test(driver_ranges_are_protected, address_space_is_used_only_by_its_process)
{
	Scene scene = scene_new_running();
	World *world = scene.cast.world;
	Caller *callers[] = { scene.cast.admin, scene.cast.stranger, scene.cast.machine };

	remember(&scene);
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
		cr_assert_str_eq(map(world, callers[i], scene.process, 4096, NULL),
				 "STATUS_ACCESS_DENIED");
		cr_assert_str_eq(reserve(world, callers[i], scene.process, 65536, NULL),
				 "STATUS_ACCESS_DENIED");
		cr_assert_str_eq(free_addresses(world, callers[i], scene.process, "0x0", 4096),
				 "STATUS_ACCESS_DENIED");
	}
	scene_free(&scene);
}
