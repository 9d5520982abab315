/* SPDX-License-Identifier: MIT */
/*
 * Proves that a driver reserves for itself alone and at its time alone, that neither a process nor
 * another driver can take or give back what is the driver's, nor the driver what is the process's:
 * each attempt has its documented status, and changes nothing.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake-gpu.h"

TestSuite(a_drivers_ranges_are_its_own);

#define MIB (UINT64_C(1) << 20)

/* viewer's GPU process on an adapter of admin's connection: 4 MiB of the driver's at the bottom,
 * and as much behind it that may be mapped. */
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
	cr_assert_str_eq(describe(scene), scene->before, "something has changed");
	free(scene->before);
	cast_free(&scene->cast);
}

Test(a_drivers_ranges_are_its_own, nobody_else_reserves_for_a_process)
{
	Scene scene = scene_new();
	World *world = scene.cast.world;
	FakeProcess *other = world_process(world, 150, 0);
	Caller *same_process = world_connect(world, scene.cast.root);
	Caller *other_operator = world_connect(world, other);
	Caller *callers[] = { same_process, other_operator, scene.cast.client,
			      scene.cast.stranger };

	remember(&scene);
	/* Not another driver, not the process itself, and no other connection of the driver's. */
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

Test(a_drivers_ranges_are_its_own, nor_the_driver_outside_creation)
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

Test(a_drivers_ranges_are_its_own, the_process_cannot_give_them_back)
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

Test(a_drivers_ranges_are_its_own, only_a_map_inside_can_be_freed)
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

Test(a_drivers_ranges_are_its_own, the_process_cannot_map_or_reserve_over_them)
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
	/* Half in what may be mapped, half in what may not, or half beyond it. */
	cr_assert_str_eq(map(world, scene.cast.client, scene.process, 2 * MIB, "0x8000300000"),
			 "STATUS_CONFLICTING_ADDRESSES");
	cr_assert_str_eq(map(world, scene.cast.client, scene.process, 2 * MIB, "0x8000700000"),
			 "STATUS_CONFLICTING_ADDRESSES");
	cr_assert_str_eq(reserve(world, scene.cast.client, scene.process, 65536, "0x8000400000"),
			 "STATUS_CONFLICTING_ADDRESSES");
	scene_free(&scene);
}

Test(a_drivers_ranges_are_its_own, an_entry_of_the_other_side_cannot_be_taken)
{
	Scene scene = scene_new_running();
	World *world = scene.cast.world;

	cr_assert_str_eq(
		set_entry(world, scene.cast.admin, scene.process, "0x8000400000", "0x1000"),
		"STATUS_SUCCESS");
	cr_assert_str_eq(map(world, scene.cast.client, scene.process, 65536, "0x8000600000"),
			 "STATUS_SUCCESS");
	remember(&scene);
	/* The manager's: while anything is mapped under it. */
	cr_assert_str_eq(
		set_entry(world, scene.cast.admin, scene.process, "0x80007fffff", "0x2000"),
		"STATUS_CONFLICTING_ADDRESSES");
	cr_assert_str_eq(reply_string(world, "parameter"), "virtualAddress");
	cr_assert_str_eq(translate(world, scene.cast.admin, scene.process, "0x8000610000"),
			 "reserved");
	/* The driver's: also when it is invalid after its table became resident. */
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

Test(a_drivers_ranges_are_its_own, where_its_tables_are_is_its_own_business)
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

Test(a_drivers_ranges_are_its_own, a_process_is_used_by_its_own_process_alone)
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
