/* SPDX-License-Identifier: MIT */
/*
 * Random opens and closes of GPU functions by the processes of three VMs, beside a naive model of
 * who has seen what. After each step, each VM has exactly the virtual GPUs of the model, and the
 * client is registered for exactly the VMs of the model. Restarts and hand-overs come in between.
 *
 * VAILD_SEED=N selects another run, VAILD_STEPS=N its length.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/random.h"

#define STEPS_DEFAULT 10000
#define SEED_DEFAULT  1

#define VMS           3
#define HAND_OVERS    12
#define FIRST_VMM_PID 5000

/* In the order of the bits of a set of functions. */
static const struct {
	HeldGpuKind kind;
	uint32_t pci_class;
	const char *name;
	bool is_exclusive; /* one process at a time can have it open */
	bool is_virtual;
} functions[] = {
	{ HELD_GPU_VIRTUAL_FUNCTION, 0x030000, "0000:41:00.4", true, true },
	{ HELD_GPU_VIRTUAL_FUNCTION, 0x030200, "0000:41:00.5", true, true },
	{ HELD_GPU_MDEV, 0x030000, "4b20d080-1b54-4048-85b3-a6a62d165c01", true, true },
	{ HELD_GPU_PARAVIRTUAL, 0, "faux/vgem", false, true },
	{ HELD_GPU_VIRTUAL_FUNCTION, 0x020000, "0000:01:10.0", true, false },
	{ HELD_GPU_PASSTHROUGH, 0x030000, "0000:42:00.0", true, false },
};
#define FUNCTIONS ARRAY_SIZE(functions)

typedef struct ModelHolder {
	FakeProcess *process; /* NULL if there is none */
	unsigned int open;    /* a set of functions */
	bool is_unreadable;
	bool is_incomplete;
} ModelHolder;

typedef struct ModelVm {
	char guid[40];
	ModelHolder holders[2]; /* the VMM and the incoming VMM */
	unsigned int found;     /* a set of functions */
	char assigned[64];      /* the handle of the assigned virtual GPU, or empty */
	bool is_registered;
} ModelVm;

typedef struct FoundRun {
	HostFixture fixture;
	FakeHost *fake_host;
	Dice dice;
	uint64_t seed, step;
	ModelVm vms[VMS];
	size_t processes, hand_overs;
	size_t seen_success, seen_none, seen_unknown, taken, restarts;
} FoundRun;

static void expect_that(const FoundRun *run, bool holds, const char *what, size_t vm)
{
	cr_assert(holds, "seed %" PRIu64 ", step %" PRIu64 ", VM %zu: %s\n%s", run->seed, run->step,
		  vm, what, run->fake_host->reply_text);
}

/* --- the model ------------------------------------------------------------------------------- */

static void lose_registration(ModelVm *vm)
{
	if (vm->found == 0 && vm->assigned[0] == '\0')
		vm->is_registered = false;
}

static unsigned int virtual_ones(unsigned int set)
{
	for (size_t i = 0; i < FUNCTIONS; i++)
		if (!functions[i].is_virtual)
			set &= ~(1u << i);
	return set;
}

/* The VM has got the function, so no other VM has it any more. */
static void take_from_others(FoundRun *run, const ModelVm *vm, unsigned int function)
{
	for (size_t i = 0; i < VMS; i++) {
		ModelVm *other = &run->vms[i];

		if (other == vm || !functions[function].is_exclusive ||
		    !(other->found & 1u << function))
			continue;
		other->found &= ~(1u << function);
		run->taken++;
		lose_registration(other);
	}
}

/* Returns what the look has seen, and whether it was certain. */
static unsigned int model_look(FoundRun *run, ModelVm *vm, bool *ret_is_certain)
{
	unsigned int seen = 0;

	*ret_is_certain = true;
	for (size_t i = 0; i < 2; i++) {
		const ModelHolder *holder = &vm->holders[i];

		if (!holder->process)
			continue;
		if (!holder->is_unreadable)
			seen |= holder->open;
		*ret_is_certain &=
			!holder->is_unreadable && (holder->open == 0 || !holder->is_incomplete);
	}
	seen = virtual_ones(seen);
	for (unsigned int i = 0; i < FUNCTIONS; i++)
		if (seen & ~vm->found & 1u << i)
			take_from_others(run, vm, i);
	vm->found = *ret_is_certain ? seen : vm->found | seen;
	lose_registration(vm);
	return seen;
}

static const char *model_register(FoundRun *run, ModelVm *vm)
{
	bool is_certain;

	if (!vm->is_registered && vm->assigned[0] == '\0' &&
	    model_look(run, vm, &is_certain) == 0) {
		run->seen_none += is_certain;
		run->seen_unknown += !is_certain;
		return is_certain ? "STATUS_GRAPHICS_VAIL_STATE_CHANGED"
				  : "STATUS_INSUFFICIENT_RESOURCES";
	}
	vm->is_registered = true;
	run->seen_success++;
	return "STATUS_SUCCESS";
}

/* --- the fake host --------------------------------------------------------------------------- */

/* Gives the fake process what the model says that it has open. */
static void update_holder(const ModelHolder *holder)
{
	FakeProcess *process = holder->process;

	process->held = (HeldGpus){ .is_complete = !holder->is_incomplete };
	for (size_t i = 0; i < FUNCTIONS; i++) {
		if (!(holder->open & 1u << i))
			continue;
		HeldGpu *gpu = &process->held.items[process->held.count++];
		gpu->kind = functions[i].kind;
		gpu->pci_class = functions[i].pci_class;
		strcpy(gpu->function, functions[i].name);
		strcpy(gpu->parent, "0000:41:00.0");
	}
	process->held_lookup = holder->is_unreadable ? LOOKUP_EXHAUSTED
			       : holder->open == 0   ? LOOKUP_ABSENT
						     : LOOKUP_FOUND;
}

static bool is_open_somewhere(const FoundRun *run, unsigned int function)
{
	for (size_t i = 0; i < VMS; i++)
		for (size_t j = 0; j < 2; j++)
			if (run->vms[i].holders[j].open & 1u << function)
				return true;
	return false;
}

static FakeProcess *new_process(FoundRun *run)
{
	return fake_host_process(run->fake_host, FIRST_VMM_PID + (pid_t)run->processes++, 947);
}

static void add_vmm(FoundRun *run, ModelVm *vm, size_t at)
{
	vm->holders[at] = (ModelHolder){ .process = new_process(run) };
	cr_assert_str_eq(callf(run->fake_host, run->fixture.admin, REGISTER_MACHINE,
			       "{\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d,"
			       "\"displayClients\":[{\"user\":\"alice\"}]}",
			       vm->guid, vm->holders[at].process->pid),
			 "STATUS_SUCCESS");
}

/* --- the steps ------------------------------------------------------------------------------- */

static void open_or_close(FoundRun *run, ModelHolder *holder)
{
	unsigned int function = (unsigned int)dice_roll(&run->dice, FUNCTIONS);
	unsigned int bit = 1u << function;

	if (holder->open & bit)
		holder->open &= ~bit;
	else if (!functions[function].is_exclusive || !is_open_somewhere(run, function))
		holder->open |= bit;
}

static void change_holder(FoundRun *run, ModelVm *vm)
{
	ModelHolder *holder = &vm->holders[dice_roll(&run->dice, vm->holders[1].process ? 2 : 1)];

	switch (dice_roll(&run->dice, 8)) {
	case 0:
		holder->is_unreadable = !holder->is_unreadable;
		break;
	case 1:
		holder->is_incomplete = !holder->is_incomplete;
		break;
	default:
		open_or_close(run, holder);
	}
	update_holder(holder);
}

static void look(FoundRun *run, ModelVm *vm)
{
	bool is_certain;
	Guid guid;

	cr_assert(guid_parse(vm->guid, &guid));
	model_look(run, vm, &is_certain);
	fake_host_look(run->fake_host,
		       vm_find(run->fake_host->service.broker, &guid)->entity.serial);
}

static void register_client(FoundRun *run, ModelVm *vm)
{
	const char *expected = model_register(run, vm);
	const char *status = callf(run->fake_host, run->fixture.client, REGISTER,
				   "{\"virtualMachineGuid\":\"%s\"}", vm->guid);

	expect_that(run, strcmp(status, expected) == 0, expected, (size_t)(vm - run->vms));
}

static void unregister_client(FoundRun *run, ModelVm *vm)
{
	const char *expected = vm->is_registered ? "STATUS_SUCCESS" : "STATUS_NOT_FOUND";

	cr_assert_str_eq(callf(run->fake_host, run->fixture.client,
			       "io.vaild.UnregisterVailProcess", "{\"virtualMachineGuid\":\"%s\"}",
			       vm->guid),
			 expected);
	vm->is_registered = false;
}

static void assign_or_remove(FoundRun *run, ModelVm *vm)
{
	FakeHost *fake_host = run->fake_host;
	Caller *admin = run->fixture.admin;

	if (vm->assigned[0] == '\0') {
		cr_assert_str_eq(callf(fake_host, admin, ASSIGN, "{\"virtualMachineGuid\":\"%s\"}",
				       vm->guid),
				 "STATUS_SUCCESS");
		snprintf(vm->assigned, sizeof(vm->assigned), "%s",
			 reply_string(fake_host, "virtualGpu"));
		return;
	}
	cr_assert_str_eq(callf(fake_host, admin, REMOVE, "{\"virtualGpu\":\"%s\"}", vm->assigned),
			 "STATUS_SUCCESS");
	vm->assigned[0] = '\0';
	lose_registration(vm);
}

static void hand_over(FoundRun *run, ModelVm *vm)
{
	if (vm->holders[1].process) {
		fake_host_exit(run->fake_host, vm->holders[0].process);
		vm->holders[0] = vm->holders[1];
		vm->holders[1] = (ModelHolder){ 0 };
	} else if (run->hand_overs < HAND_OVERS) {
		run->hand_overs++;
		add_vmm(run, vm, 1);
	}
}

static void make_step(FoundRun *run)
{
	ModelVm *vm = &run->vms[dice_roll(&run->dice, VMS)];

	switch (dice_roll(&run->dice, 20)) {
	case 0:
		assign_or_remove(run, vm);
		break;
	case 1:
	case 2:
		unregister_client(run, vm);
		break;
	case 3:
		fake_host_restart(run->fake_host);
		run->restarts++;
		break;
	case 4:
		if (dice_chance(&run->dice, 8))
			hand_over(run, vm);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		register_client(run, vm);
		break;
	case 9:
	case 10:
	case 11:
		look(run, vm);
		break;
	default:
		change_holder(run, vm);
	}
	broker_end_some(run->fake_host->service.broker, UINT64_MAX);
}

/* --- comparison ------------------------------------------------------------------------------ */

/* Returns the set of functions in the description of a VM. Counts the assigned ones. */
static unsigned int described(FoundRun *run, size_t *ret_assigned)
{
	size_t count = reply_count(run->fake_host, "virtualMachine.virtualGpus");
	unsigned int set = 0;
	char path[64];

	*ret_assigned = 0;
	for (size_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "virtualMachine.virtualGpus[%zu].function", i);
		const char *name = reply_string(run->fake_host, path);
		unsigned int bit = 0;

		for (size_t j = 0; j < FUNCTIONS; j++)
			if (strcmp(functions[j].name, name) == 0)
				bit = 1u << j;
		cr_assert((set & bit) == 0, "%s stands twice", name);
		set |= bit;
		*ret_assigned += bit == 0;
	}
	return set;
}

static void compare(FoundRun *run)
{
	for (size_t i = 0; i < VMS; i++) {
		const ModelVm *vm = &run->vms[i];
		size_t assigned;

		cr_assert_str_eq(callf(run->fake_host, run->fixture.admin, DESCRIBE,
				       "{\"virtualMachineGuid\":\"%s\"}", vm->guid),
				 "STATUS_SUCCESS");
		expect_that(run, described(run, &assigned) == vm->found, "found virtual GPUs", i);
		expect_that(run, assigned == (vm->assigned[0] != '\0'), "assigned virtual GPUs", i);
		expect_that(run,
			    reply_number(run->fake_host, "virtualMachine.registrations") ==
				    vm->is_registered,
			    "registrations", i);
	}
	broker_check(run->fake_host->service.broker);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

Test(found_gpu_model, each_vm_has_what_was_seen_last)
{
	FoundRun run = { .fixture = host_fixture_new_quiet(),
			 .seed = setting("VAILD_SEED", SEED_DEFAULT) };
	uint64_t steps = setting("VAILD_STEPS", STEPS_DEFAULT);

	run.fake_host = run.fixture.fake_host;
	run.dice.state = run.seed;
	fprintf(stderr, "found_gpu_model: seed %" PRIu64 ", %" PRIu64 " steps\n", run.seed, steps);
	for (size_t i = 0; i < VMS; i++) {
		snprintf(run.vms[i].guid, sizeof(run.vms[i].guid),
			 "a000000%zu-2222-4333-8444-555555555555", i);
		add_vmm(&run, &run.vms[i], 0);
	}
	for (run.step = 0; run.step < steps; run.step++) {
		make_step(&run);
		compare(&run);
	}
	cr_expect(steps < STEPS_DEFAULT ||
			  (run.seen_success > 100 && run.seen_none > 20 && run.seen_unknown > 100 &&
			   run.taken > 20 && run.restarts > 100 && run.hand_overs == HAND_OVERS),
		  "%zu %zu %zu %zu %zu %zu", run.seen_success, run.seen_none, run.seen_unknown,
		  run.taken, run.restarts, run.hand_overs);
	host_fixture_free(&run.fixture);
}
