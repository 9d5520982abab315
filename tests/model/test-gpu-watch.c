/* SPDX-License-Identifier: MIT */
/*
 * What watches hear of GPU processes: operators of all, drivers of those on their adapters, on any
 * connection of their process, a watch of one VM of those for that VM, and nobody else of any. Each
 * end and each page table that became resident is told once and in order, also while the watch is
 * still telling what exists, and however slowly it is read.
 *
 * VAILD_SEED=N makes another run, VAILD_STEPS=N sets its length.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ear.h"
#include "fake-gpu.h"
#include "random.h"

TestSuite(gpu_watch);

#define SEED_DEFAULT  20261121
#define STEPS_DEFAULT 12000

#define SUCCESS "STATUS_SUCCESS"
#define GIB     (UINT64_C(1) << 30)

enum { EARS = 10, DRIVERS = 2, ADAPTERS = 4, PROCESSES = 32 };

/* Sorts of those who listen: to one VM or to all. */
typedef enum Sort { ROOT, ROOT_OF_VM, DRIVER, DRIVER_OF_VM, STRANGER, SORTS } Sort;

/* --- the scene ------------------------------------------------------------------------------- */

/* A driver: a process whose uid is an operator's only while it registers its adapter. */
typedef struct TestDriver {
	FakeProcess *process;
	Caller *caller; /* on which it registers */
} TestDriver;

typedef struct TestProcess {
	char handle[64];
	size_t adapter;
	const char *guid; /* of the VM that it is for, or NULL */
	bool is_system;
} TestProcess;

typedef struct Scene {
	World *world;
	Dice dice;
	uint64_t seed, step;
	Caller *root;
	Caller *strangers[2]; /* the VMM's, and an ordinary user's */
	TestDriver drivers[DRIVERS];
	struct {
		bool is_there;
		FakeAdapter adapter;
		int driver;
	} adapters[ADAPTERS];
	TestProcess processes[PROCESSES];
	size_t process_count;
	bool runs[2]; /* the VMs */
	Ear *ears[EARS];
	size_t heard[SORTS], heard_midway, ears_over;
} Scene;

static const char *const guids[] = { GUID_A, GUID_B };

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text && text[0] != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

static bool ear_is_concerned(const Scene *scene, const Ear *ear, const TestProcess *process)
{
	if (ear->guid && (!process->guid || strcmp(ear->guid, process->guid) != 0))
		return false;
	return ear->is_root || ear->driver == scene->adapters[process->adapter].driver;
}

static void expect(Scene *scene, const char *kind, const TestProcess *process, const char *detail)
{
	char text[160];

	snprintf(text, sizeof(text), "%s %s %s %s %s", kind, process->handle,
		 scene->adapters[process->adapter].adapter.adapter,
		 process->guid ? process->guid : "-", detail);
	for (size_t i = 0; i < EARS; i++)
		if (scene->ears[i] && ear_is_concerned(scene, scene->ears[i], process))
			ear_expect(scene->ears[i], text, scene->step);
}

static void expect_end(Scene *scene, size_t at, const char *reason)
{
	expect(scene, "gpuProcessRemoved", &scene->processes[at], reason);
	scene->processes[at] = scene->processes[--scene->process_count];
}

static void expect_adapter_end(Scene *scene, size_t adapter)
{
	for (size_t i = scene->process_count; i-- > 0;)
		if (scene->processes[i].adapter == adapter)
			expect_end(scene, i, "adapterRemoved");
	scene->adapters[adapter].is_there = false;
}

/* --- what happens ---------------------------------------------------------------------------- */

static void set_operators_group(Scene *scene, bool is_in_force)
{
	scene->world->service.settings.has_operator_group = is_in_force;
	world_reload(scene->world);
}

static void add_adapter(Scene *scene, size_t at, int driver)
{
	if (scene->adapters[at].is_there || scene->process_count == PROCESSES)
		return;
	set_operators_group(scene, true);
	scene->adapters[at].adapter =
		fake_running_adapter(scene->world, scene->drivers[driver].caller, "9,9,9,9");
	set_operators_group(scene, false);
	scene->adapters[at].is_there = true;
	scene->adapters[at].driver = driver;
	TestProcess *process = &scene->processes[scene->process_count++];
	*process = (TestProcess){ .adapter = at, .is_system = true };
	strcpy(process->handle, scene->adapters[at].adapter.system_process);
}

static void remove_adapter(Scene *scene, size_t at)
{
	if (!scene->adapters[at].is_there)
		return;
	expect_adapter_end(scene, at);
	cr_assert_str_eq(callf(scene->world, scene->root, UNREGISTER_ADAPTER,
			       "{\"adapter\":\"%s\"}", scene->adapters[at].adapter.adapter),
			 SUCCESS);
}

/* A driver's connection vanishes, and it comes on another; those that it watches on stay. */
static void driver_hangs_up(Scene *scene)
{
	int number = (int)dice_roll(&scene->dice, DRIVERS);
	TestDriver *driver = &scene->drivers[number];

	for (size_t i = 0; i < ADAPTERS; i++)
		if (scene->adapters[i].is_there && scene->adapters[i].driver == number)
			expect_adapter_end(scene, i);
	world_disconnect(scene->world, driver->caller);
	driver->caller = world_connect(scene->world, driver->process);
}

static void add_process(Scene *scene, size_t adapter)
{
	size_t vm = dice_roll(&scene->dice, 3);
	TestProcess *process = &scene->processes[scene->process_count];
	char more[80] = "";

	if (!scene->adapters[adapter].is_there || scene->process_count == PROCESSES)
		return;
	*process = (TestProcess){ .adapter = adapter };
	if (vm < 2 && scene->runs[vm]) {
		process->guid = guids[vm];
		snprintf(more, sizeof(more), ",\"virtualMachineGuid\":\"%s\"", guids[vm]);
	}
	cr_assert_str_eq(create_gpu_process(scene->world,
					    scene->drivers[scene->adapters[adapter].driver].caller,
					    &scene->adapters[adapter].adapter, more,
					    process->handle),
			 SUCCESS);
	scene->process_count++;
}

static void remove_process(Scene *scene, size_t at)
{
	TestProcess process = scene->processes[at];

	if (process.is_system)
		return;
	expect_end(scene, at, "requested");
	cr_assert_str_eq(callf(scene->world,
			       scene->drivers[scene->adapters[process.adapter].driver].caller,
			       DESTROY_PROCESS, "{\"process\":\"%s\"}", process.handle),
			 SUCCESS);
}

/* A table is evicted and made resident: told once, however often it is asked for. */
static void evict(Scene *scene, const TestProcess *process)
{
	uint64_t table = 512 * GIB + dice_roll(&scene->dice, 4) * GIB;
	Caller *driver = scene->drivers[scene->adapters[process->adapter].driver].caller;
	char first[32], inside[32];

	snprintf(first, sizeof(first), "0x%" PRIx64, table);
	snprintf(inside, sizeof(inside), "0x%" PRIx64, table + dice_roll(&scene->dice, GIB));
	if (dice_chance(&scene->dice, 2)) {
		table_call(scene->world, driver, EVICT, process->handle, inside);
		expect(scene, "pageTableResident", process, first);
	}
	for (int again = 0; again < 2; again++)
		cr_assert_str_eq(
			table_call(scene->world, driver, MAKE_RESIDENT, process->handle, inside),
			SUCCESS);
}

static bool driver_has_adapter(const Scene *scene, int driver)
{
	for (size_t i = 0; i < ADAPTERS; i++)
		if (scene->adapters[i].is_there && scene->adapters[i].driver == driver)
			return true;
	return false;
}

static Sort sort_of(const Ear *ear)
{
	if (ear->driver >= 0)
		return ear->guid ? DRIVER_OF_VM : DRIVER;
	if (ear->is_root)
		return ear->guid ? ROOT_OF_VM : ROOT;
	return STRANGER;
}

/* Hears the rest, and goes. */
static void leave(Scene *scene, size_t at)
{
	Ear *ear = scene->ears[at];
	Caller *caller = ear->driver >= 0 ? (Caller *)ear->session.caller : NULL;

	ear_drain(ear);
	scene->heard[sort_of(ear)] += ear->heard;
	scene->heard_midway += ear->heard_midway;
	scene->ears_over += ear->is_over;
	scene->ears[at] = ear_free(ear);
	if (caller)
		world_disconnect(scene->world, caller);
}

/* The first driver is the VMM of the first VM: what it watches of that is over with it, and what it
 * watches of all, where it has no adapter either. */
static void end_machine(Scene *scene, size_t vm)
{
	for (size_t i = scene->process_count; i-- > 0;)
		if (scene->processes[i].guid == guids[vm])
			expect_end(scene, i, "virtualMachineUnregistered");
	cr_assert_str_eq(callf(scene->world, scene->root, UNREGISTER_MACHINE,
			       "{\"virtualMachineGuid\":\"%s\"}", guids[vm]),
			 SUCCESS);
	for (size_t i = 0; i < EARS && vm == 0; i++) {
		Ear *ear = scene->ears[i];

		if (!ear || ear->driver != 0 || (!ear->guid && driver_has_adapter(scene, 0)))
			continue;
		ear_drain(ear);
		cr_assert(ear->is_over, "the last that it may watch has ended");
		leave(scene, i);
	}
}

static void change_machine(Scene *scene, size_t vm)
{
	int pid = vm == 0 ? (int)scene->drivers[0].process->pid : 200;

	if (scene->runs[vm])
		end_machine(scene, vm);
	else
		cr_assert_str_eq(callf(scene->world, scene->root, REGISTER_MACHINE,
				       "{\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d,"
				       "\"displayClients\":[{\"user\":\"alice\"}]}",
				       guids[vm], pid),
				 SUCCESS);
	scene->runs[vm] = !scene->runs[vm];
}

static void happen(Scene *scene)
{
	Dice *dice = &scene->dice;
	size_t adapter = dice_roll(dice, ADAPTERS);
	size_t process = scene->process_count > 0 ? dice_roll(dice, scene->process_count) : 0;
	uint64_t roll = dice_roll(dice, 120);

	if (roll < 8)
		add_adapter(scene, adapter, (int)dice_roll(dice, DRIVERS));
	else if (roll < 9)
		remove_adapter(scene, adapter);
	else if (roll < 10)
		driver_hangs_up(scene);
	else if (roll < 12)
		change_machine(scene, dice_roll(dice, 2));
	else if (roll < 60)
		add_process(scene, adapter);
	else if (roll < 80 && scene->process_count > 0)
		remove_process(scene, process);
	else if (scene->process_count > 0)
		evict(scene, &scene->processes[process]);
}

/* --- who listens ----------------------------------------------------------------------------- */

/* A connection of its own for each: root's, a driver's, the VMM's or a stranger's. */
static Ear *somebody(Scene *scene)
{
	Dice *dice = &scene->dice;
	size_t vm = dice_roll(dice, 2);
	bool watches_vm = scene->runs[vm] && dice_chance(dice, 3);
	int driver = (int)dice_roll(dice, DRIVERS);
	Ear *ear;

	switch (dice_roll(dice, 4)) {
	case 0:
		ear = ear_new(scene->world, scene->root, watches_vm ? guids[vm] : NULL);
		ear->is_root = true;
		return ear;
	case 1:
		return ear_new(scene->world, scene->strangers[dice_roll(dice, 2)], NULL);
	default:
		watches_vm = driver == 0 && scene->runs[0] && dice_chance(dice, 2);
		ear = ear_new(scene->world,
			      world_connect(scene->world, scene->drivers[driver].process),
			      watches_vm ? guids[0] : NULL);
		ear->driver = driver;
		return ear;
	}
}

static void listen_a_little(Scene *scene, size_t at)
{
	Dice *dice = &scene->dice;
	Ear *ear = scene->ears[at];

	if (!ear) {
		if (dice_chance(dice, 10))
			scene->ears[at] = somebody(scene);
		return;
	}
	/* The second VM's VMM has heard the last when that VM ends; drivers' ends are seen there.
	 */
	cr_assert(!ear->is_over || (ear->driver < 0 && !ear->is_root));
	cr_assert_neq(ear->state, SESSION_BROKEN);
	if (ear->pending_count > EAR_PENDING / 2 || dice_chance(dice, 200))
		ear_drain(ear);
	else if (dice_chance(dice, 2))
		ear_take(ear, 1 + dice_roll(dice, 1500));
	if (ear->state == SESSION_WATCHES && !ear->is_ready)
		cr_assert_eq(ear->pending_count, 0u, "not heard: %s", ear->pending[0].text);
	if (ear->is_over || dice_chance(dice, 100))
		leave(scene, at);
}

/* --- the runs -------------------------------------------------------------------------------- */

/* So much exists that to tell it takes many turns. */
static void fill(Scene *scene)
{
	for (int i = 0; i < 200; i++)
		callf(scene->world, scene->root, SET_QUARANTINE,
		      "{\"virtualMachineGuid\":\"10000000-0000-4000-8000-%012d\","
		      "\"quarantined\":true,\"reason\":\"%0200d\"}",
		      i, 0);
}

static TestDriver driver_new(World *world, pid_t pid)
{
	static const gid_t groups[] = { WORLD_OPERATOR_GROUP };
	TestDriver driver = { .process = world_process(world, pid, 1100) };

	process_set_groups(driver.process, 1100, ARRAY_SIZE(groups), groups);
	driver.caller = world_connect(world, driver.process);
	return driver;
}

static Scene *scene_new(void)
{
	Scene *scene = calloc(1, sizeof(*scene));
	World *world = world_new();

	world_must(scene != NULL);
	scene->world = world;
	scene->seed = number_from("VAILD_SEED", SEED_DEFAULT);
	scene->dice.state = scene->seed;
	world->service.watch_ready = ear_ready;
	world_user(world, "alice", 1000);
	scene->root = world_connect(world, world_process(world, 100, 0));
	scene->strangers[0] = world_connect(world, world_process(world, 200, 64055));
	scene->strangers[1] = world_connect(world, world_process(world, 300, 1000));
	for (int i = 0; i < DRIVERS; i++)
		scene->drivers[i] = driver_new(world, 400 + i);
	set_operators_group(scene, false);
	return scene;
}

static void scene_free(Scene *scene)
{
	for (size_t i = 0; i < EARS; i++)
		if (scene->ears[i])
			leave(scene, i);
	broker_check(scene->world->service.broker);
	world_free(scene->world);
	free(scene);
}

static void check_enough(const Scene *scene)
{
	cr_expect_gt(scene->heard[ROOT], 3000u);
	cr_expect_gt(scene->heard[ROOT_OF_VM], 150u);
	cr_expect_gt(scene->heard[DRIVER], 3000u);
	cr_expect_gt(scene->heard[DRIVER_OF_VM], 60u);
	cr_expect_eq(scene->heard[STRANGER], 0u);
	cr_expect_gt(scene->heard_midway, 1500u);
	cr_expect_gt(scene->ears_over, 30u);
}

Test(gpu_watch, each_end_and_each_resident_table_is_heard_once_by_those_concerned)
{
	Scene *scene = scene_new();
	uint64_t steps = number_from("VAILD_STEPS", STEPS_DEFAULT);

	fprintf(stderr, "gpu_watch: VAILD_SEED=%" PRIu64 "\n", scene->seed);
	fill(scene);
	for (scene->step = 0; scene->step < steps; scene->step++) {
		happen(scene);
		for (size_t i = 0; i < EARS; i++)
			listen_a_little(scene, i);
	}
	fprintf(stderr, "gpu_watch: heard by root %zu, of a VM %zu; by drivers %zu, of a VM %zu\n",
		scene->heard[ROOT], scene->heard[ROOT_OF_VM], scene->heard[DRIVER],
		scene->heard[DRIVER_OF_VM]);
	fprintf(stderr, "gpu_watch: %zu midway, %zu watches over\n", scene->heard_midway,
		scene->ears_over);
	if (steps >= STEPS_DEFAULT)
		check_enough(scene);
	scene_free(scene);
}

/* What a driver may watch is not only the VM that it runs. */
Test(gpu_watch, a_driver_hears_on_when_its_vm_ends)
{
	Scene *scene = scene_new();

	change_machine(scene, 0);
	add_adapter(scene, 0, 0);
	scene->ears[0] =
		ear_new(scene->world, world_connect(scene->world, scene->drivers[0].process), NULL);
	scene->ears[0]->driver = 0;
	ear_drain(scene->ears[0]);
	change_machine(scene, 0);
	ear_drain(scene->ears[0]);
	cr_assert_not(scene->ears[0]->is_over);
	add_process(scene, 0);
	remove_process(scene, scene->process_count - 1);
	ear_drain(scene->ears[0]);
	cr_assert_eq(scene->ears[0]->heard, 1u);
	scene_free(scene);
}
