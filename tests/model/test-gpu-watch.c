/* SPDX-License-Identifier: MIT */
/*
 * Random operations on GPU processes, and watches that must report them. Operators are notified of
 * all GPU processes. A driver is notified of those on its adapters, on any connection of its
 * process. A watch of one VM reports only GPU processes that serve this VM. Other callers are
 * notified of none. Each end of a GPU process and each page table that became resident is reported
 * once and in order, even while the watch still reports the existing state, and however slowly its
 * client reads.
 *
 * VAILD_SEED=N selects another run, VAILD_STEPS=N sets its length.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/random.h"
#include "tests/model/watcher.h"
#include "tests/support/fake-gpu.h"

TestSuite(gpu_watch);

#define SEED_DEFAULT  20261121
#define STEPS_DEFAULT 12000

#define SUCCESS "STATUS_SUCCESS"
#define GIB     (UINT64_C(1) << 30)

enum { OBSERVERS = 10, DRIVERS = 2, ADAPTERS = 4, PROCESSES = 32 };

/* Root and drivers watch all VMs or one VM, strangers watch all. */
typedef enum ObserverKind {
	ROOT,
	ROOT_OF_VM,
	DRIVER,
	DRIVER_OF_VM,
	STRANGER,
	OBSERVER_KINDS
} ObserverKind;

/* --- state ----------------------------------------------------------------------------------- */

/* A process in the operators' group, which is configured only while an adapter is registered. */
typedef struct TestDriver {
	FakeProcess *process;
	Caller *caller; /* the connection that registers its adapters */
} TestDriver;

typedef struct TestProcess {
	char handle[64];
	size_t adapter;
	const char *guid; /* GUID of the VM that it serves, or NULL */
	bool is_system;
} TestProcess;

typedef struct Observer {
	Watcher *watcher; /* NULL if this slot is free */
	bool is_root;
	int driver; /* index of the driver that watches, or -1 */
} Observer;

typedef struct Run {
	FakeHost *fake_host;
	Dice dice;
	uint64_t seed, step;
	Caller *root;
	Caller *strangers[2]; /* a VMM and an ordinary user */
	TestDriver drivers[DRIVERS];
	struct {
		bool is_registered;
		FakeAdapter adapter;
		int driver;
	} adapters[ADAPTERS];
	TestProcess processes[PROCESSES];
	size_t process_count;
	bool is_running[2]; /* state of the VMs */
	Observer observers[OBSERVERS];
	size_t received[OBSERVER_KINDS]; /* events */
	size_t received_before_current;
	size_t watches_ended;
} Run;

static const char *const guids[] = { GUID_A, GUID_B };

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text && text[0] != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

static bool observer_is_concerned(const Run *run, const Observer *observer,
				  const TestProcess *process)
{
	const char *guid = observer->watcher->guid;

	if (guid[0] != '\0' && (!process->guid || strcmp(guid, process->guid) != 0))
		return false;
	return observer->is_root || observer->driver == run->adapters[process->adapter].driver;
}

static void expect(Run *run, const char *kind, const TestProcess *process, const char *detail)
{
	char text[160];

	snprintf(text, sizeof(text), "%s %s %s %s %s", kind, process->handle,
		 run->adapters[process->adapter].adapter.adapter,
		 process->guid ? process->guid : "", detail);
	for (size_t i = 0; i < OBSERVERS; i++)
		if (run->observers[i].watcher &&
		    observer_is_concerned(run, &run->observers[i], process))
			watcher_expect(run->observers[i].watcher, text, run->step);
}

static void expect_end(Run *run, size_t at, const char *reason)
{
	expect(run, "gpuProcessRemoved", &run->processes[at], reason);
	run->processes[at] = run->processes[--run->process_count];
}

static void expect_adapter_end(Run *run, size_t adapter)
{
	for (size_t i = run->process_count; i-- > 0;)
		if (run->processes[i].adapter == adapter)
			expect_end(run, i, "adapterRemoved");
	run->adapters[adapter].is_registered = false;
}

/* --- operations ------------------------------------------------------------------------------ */

static void configure_operator_group(Run *run, bool is_configured)
{
	run->fake_host->service.settings.operators.exists = is_configured;
	fake_host_reload(run->fake_host);
}

static void add_adapter(Run *run, size_t at, int driver)
{
	if (run->adapters[at].is_registered || run->process_count == PROCESSES)
		return;
	configure_operator_group(run, true);
	run->adapters[at].adapter =
		fake_running_adapter(run->fake_host, run->drivers[driver].caller, "9,9,9,9");
	configure_operator_group(run, false);
	run->adapters[at].is_registered = true;
	run->adapters[at].driver = driver;
	TestProcess *process = &run->processes[run->process_count++];
	*process = (TestProcess){ .adapter = at, .is_system = true };
	strcpy(process->handle, run->adapters[at].adapter.system_process);
}

static void remove_adapter(Run *run, size_t at)
{
	if (!run->adapters[at].is_registered)
		return;
	expect_adapter_end(run, at);
	cr_assert_str_eq(callf(run->fake_host, run->root, UNREGISTER_ADAPTER,
			       "{\"adapter\":\"%s\"}", run->adapters[at].adapter.adapter),
			 SUCCESS);
}

/*
 * Closes the connection that registered a driver's adapters, and connects the driver again. The
 * connections on which it watches stay open.
 */
static void reconnect_driver(Run *run)
{
	int number = (int)dice_roll(&run->dice, DRIVERS);
	TestDriver *driver = &run->drivers[number];

	for (size_t i = 0; i < ADAPTERS; i++)
		if (run->adapters[i].is_registered && run->adapters[i].driver == number)
			expect_adapter_end(run, i);
	fake_host_disconnect(run->fake_host, driver->caller);
	driver->caller = fake_host_connect(run->fake_host, driver->process);
}

static void add_process(Run *run, size_t adapter)
{
	size_t vm = dice_roll(&run->dice, 3);
	TestProcess *process = &run->processes[run->process_count];
	char more[80] = "";

	if (!run->adapters[adapter].is_registered || run->process_count == PROCESSES)
		return;
	*process = (TestProcess){ .adapter = adapter };
	if (vm < 2 && run->is_running[vm]) {
		process->guid = guids[vm];
		snprintf(more, sizeof(more), ",\"virtualMachineGuid\":\"%s\"", guids[vm]);
	}
	cr_assert_str_eq(create_gpu_process(run->fake_host,
					    run->drivers[run->adapters[adapter].driver].caller,
					    &run->adapters[adapter].adapter, more, process->handle),
			 SUCCESS);
	run->process_count++;
}

static void remove_process(Run *run, size_t at)
{
	TestProcess process = run->processes[at];

	if (process.is_system)
		return;
	expect_end(run, at, "requested");
	cr_assert_str_eq(callf(run->fake_host,
			       run->drivers[run->adapters[process.adapter].driver].caller,
			       DESTROY_PROCESS, "{\"process\":\"%s\"}", process.handle),
			 SUCCESS);
}

/* Makes a page table resident twice. Only the first call after an eviction is reported. */
static void make_resident(Run *run, const TestProcess *process)
{
	uint64_t table = 512 * GIB + dice_roll(&run->dice, 4) * GIB;
	Caller *driver = run->drivers[run->adapters[process->adapter].driver].caller;
	char first[32], inside[32];

	snprintf(first, sizeof(first), "0x%" PRIx64, table);
	snprintf(inside, sizeof(inside), "0x%" PRIx64, table + dice_roll(&run->dice, GIB));
	if (dice_chance(&run->dice, 2)) {
		table_call(run->fake_host, driver, EVICT, process->handle, inside);
		expect(run, "pageTableResident", process, first);
	}
	for (int again = 0; again < 2; again++)
		cr_assert_str_eq(
			table_call(run->fake_host, driver, MAKE_RESIDENT, process->handle, inside),
			SUCCESS);
}

static bool driver_has_adapter(const Run *run, int driver)
{
	for (size_t i = 0; i < ADAPTERS; i++)
		if (run->adapters[i].is_registered && run->adapters[i].driver == driver)
			return true;
	return false;
}

static ObserverKind kind_of(const Observer *observer)
{
	bool has_guid = observer->watcher->guid[0] != '\0';

	if (observer->driver >= 0)
		return has_guid ? DRIVER_OF_VM : DRIVER;
	if (observer->is_root)
		return has_guid ? ROOT_OF_VM : ROOT;
	return STRANGER;
}

/* Reads the remaining events and ends the watch. */
static void close_observer(Run *run, Observer *observer)
{
	Watcher *watcher = observer->watcher;
	Caller *caller = observer->driver >= 0 ? (Caller *)watcher->session.caller : NULL;

	watcher_drain(watcher);
	run->received[kind_of(observer)] += watcher->matched;
	run->received_before_current += watcher->matched_before_current;
	run->watches_ended += watcher->is_over;
	watcher_free(watcher);
	*observer = (Observer){ 0 };
	if (caller)
		fake_host_disconnect(run->fake_host, caller);
}

/*
 * Unregisters a VM. The first driver is the VMM of the first VM. With that VM the driver's watches
 * of the VM end, and also its watches of all VMs unless it has an adapter.
 */
static void end_machine(Run *run, size_t vm)
{
	for (size_t i = run->process_count; i-- > 0;)
		if (run->processes[i].guid == guids[vm])
			expect_end(run, i, "virtualMachineUnregistered");
	cr_assert_str_eq(callf(run->fake_host, run->root, UNREGISTER_MACHINE,
			       "{\"virtualMachineGuid\":\"%s\"}", guids[vm]),
			 SUCCESS);
	for (size_t i = 0; i < OBSERVERS && vm == 0; i++) {
		Observer *observer = &run->observers[i];

		if (!observer->watcher || observer->driver != 0 ||
		    (observer->watcher->guid[0] == '\0' && driver_has_adapter(run, 0)))
			continue;
		watcher_drain(observer->watcher);
		cr_assert(observer->watcher->is_over, "the driver may watch nothing any more");
		close_observer(run, observer);
	}
}

static void change_machine(Run *run, size_t vm)
{
	int pid = vm == 0 ? (int)run->drivers[0].process->pid : 200;

	if (run->is_running[vm])
		end_machine(run, vm);
	else
		cr_assert_str_eq(callf(run->fake_host, run->root, REGISTER_MACHINE,
				       "{\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d,"
				       "\"displayClients\":[{\"user\":\"alice\"}]}",
				       guids[vm], pid),
				 SUCCESS);
	run->is_running[vm] = !run->is_running[vm];
}

static void random_operation(Run *run)
{
	Dice *dice = &run->dice;
	size_t adapter = dice_roll(dice, ADAPTERS);
	size_t process = run->process_count > 0 ? dice_roll(dice, run->process_count) : 0;
	uint64_t roll = dice_roll(dice, 120);

	if (roll < 8)
		add_adapter(run, adapter, (int)dice_roll(dice, DRIVERS));
	else if (roll < 9)
		remove_adapter(run, adapter);
	else if (roll < 10)
		reconnect_driver(run);
	else if (roll < 12)
		change_machine(run, dice_roll(dice, 2));
	else if (roll < 60)
		add_process(run, adapter);
	else if (roll < 80 && run->process_count > 0)
		remove_process(run, process);
	else if (run->process_count > 0)
		make_resident(run, &run->processes[process]);
}

/* --- observers ------------------------------------------------------------------------------- */

/* Starts a watch as root, as a driver (on a new connection) or as a stranger. */
static Observer new_observer(Run *run)
{
	Dice *dice = &run->dice;
	size_t vm = dice_roll(dice, 2);
	bool watches_vm = run->is_running[vm] && dice_chance(dice, 3);
	int driver = (int)dice_roll(dice, DRIVERS);
	Caller *caller;

	switch (dice_roll(dice, 4)) {
	case 0:
		return (Observer){
			.watcher = watcher_new_expecting(run->fake_host, run->root,
							 watches_vm ? guids[vm] : NULL),
			.is_root = true,
			.driver = -1,
		};
	case 1:
		caller = run->strangers[dice_roll(dice, 2)];
		return (Observer){
			.watcher = watcher_new_expecting(run->fake_host, caller, NULL),
			.driver = -1,
		};
	default:
		watches_vm = driver == 0 && run->is_running[0] && dice_chance(dice, 2);
		caller = fake_host_connect(run->fake_host, run->drivers[driver].process);
		return (Observer){
			.watcher = watcher_new_expecting(run->fake_host, caller,
							 watches_vm ? guids[0] : NULL),
			.driver = driver,
		};
	}
}

/* Reads a random part of the events, and ends the watch now and then. */
static void observer_step(Run *run, Observer *observer)
{
	Dice *dice = &run->dice;
	Watcher *watcher = observer->watcher;

	if (!watcher) {
		if (dice_chance(dice, 10))
			*observer = new_observer(run);
		return;
	}
	/*
	 * The stranger that is the second VM's VMM loses its watch with that VM. Drivers' watches
	 * end in end_machine().
	 */
	cr_assert(!watcher->is_over || kind_of(observer) == STRANGER);
	cr_assert_neq(watcher->state, SESSION_BROKEN);
	if (watcher->expected_count > WATCHER_EXPECTED_MAX / 2 || dice_chance(dice, 200))
		watcher_drain(watcher);
	else if (dice_chance(dice, 2))
		watcher_take(watcher, 1 + dice_roll(dice, 1500));
	if (watcher->state == SESSION_WATCHES && !watcher->is_ready)
		cr_assert_eq(watcher->expected_count, 0u, "not received: %s",
			     watcher->expected[0].text);
	if (watcher->is_over || dice_chance(dice, 100))
		close_observer(run, observer);
}

/* --- tests ----------------------------------------------------------------------------------- */

/* Creates enough state to keep a new watch busy for many turns. */
static void fill(Run *run)
{
	for (int i = 0; i < 200; i++)
		callf(run->fake_host, run->root, SET_QUARANTINE,
		      "{\"virtualMachineGuid\":\"10000000-0000-4000-8000-%012d\","
		      "\"quarantined\":true,\"reason\":\"%0200d\"}",
		      i, 0);
}

static TestDriver driver_new(FakeHost *fake_host, pid_t pid)
{
	static const gid_t groups[] = { FAKE_HOST_OPERATOR_GROUP };
	TestDriver driver = { .process = fake_host_process(fake_host, pid, 1100) };

	process_set_groups(driver.process, 1100, ARRAY_SIZE(groups), groups);
	driver.caller = fake_host_connect(fake_host, driver.process);
	return driver;
}

static Run *run_new(void)
{
	Run *run = calloc(1, sizeof(*run));
	FakeHost *fake_host = fake_host_new();

	fake_host_must(run != NULL);
	run->fake_host = fake_host;
	run->seed = number_from("VAILD_SEED", SEED_DEFAULT);
	run->dice.state = run->seed;
	fake_host->service.watch_ready = watcher_ready;
	fake_host_user(fake_host, "alice", 1000);
	run->root = fake_host_connect(fake_host, fake_host_process(fake_host, 100, 0));
	run->strangers[0] = fake_host_connect(fake_host, fake_host_process(fake_host, 200, 64055));
	run->strangers[1] = fake_host_connect(fake_host, fake_host_process(fake_host, 300, 1000));
	for (int i = 0; i < DRIVERS; i++)
		run->drivers[i] = driver_new(fake_host, 400 + i);
	configure_operator_group(run, false);
	return run;
}

static void run_free(Run *run)
{
	for (size_t i = 0; i < OBSERVERS; i++)
		if (run->observers[i].watcher)
			close_observer(run, &run->observers[i]);
	broker_check(run->fake_host->service.broker);
	fake_host_free(run->fake_host);
	free(run);
}

static void check_enough(const Run *run)
{
	cr_expect_gt(run->received[ROOT], 3000u);
	cr_expect_gt(run->received[ROOT_OF_VM], 150u);
	cr_expect_gt(run->received[DRIVER], 3000u);
	cr_expect_gt(run->received[DRIVER_OF_VM], 60u);
	cr_expect_eq(run->received[STRANGER], 0u);
	cr_expect_gt(run->received_before_current, 1500u);
	cr_expect_gt(run->watches_ended, 30u);
}

Test(gpu_watch, each_end_and_each_resident_table_is_reported_once_to_those_concerned)
{
	Run *run = run_new();
	uint64_t steps = number_from("VAILD_STEPS", STEPS_DEFAULT);

	fprintf(stderr, "gpu_watch: VAILD_SEED=%" PRIu64 "\n", run->seed);
	fill(run);
	for (run->step = 0; run->step < steps; run->step++) {
		random_operation(run);
		for (size_t i = 0; i < OBSERVERS; i++)
			observer_step(run, &run->observers[i]);
	}
	fprintf(stderr,
		"gpu_watch: events received: root %zu, of one VM %zu; drivers %zu, of one VM %zu\n",
		run->received[ROOT], run->received[ROOT_OF_VM], run->received[DRIVER],
		run->received[DRIVER_OF_VM]);
	fprintf(stderr, "gpu_watch: %zu received before \"current\", %zu watches ended\n",
		run->received_before_current, run->watches_ended);
	if (steps >= STEPS_DEFAULT)
		check_enough(run);
	run_free(run);
}

/* The driver may still watch, because it has an adapter. */
Test(gpu_watch, the_watch_of_a_driver_outlives_its_vm)
{
	Run *run = run_new();
	Observer *observer = &run->observers[0];

	change_machine(run, 0);
	add_adapter(run, 0, 0);
	Caller *caller = fake_host_connect(run->fake_host, run->drivers[0].process);
	*observer = (Observer){ .watcher = watcher_new_expecting(run->fake_host, caller, NULL),
				.driver = 0 };
	watcher_drain(observer->watcher);
	change_machine(run, 0);
	watcher_drain(observer->watcher);
	cr_assert_not(observer->watcher->is_over);
	add_process(run, 0);
	remove_process(run, run->process_count - 1);
	watcher_drain(observer->watcher);
	cr_assert_eq(observer->watcher->matched, 1u);
	run_free(run);
}
