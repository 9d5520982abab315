/* SPDX-License-Identifier: MIT */
/* The random requests of test-restart.c about adapters registered by connections. */
#include "tests/model/restart-run.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROOT_PID 100

static const struct {
	unsigned int address_bits;
	const char *index_bits;
} mmus[] = { { 48, "9,9,9,9" }, { 36, "12,12" } };

/*
 * Start addresses of the ranges. The windows are narrow, so that ranges collide, and lie behind the
 * first entry of the root page table of both MMUs.
 */
static const uint64_t windows[] = { UINT64_C(0x10000000000), UINT64_C(0x400000000) };

static Caller *any_driver(Run *run)
{
	return run->drivers[dice_roll(&run->dice, DRIVERS)];
}

void run_drivers_enter(Run *run)
{
	const FakeProcess *root = &run->fake_host->processes[0];

	cr_assert_eq(root->pid, ROOT_PID);
	for (size_t i = 0; i < DRIVERS; i++)
		run->drivers[i] = fake_host_connect(run->fake_host, root);
}

void run_driver_replace(Run *run)
{
	size_t i = dice_roll(&run->dice, DRIVERS);

	fake_host_disconnect(run->fake_host, run->drivers[i]);
	run->drivers[i] = fake_host_connect(run->fake_host, &run->fake_host->processes[0]);
}

/* --- requests -------------------------------------------------------------------------------- */

static const char *register_card(Run *run, Caller *driver, const char *name, size_t mmu,
				 uint64_t max_virtual_gpus)
{
	return callf(run->fake_host, driver, REGISTER_ADAPTER,
		     "{\"name\":\"%s\",\"virtualAddressBitCount\":%u,"
		     "\"pageTableIndexBitCount\":[%s],\"maxVirtualGpus\":%" PRIu64 "}",
		     name, mmus[mmu].address_bits, mmus[mmu].index_bits, max_virtual_gpus);
}

static const char *register_adapter(Run *run)
{
	char name[] = "card 0";

	name[5] = (char)('0' + dice_roll(&run->dice, 4));
	const char *status = register_card(run, any_driver(run), name,
					   dice_roll(&run->dice, ARRAY_SIZE(mmus)), 4);
	run_remember(run, &run->adapters, "adapter");
	run_remember(run, &run->processes, "systemProcess");
	return status;
}

static const char *unregister_adapter(Run *run)
{
	return callf(run->fake_host, run->admin, UNREGISTER_ADAPTER, "{\"adapter\":\"%s\"}",
		     run_any_handle(run, &run->adapters));
}

static const char *create_process(Run *run)
{
	char owner[64] = "";

	if (dice_chance(&run->dice, 2))
		snprintf(owner, sizeof(owner), ",\"pid\":%d", run_any_player(run)->process->pid);
	else if (dice_chance(&run->dice, 2))
		snprintf(owner, sizeof(owner), ",\"virtualMachineGuid\":\"%s\"", run_any_guid(run));
	const char *status = callf(run->fake_host, any_driver(run), CREATE_PROCESS,
				   "{\"adapter\":\"%s\",\"name\":\"of a driver\"%s}",
				   run_any_handle(run, &run->adapters), owner);
	run_remember(run, &run->processes, "process");
	return status;
}

static const char *of_process(Run *run, const char *method)
{
	return callf(run->fake_host, any_driver(run), method, "{\"process\":\"%s\"}",
		     run_any_handle(run, &run->processes));
}

static const char *complete(Run *run)
{
	return of_process(run, COMPLETE_PROCESS);
}

static const char *destroy(Run *run)
{
	return of_process(run, DESTROY_PROCESS);
}

static uint64_t any_window(Run *run)
{
	return windows[dice_roll(&run->dice, ARRAY_SIZE(windows))];
}

/* A leaf page table covers 2 MiB with one MMU, and 16 MiB with the other. */
static const char *reserve_for_driver(Run *run)
{
	return callf(run->fake_host, any_driver(run), RESERVE_RANGE,
		     "{\"process\":\"%s\",\"sizeInBytes\":%d,\"allowUserModeMapping\":true,"
		     "\"baseAddress\":\"0x%" PRIx64 "\"}",
		     run_any_handle(run, &run->processes), 16 << 20,
		     any_window(run) + (dice_roll(&run->dice, 2) << 24));
}

static const char *set_any_entry(Run *run)
{
	return callf(run->fake_host, any_driver(run), SET_ENTRY,
		     "{\"process\":\"%s\",\"virtualAddress\":\"0x%" PRIx64
		     "\",\"pageTableAddress\":\"0x1000\"}",
		     run_any_handle(run, &run->processes),
		     any_window(run) + (dice_roll(&run->dice, 16) << 21));
}

static const char *create_context_there(Run *run)
{
	Player *player = run_any_player(run);
	const char *status = callf(run->fake_host, player->caller, CREATE_CONTEXT,
				   "{\"adapter\":\"%s\"}", run_any_handle(run, &run->adapters));

	run_remember(run, &run->contexts, "context");
	if (strcmp(status, "STATUS_SUCCESS") == 0)
		strcpy(player->gpu_process, reply_string(run->fake_host, "process"));
	return status;
}

static const char *assign_there(Run *run)
{
	return callf(run->fake_host, run->admin, ASSIGN,
		     "{\"virtualMachineGuid\":\"%s\",\"adapter\":\"%s\"}", run_any_guid(run),
		     run_any_handle(run, &run->adapters));
}

/* Maps in a window that can have driver reservations, which allow mappings. */
static const char *map_there(Run *run)
{
	const Player *player = run_any_player(run);

	return callf(run->fake_host, player->caller, MAP_ADDRESS,
		     "{\"process\":\"%s\",\"sizeInBytes\":%d,\"protection\":\"zero\","
		     "\"baseAddress\":\"0x%" PRIx64 "\"}",
		     player->gpu_process, (int)(1 + dice_roll(&run->dice, 400)) << 12,
		     any_window(run) + (dice_roll(&run->dice, 64) << 19));
}

const char *run_driver_request(Run *run)
{
	static const char *(*const requests[])(Run * run) = {
		register_adapter,
		register_adapter,
		create_process,
		create_process,
		create_process,
		reserve_for_driver,
		reserve_for_driver,
		complete,
		complete,
		complete,
		complete,
		set_any_entry,
		set_any_entry,
		create_context_there,
		create_context_there,
		assign_there,
		map_there,
		map_there,
	};

	if (dice_chance(&run->dice, 40))
		return dice_chance(&run->dice, 2) ? destroy(run) : unregister_adapter(run);
	return requests[dice_roll(&run->dice, ARRAY_SIZE(requests))](run);
}

/* --- restarts -------------------------------------------------------------------------------- */

/* Returns the caller of the adapter's connection, or NULL. */
static Caller *driver_of(Run *run, const Adapter *adapter)
{
	for (size_t i = 0; i < DRIVERS; i++)
		if (run->drivers[i] == adapter->connection)
			return run->drivers[i];
	return NULL;
}

static void settle(Run *run, GpuProcess *gpu_process)
{
	char handle[HANDLE_TEXT_LENGTH + 1];
	Caller *driver = driver_of(run, gpu_process->adapter);
	bool completes = gpu_process->is_system || dice_chance(&run->dice, 2);

	if (gpu_process->state != GPU_PROCESS_CREATING || !driver)
		return;
	cr_assert_str_eq(callf(run->fake_host, driver,
			       completes ? COMPLETE_PROCESS : DESTROY_PROCESS,
			       "{\"process\":\"%s\"}",
			       handle_format(&gpu_process->handle_entry.handle, handle)),
			 "STATUS_SUCCESS");
}

void run_settle_creations(Run *run)
{
	Broker *broker = run->fake_host->service.broker;
	uint64_t cursor = 0;
	Entity *entity;

	while ((entity = entity_after(broker, ENTITY_GPU_PROCESS, cursor))) {
		cursor = entity->serial;
		settle(run, entity_container(entity, GpuProcess));
	}
}

/* Registers the same adapter again, and asserts that nothing changes. */
static void take_over(Run *run, const Adapter *adapter)
{
	char *before = fake_host_snapshot(run->fake_host, run->admin);
	bool was_running = adapter->system_process->state == GPU_PROCESS_RUNNING, restored;

	cr_assert_str_eq(register_card(run, any_driver(run), adapter->name,
				       adapter->mmu.level_count == 2, adapter->max_virtual_gpus),
			 "STATUS_SUCCESS");
	cr_assert(json_read_boolean(reply_value(run->fake_host, "restored"), &restored));
	cr_assert_eq(restored, was_running);
	run_must_be_same(run, before, fake_host_snapshot(run->fake_host, run->admin), "a takeover");
	run->restored_adapters++;
}

static void be_another_card(Run *run, const Adapter *adapter)
{
	bool restored;

	cr_assert_str_eq(register_card(run, any_driver(run), adapter->name,
				       adapter->mmu.level_count != 2, 4),
			 "STATUS_SUCCESS");
	cr_assert(json_read_boolean(reply_value(run->fake_host, "restored"), &restored));
	cr_assert_not(restored);
	run->ended_adapters++;
}

static size_t count_waiting(Run *run)
{
	Broker *broker = run->fake_host->service.broker;
	size_t count = 0;

	for (const Adapter *adapter = adapter_after(broker, 0); adapter;
	     adapter = adapter_after(broker, adapter->entity.serial))
		count += adapter->wait_deadline > 0;
	return count;
}

void run_drivers_come_back(Run *run)
{
	Broker *broker = run->fake_host->service.broker;
	uint64_t cursor = 0;
	Adapter *adapter;

	while ((adapter = adapter_after(broker, cursor))) {
		cursor = adapter->entity.serial;
		if (adapter->wait_deadline == 0 || dice_chance(&run->dice, 4))
			continue;
		if (dice_chance(&run->dice, 8))
			be_another_card(run, adapter);
		else
			take_over(run, adapter);
	}
	if (dice_chance(&run->dice, 2)) /* some still wait, perhaps across another restart */
		return;
	run->ended_adapters += count_waiting(run);
	run->fake_host->now += UINT64_C(1000000) * LIMIT_DRIVER_WAIT_SECONDS;
	adapters_end_overdue(broker);
	cr_assert_eq(count_waiting(run), 0u);
}
