/* SPDX-License-Identifier: MIT */
/*
 * Proves that adapters registered by connections survive a restart, that their drivers can take
 * them over again, and that they end if no driver does.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/restart-stage.h"

#define MIB     (UINT64_C(1) << 20)
#define DRIVERS "0x10000000000" /* a driver reservation that does not allow mappings */
#define SHARED  "0x18000000000" /* a driver reservation that does */
#define SECOND  UINT64_C(1000000)

/*
 * A stage with an adapter called card, whose driver runs as root. It has GPU processes for mallory,
 * for GUID_A, and for no process or VM.
 */
typedef struct Card {
	Stage stage;
	FakeHost *fake_host;
	Caller *driver;
	FakeAdapter adapter;
	char process[64], vm_process[64], free_process[64], context[64];
} Card;

static Card card;

static const char *register_card(FakeHost *fake_host, Caller *driver, const char *name,
				 const char *bits, unsigned int max_virtual_gpus)
{
	return callf(fake_host, driver, REGISTER_ADAPTER,
		     "{\"name\":\"%s\",\"virtualAddressBitCount\":48,"
		     "\"pageTableIndexBitCount\":[%s],\"maxVirtualGpus\":%u}",
		     name, bits, max_virtual_gpus);
}

static void set_up_processes(void)
{
	FakeHost *fake_host = card.fake_host;
	Caller *driver = card.driver;

	create_gpu_process(fake_host, driver, &card.adapter, ",\"pid\":400,\"name\":\"drawing\"",
			   card.process);
	reserve_range(fake_host, driver, card.process, 4 * MIB, ",\"baseAddress\":\"" DRIVERS "\"");
	reserve_range(fake_host, driver, card.process, 8 * MIB,
		      ",\"baseAddress\":\"" SHARED "\",\"allowUserModeMapping\":true");
	cr_assert_str_eq(complete_process(fake_host, driver, card.process), SUCCESS);
	create_gpu_process(fake_host, driver, &card.adapter,
			   ",\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"guest's\"",
			   card.vm_process);
	reserve_range(fake_host, driver, card.vm_process, 2 * MIB, "");
	cr_assert_str_eq(complete_process(fake_host, driver, card.vm_process), SUCCESS);
	create_gpu_process(fake_host, driver, &card.adapter, "", card.free_process);
	cr_assert_str_eq(complete_process(fake_host, driver, card.free_process), SUCCESS);
}

/* Sets up mappings and a context of the first process, and a vGPU on the adapter for GUID_B. */
static void set_up_drawing(void)
{
	FakeHost *fake_host = card.fake_host;
	Caller *drawing = card.stage.fixture.stranger;

	cr_assert_str_eq(callf(fake_host, drawing, CREATE_CONTEXT, "{\"adapter\":\"%s\"}",
			       card.adapter.adapter),
			 SUCCESS);
	strcpy(card.context, reply_string(fake_host, "context"));
	cr_assert_str_eq(map(fake_host, drawing, card.process, 2 * MIB, SHARED), SUCCESS);
	set_entry(fake_host, card.driver, card.process, DRIVERS, "0x1000");
	cr_assert_str_eq(reserve(fake_host, drawing, card.process, MIB, STAGE_OWN), SUCCESS);
	cr_assert_str_eq(map(fake_host, drawing, card.process, 1u << 16, STAGE_OWN), SUCCESS);
	cr_assert_str_eq(free_addresses(fake_host, drawing, card.process, "0x20000004000", 4096),
			 SUCCESS);
	cr_assert_str_eq(callf(fake_host, card.driver, ASSIGN,
			       "{\"virtualMachineGuid\":\"" GUID_B "\",\"adapter\":\"%s\"}",
			       card.adapter.adapter),
			 SUCCESS);
	cr_assert_str_eq(callf(fake_host, card.driver, REMOVE, "{\"virtualGpu\":\"%s\"}",
			       card.stage.virtual_gpu),
			 SUCCESS);
}

static void set_up(void)
{
	card.stage = stage_new();
	card.fake_host = card.stage.fake_host;
	card.driver = card.stage.fixture.admin;
	cr_assert_str_eq(register_card(card.fake_host, card.driver, "card", "9,9,9,9", 4), SUCCESS);
	cr_assert_eq(reply_value(card.fake_host, "restored") != NULL, true);
	strcpy(card.adapter.adapter, reply_string(card.fake_host, "adapter"));
	strcpy(card.adapter.system_process, reply_string(card.fake_host, "systemProcess"));
	reserve_range(card.fake_host, card.driver, card.adapter.system_process, 16 * MIB, "");
	complete_process(card.fake_host, card.driver, card.adapter.system_process);
	set_up_processes();
	set_up_drawing();
}

static void tear_down(void)
{
	stage_free(&card.stage);
}

/* The tests of restart_adapters_repeated set up the card several times. */
TestSuite(restart_adapters, .init = set_up, .fini = tear_down);

static bool was_restored(void)
{
	bool restored = false;

	cr_assert(json_read_boolean(reply_value(card.fake_host, "restored"), &restored));
	return restored;
}

/* The driver takes the adapter over again. */
static void take_over(void)
{
	cr_assert_str_eq(register_card(card.fake_host, card.driver, "card", "9,9,9,9", 4), SUCCESS);
	cr_assert(was_restored());
	cr_assert_str_eq(reply_string(card.fake_host, "adapter"), card.adapter.adapter);
	cr_assert_str_eq(reply_string(card.fake_host, "systemProcess"),
			 card.adapter.system_process);
}

/* Returns the number of adapters without the software adapter. */
static size_t count_adapters(FakeHost *fake_host, Caller *caller)
{
	call(fake_host, caller, LIST_ADAPTERS, NULL);
	return reply_count(fake_host, "adapters") - 1;
}

Test(restart_adapters, restart_preserves_everything)
{
	stage_restart_unchanged(&card.stage);
	const StoreReport *report = &card.fake_host->report;
	cr_assert_eq(report->restored[STORE_ADAPTER], 1u);
	cr_assert_eq(report->restored[STORE_CLIENT_ADAPTER], 1u);
	cr_assert_eq(report->restored[STORE_VIRTUAL_GPU], 2u);
	cr_assert_eq(report->restored[STORE_GPU_PROCESS], 5u);
	cr_assert_eq(report->restored[STORE_CONTEXT], 3u);
	cr_assert_eq(report->restored[STORE_REGISTRATION], 3u);
	stage_restart_unchanged(&card.stage); /* while the adapter waits */
	take_over();
	stage_restart_unchanged(&card.stage);
}

Test(restart_adapters, waiting_adapter_refuses_only_driver_requests)
{
	FakeHost *fake_host = card.fake_host;
	Caller *drawing = card.stage.fixture.stranger;
	char process[64];

	fake_host_restart(fake_host);
	cr_assert_str_eq(create_gpu_process(fake_host, card.driver, &card.adapter, "", process),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(set_entry(fake_host, card.driver, card.process, DRIVERS, "0x1000"),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(table_call(fake_host, card.driver, EVICT, card.process, DRIVERS),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(callf(fake_host, card.driver, DESTROY_PROCESS, "{\"process\":\"%s\"}",
			       card.process),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(callf(fake_host, drawing, CREATE_CONTEXT, "{\"adapter\":\"%s\"}",
			       card.adapter.adapter),
			 SUCCESS, "the caller has a GPU process");
	cr_assert_str_eq(callf(fake_host, card.stage.fixture.client, CREATE_CONTEXT,
			       "{\"adapter\":\"%s\"}", card.adapter.adapter),
			 "STATUS_NOT_SUPPORTED", "no driver has created one");
	cr_assert_str_eq(translate(fake_host, drawing, card.process, SHARED), "mapped");
	cr_assert_str_eq(free_addresses(fake_host, drawing, card.process, SHARED, MIB), SUCCESS);
	cr_assert_str_eq(map(fake_host, drawing, card.process, 4096, NULL), SUCCESS);
	cr_assert_str_eq(
		callf(fake_host, drawing, DESTROY_CONTEXT, "{\"context\":\"%s\"}", card.context),
		SUCCESS);
	cr_assert_str_eq(callf(fake_host, card.driver, ASSIGN,
			       "{\"virtualMachineGuid\":\"" GUID_A "\",\"adapter\":\"%s\"}",
			       card.adapter.adapter),
			 SUCCESS);
	stage_restart_unchanged(&card.stage);
}

Test(restart_adapters, driver_takes_its_adapter_over)
{
	FakeHost *fake_host = card.fake_host;
	char process[64];

	fake_host_restart(fake_host);
	take_over();
	cr_assert_str_eq(complete_process(fake_host, card.driver, card.adapter.system_process),
			 "STATUS_INVALID_DEVICE_STATE", "the system process is running");
	cr_assert_str_eq(reserve_range(fake_host, card.driver, card.process, 2 * MIB, ""),
			 "STATUS_INVALID_DEVICE_STATE");
	cr_assert_str_eq(set_entry(fake_host, card.driver, card.process, DRIVERS, "0x1000"),
			 SUCCESS);
	cr_assert_str_eq(translate(fake_host, card.driver, card.process, DRIVERS),
			 "driverPageTable");
	cr_assert_str_eq(
		create_gpu_process(fake_host, card.driver, &card.adapter, ",\"pid\":300", process),
		SUCCESS);
	cr_assert_str_eq(complete_process(fake_host, card.driver, process), SUCCESS);
	cr_assert_str_eq(
		create_gpu_process(fake_host, card.driver, &card.adapter, ",\"pid\":400", process),
		"STATUS_OBJECT_NAME_COLLISION");
	cr_assert_str_eq(callf(fake_host, card.driver, DESTROY_PROCESS, "{\"process\":\"%s\"}",
			       card.free_process),
			 SUCCESS);
	cr_assert_str_eq(register_card(fake_host, card.driver, "card", "9,9,9,9", 4),
			 "STATUS_OBJECT_NAME_COLLISION", "the adapter no longer waits");
	fake_host->now += 2 * LIMIT_DRIVER_WAIT_SECONDS * SECOND;
	adapters_end_overdue(fake_host->service.broker);
	cr_assert_eq(count_adapters(fake_host, card.driver), 1u);
	broker_connection_closed(fake_host->service.broker, card.driver);
	cr_assert_eq(count_adapters(fake_host, card.driver), 0u,
		     "the adapter ends with its connection");
	stage_restart_unchanged(&card.stage);
}

Test(restart_adapters, adapter_ends_without_its_driver)
{
	FakeHost *fake_host = card.fake_host;
	Broker *broker;

	cr_assert_eq(adapters_next_deadline(fake_host->service.broker), UINT64_MAX);
	fake_host_restart(fake_host);
	broker = fake_host->service.broker;
	cr_assert_eq(adapters_next_deadline(broker),
		     fake_host->now + LIMIT_DRIVER_WAIT_SECONDS * SECOND);
	fake_host->now += LIMIT_DRIVER_WAIT_SECONDS * SECOND - 1;
	adapters_end_overdue(broker);
	cr_assert_eq(count_adapters(fake_host, card.driver), 1u,
		     "a microsecond before the deadline");
	fake_host->now++;
	adapters_end_overdue(broker);
	cr_assert_eq(count_adapters(fake_host, card.driver), 0u);
	cr_assert_eq(adapters_next_deadline(broker), UINT64_MAX);
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_ADAPTER_REMOVED)->reason,
		     END_DRIVER_GONE);
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_UNREGISTERED)->reason,
		     END_LAST_VIRTUAL_GPU_REMOVED);
	cr_assert_str_eq(translate(fake_host, card.driver, card.process, SHARED),
			 "STATUS_INVALID_HANDLE");
	cr_assert_null(fake_host_record(fake_host, card.adapter.adapter));
	stage_restart_unchanged(&card.stage);
	cr_assert_str_eq(register_card(fake_host, card.driver, "card", "9,9,9,9", 4), SUCCESS);
	cr_assert_not(was_restored());
}

/* A driver with another uid is another driver, even if it may register adapters. */
Test(restart_adapters, other_drivers_cannot_take_over)
{
	FakeHost *fake_host = card.fake_host;
	FakeProcess *process = fake_host_process(fake_host, 900, 1002);
	Caller *other;

	process_set_groups(process, 1002, 1, (gid_t[]){ FAKE_HOST_OPERATOR_GROUP });
	other = fake_host_connect(fake_host, process);
	fake_host_restart(fake_host);
	cr_assert_str_eq(register_card(fake_host, other, "card", "9,9,9,9", 4),
			 "STATUS_OBJECT_NAME_COLLISION");
	cr_assert_str_eq(register_card(fake_host, card.driver, "other card", "9,9,9,9", 4),
			 SUCCESS);
	cr_assert_not(was_restored());
	stage_restart_unchanged(&card.stage);
	take_over();
	cr_assert_str_eq(callf(fake_host, other, UNREGISTER_ADAPTER, "{\"adapter\":\"%s\"}",
			       card.adapter.adapter),
			 SUCCESS, "any operator may unregister it");
}

/* A driver may return with different hardware. */
Test(restart_adapters_repeated, different_adapter_replaces_the_old_one)
{
	static const struct {
		const char *bits;
		unsigned int max_virtual_gpus;
		bool is_same;
	} rows[] = {
		{ "9,9,9,9", 4, true },    { "9,9,9,9", 1, true },   { "9,9,9,9", 9, true },
		{ "9,9,9,9", 0, false },   { "10,8,9,9", 4, false }, { "9,9,18", 4, false },
		{ "9,9,9,5,4", 4, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		set_up();
		FakeHost *fake_host = card.fake_host;

		fake_host_restart(fake_host);
		size_t ends = fake_host_events(fake_host, EVENT_ADAPTER_REMOVED);
		cr_assert_str_eq(register_card(fake_host, card.driver, "card", rows[i].bits,
					       rows[i].max_virtual_gpus),
				 SUCCESS);
		cr_expect_eq(was_restored(), rows[i].is_same, "%zu", i);
		cr_expect_eq(strcmp(reply_string(fake_host, "adapter"), card.adapter.adapter) == 0,
			     rows[i].is_same);
		cr_expect_eq(fake_host_events(fake_host, EVENT_ADAPTER_REMOVED) - ends,
			     !rows[i].is_same);
		cr_expect_str_eq(translate(fake_host, card.driver, card.process, SHARED),
				 rows[i].is_same ? "mapped" : "STATUS_INVALID_HANDLE");
		call(fake_host, card.driver, LIST_ADAPTERS, NULL);
		cr_expect_eq(reply_count(fake_host, "adapters"), 2u);
		cr_expect_eq(reply_number(fake_host, "adapters[1].maxVirtualGpus"),
			     rows[i].max_virtual_gpus);
		stage_restart_unchanged(&card.stage);
		tear_down();
	}
}

/* GPU processes that are not complete end. Their adapter and its vGPUs survive. */
Test(restart_adapters, incomplete_gpu_processes_end)
{
	FakeHost *fake_host = card.fake_host;
	char process[64], adapter[64], system_process[64];

	create_gpu_process(fake_host, card.driver, &card.adapter, ",\"pid\":300", process);
	reserve_range(fake_host, card.driver, process, 2 * MIB, "");
	cr_assert_str_eq(register_card(fake_host, card.driver, "other card", "9,9,9,9", 4),
			 SUCCESS);
	strcpy(adapter, reply_string(fake_host, "adapter"));
	strcpy(system_process, reply_string(fake_host, "systemProcess"));
	reserve_range(fake_host, card.driver, system_process, 2 * MIB,
		      ",\"baseAddress\":\"" DRIVERS "\"");
	cr_assert_str_eq(callf(fake_host, card.driver, ASSIGN,
			       "{\"virtualMachineGuid\":\"" GUID_A "\",\"adapter\":\"%s\"}",
			       adapter),
			 SUCCESS);
	fake_host_restart(fake_host);
	cr_assert_eq(fake_host->report.drop_count, 0u);
	cr_assert_str_eq(translate(fake_host, card.driver, process, DRIVERS),
			 "STATUS_INVALID_HANDLE");
	cr_assert_str_eq(translate(fake_host, card.driver, system_process, DRIVERS), "invalid");
	cr_assert_str_eq(register_card(fake_host, card.driver, "other card", "9,9,9,9", 4),
			 SUCCESS);
	cr_assert_not(was_restored());
	cr_assert_str_eq(reply_string(fake_host, "adapter"), adapter);
	cr_assert_str_eq(reply_string(fake_host, "systemProcess"), system_process);
	cr_assert_str_eq(reserve_range(fake_host, card.driver, system_process, 2 * MIB,
				       ",\"baseAddress\":\"" DRIVERS "\""),
			 SUCCESS);
	cr_assert_str_eq(complete_process(fake_host, card.driver, system_process), SUCCESS);
	stage_restart_unchanged(&card.stage);
}

/*
 * Driver entries lose their targets but still belong to the driver. All page tables are resident.
 */
Test(restart_adapters, page_tables_are_as_after_becoming_resident)
{
	FakeHost *fake_host = card.fake_host;
	Caller *drawing = card.stage.fixture.stranger;
	char process[64];

	/* Set entries before and after the completion of a process. */
	create_gpu_process(fake_host, card.driver, &card.adapter, ",\"pid\":300", process);
	reserve_range(fake_host, card.driver, process, 8 * MIB,
		      ",\"baseAddress\":\"" SHARED "\",\"allowUserModeMapping\":true");
	set_entry(fake_host, card.driver, process, SHARED, "0x1000");
	cr_assert_str_eq(complete_process(fake_host, card.driver, process), SUCCESS);
	set_entry(fake_host, card.driver, card.process, "0x18000400000", "0x1000");
	set_entry(fake_host, card.driver, card.process, "0x18000400000", "0x2000");
	cr_assert_str_eq(translate(fake_host, card.driver, card.process, "0x18000400000"),
			 "driverPageTable");
	table_call(fake_host, card.driver, EVICT, card.process, STAGE_OWN);
	cr_assert_str_eq(translate(fake_host, drawing, card.process, STAGE_OWN), "notResident");
	for (int i = 0; i < 2; i++) {
		fake_host_restart(fake_host);
		cr_assert_eq(fake_host->report.drop_count, 0u);
		cr_assert_eq(fake_host->report.restored[STORE_PAGE_TABLE_ENTRY], 2u);
		cr_assert_str_eq(translate(fake_host, card.driver, process, SHARED), "reserved");
		cr_assert_str_eq(translate(fake_host, card.driver, card.process, "0x18000400000"),
				 "reserved");
		cr_assert_str_eq(translate(fake_host, drawing, card.process, STAGE_OWN), "mapped");
		cr_assert_str_eq(map(fake_host, card.stage.fixture.client, process, 4096, SHARED),
				 "STATUS_CONFLICTING_ADDRESSES");
		cr_assert_str_eq(map(fake_host, drawing, card.process, 4096, "0x18000400000"),
				 "STATUS_CONFLICTING_ADDRESSES");
		cr_assert_str_eq(map(fake_host, drawing, card.process, 4096, "0x18000600000"),
				 i ? "STATUS_CONFLICTING_ADDRESSES" : SUCCESS);
	}
	take_over();
	cr_assert_str_eq(set_entry(fake_host, card.driver, process, SHARED, "0x1000"), SUCCESS);
	stage_restart_unchanged(&card.stage);
}

Test(restart_adapters, gpu_process_of_a_dead_process_ends)
{
	FakeHost *fake_host = card.fake_host;

	fake_host_kill(fake_host, card.stage.fixture.mallory);
	fake_host_kill(fake_host, card.stage.fixture.vmm);
	fake_host_restart(fake_host);
	cr_assert_eq(stage_dropped(&card.stage, STORE_GPU_PROCESS, "its process is gone"), 1u);
	cr_assert_eq(stage_dropped(&card.stage, STORE_GPU_PROCESS, "its VM is gone"), 1u);
	cr_assert_eq(stage_dropped(&card.stage, STORE_CONTEXT, "its GPU process is gone"), 1u);
	stage_restart_unchanged(&card.stage);
	take_over();
	stage_restart_unchanged(&card.stage);
}

/*
 * Stores snapshots from before the call, after it, and after the restart. The caller frees them.
 * Returns whether the crash came before the last removal.
 */
static bool end_with_crash(size_t drops, char *ret_snapshots[3])
{
	set_up();
	FakeHost *fake_host = card.fake_host;

	ret_snapshots[0] = fake_host_snapshot(fake_host, card.driver);
	fake_host->crashes = true;
	fake_host->removals_before_crash = drops;
	cr_assert_str_eq(callf(fake_host, card.driver, UNREGISTER_ADAPTER, "{\"adapter\":\"%s\"}",
			       card.adapter.adapter),
			 SUCCESS);
	bool was_interrupted = fake_host->removals_before_crash == 0;
	ret_snapshots[1] = fake_host_snapshot(fake_host, card.driver);
	fake_host_restart(fake_host);
	ret_snapshots[2] = fake_host_snapshot(fake_host, card.driver);
	stage_restart_unchanged(&card.stage);
	tear_down();
	return was_interrupted;
}

/* The record of the adapter is removed first, and everything on it depends on that record. */
Test(restart_adapters_repeated, interrupted_unregistration_is_atomic)
{
	bool was_interrupted = true;

	for (size_t drops = 0; was_interrupted; drops++) {
		char *snapshots[3];

		was_interrupted = end_with_crash(drops, snapshots);
		cr_expect_str_eq(snapshots[2], snapshots[drops > 0],
				 "interrupted after %zu removals", drops);
		for (size_t i = 0; i < ARRAY_SIZE(snapshots); i++)
			free(snapshots[i]);
	}
}

/* The adapter still waits for its driver. */
Test(restart_adapters, takeover_that_cannot_be_persisted_changes_nothing)
{
	FakeHost *fake_host = card.fake_host;

	fake_host_restart(fake_host);
	for (int is_other = 0; is_other < 2; is_other++) {
		char *before = fake_host_snapshot(fake_host, card.driver);

		fake_host->refuse_persist = true;
		cr_assert_str_eq(register_card(fake_host, card.driver, "card",
					       is_other ? "9,9,18" : "9,9,9,9", 9),
				 NOT_PERSISTED);
		fake_host->refuse_persist = false;
		char *after = fake_host_snapshot(fake_host, card.driver);
		cr_assert_str_eq(before, after);
		free(before);
		free(after);
	}
	cr_assert_eq(adapters_next_deadline(fake_host->service.broker),
		     fake_host->now + LIMIT_DRIVER_WAIT_SECONDS * SECOND);
	take_over();
}

/*
 * The daemon crashes after it saved the new adapter, but before it removed the old one. No client
 * knows the new one.
 */
Test(restart_adapters, interrupted_replacement_changes_nothing)
{
	FakeHost *fake_host = card.fake_host;

	fake_host_restart(fake_host);
	char *before = fake_host_snapshot(fake_host, card.driver);
	fake_host->crashes = true;
	fake_host->removals_before_crash = 0;
	cr_assert_str_eq(register_card(fake_host, card.driver, "card", "9,9,18", 4), SUCCESS);
	fake_host_restart(fake_host);
	cr_assert_eq(fake_host->report.drop_count, 1u);
	cr_assert_eq(
		stage_dropped(&card.stage, STORE_CLIENT_ADAPTER, "another adapter has its name"),
		1u);
	char *after = fake_host_snapshot(fake_host, card.driver);
	cr_assert_str_eq(before, after);
	take_over();
	free(before);
	free(after);
}

/*
 * Damaged records. total is the number of dropped records. If the system process is not restored, a
 * new one must be completed before there can be contexts.
 */
static const struct {
	const char *kind, *is, *becomes, *reason;
	StoreKind dropped;
	size_t total;
} damages[] = {
	{ "clientAdapter", "\"indexBits\":[9,", "\"indexBits\":[25,",
	  "it contradicts the restored state", STORE_CLIENT_ADAPTER, 14 },
	{ "clientAdapter", "\"indexBits\":[9,9,9,9]", "\"indexBits\":[9]",
	  "it contradicts the restored state", STORE_CLIENT_ADAPTER, 14 },
	{ "clientAdapter", "\"indexBits\":[9,9,9,9]", "\"indexBits\":[9,9,9,9,1,1,1]",
	  "indexBits is invalid", STORE_CLIENT_ADAPTER, 14 },
	{ "clientAdapter", "\"name\":\"card\"", "\"name\":\"vaild software adapter\"",
	  "it contradicts the restored state", STORE_CLIENT_ADAPTER, 14 },
	{ "clientAdapter", "\"systemProcess\":\"", "\"systemProcess\":\"x",
	  "systemProcess is invalid", STORE_CLIENT_ADAPTER, 14 },
	{ "clientAdapter", "\"maxVirtualGpus\":4", "\"maxVirtualGpus\":0",
	  "it contradicts the restored state", STORE_VIRTUAL_GPU, 3 },
	{ "gpuProcess", "\"isSystem\":true", "\"isSystem\":false", "another entity has its serial",
	  STORE_GPU_PROCESS, 2 },
	{ "gpuProcess", "\"isSystem\":true,\"process\":{\"key\":0",
	  "\"isSystem\":true,\"process\":{\"key\":77", "its process is gone", STORE_GPU_PROCESS,
	  2 },
	{ "gpuProcess", "\"isSystem\":false,\"process\":{\"key\":4",
	  "\"isSystem\":true,\"process\":{\"key\":4", "it is not its adapter's system process",
	  STORE_GPU_PROCESS, 7 },
	{ "gpuProcess", "\"name\":\"guest's\"", "\"name\":7", "name is invalid", STORE_GPU_PROCESS,
	  1 },
	{ "gpuProcess", "\"entries\":[]", "\"entries\":[1]", "it contradicts the restored state",
	  STORE_GPU_PROCESS, 10 },
	{ "gpuProcess", "\"entries\":[]", "\"entries\":[9223372036854775807]",
	  "it contradicts the restored state", STORE_GPU_PROCESS, 10 },
	{ "pageTableEntry", "\"number\":524288", "\"number\":524287",
	  "it contradicts the restored state", STORE_PAGE_TABLE_ENTRY, 1 },
	{ "pageTableEntry", "\"gpuProcess\":", "\"gpuProcess\":9", "its GPU process is gone",
	  STORE_PAGE_TABLE_ENTRY, 1 },
};

/* Changes the first record of the kind that contains the text. */
static void damage(FakeHost *fake_host, const char *kind, const char *is, const char *becomes)
{
	char begin[64], *changed;

	snprintf(begin, sizeof(begin), "{\"kind\":\"%s\"", kind);
	for (size_t i = 0; i < fake_host->persisted_count; i++) {
		const char *text = fake_host->persisted[i].text, *at = strstr(text, is);

		if (strncmp(text, begin, strlen(begin)) != 0 || !at)
			continue;
		cr_assert(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, becomes,
				   at + strlen(is)) > 0);
		fake_host_persist_record(fake_host, fake_host->persisted[i].serial, changed,
					 strlen(changed));
		free(changed);
		return;
	}
	cr_assert_fail("no record of kind %s contains %s", kind, is);
}

Test(restart_adapters_repeated, invalid_record_is_dropped)
{
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		set_up();
		FakeHost *fake_host = card.fake_host;

		fake_host_stop(fake_host);
		damage(fake_host, damages[i].kind, damages[i].is, damages[i].becomes);
		fake_host_start(fake_host);
		cr_expect_eq(stage_dropped(&card.stage, damages[i].dropped, damages[i].reason), 1u,
			     "%zu: dropped because %s", i, fake_host->report.drops[0].reason);
		cr_expect_eq(fake_host->report.drop_count, damages[i].total,
			     "%zu: %zu were dropped", i, fake_host->report.drop_count);
		stage_restart_unchanged(&card.stage);
		tear_down();
	}
}

static unsigned long number_after(const char *record, const char *name)
{
	const char *at = record ? strstr(record, name) : NULL;

	cr_assert_not_null(at, "%s is missing", name);
	return strtoul(at + strlen(name), NULL, 10);
}

Test(restart_adapters, context_of_a_system_process_is_dropped)
{
	FakeHost *fake_host = card.fake_host;
	const char *context = fake_host_record(fake_host, "{\"kind\":\"context\"");
	const char *system_process = fake_host_record(fake_host, "\"isSystem\":true");
	char is[64], becomes[64];

	snprintf(is, sizeof(is), "\"gpuProcess\":%lu", number_after(context, "\"gpuProcess\":"));
	snprintf(becomes, sizeof(becomes), "\"gpuProcess\":%lu",
		 number_after(system_process, "\"serial\":"));
	fake_host_stop(fake_host);
	damage(fake_host, "context", is, becomes);
	fake_host_start(fake_host);
	cr_assert_eq(
		stage_dropped(&card.stage, STORE_CONTEXT, "its GPU process belongs to no process"),
		1u);
	cr_assert_eq(fake_host->report.drop_count, 1u);
	stage_restart_unchanged(&card.stage);
}

/* Returns the number of ranges of the process, which are too many for one reply. */
static uint64_t count_ranges(const char *process)
{
	char request[200];
	uint64_t count = 0;

	snprintf(request, sizeof(request),
		 "{\"method\":\"" DESCRIBE_SPACE
		 "\",\"parameters\":{\"process\":\"%s\"},\"more\":true}\n",
		 process);
	const char *text = exchange(card.fake_host, card.driver, request);
	while ((text = strstr(text, "startVirtualAddress"))) {
		text++;
		count++;
	}
	return count;
}

/* The maximum for one process: 4096 reservations with an entry in each. */
Test(restart_adapters, all_driver_reservations_survive)
{
	FakeHost *fake_host = card.fake_host;
	uint64_t most = fake_host->service.settings.limits.per_entity[LIMIT_DRIVER_RESERVATIONS];
	char process[64], address[32];

	create_gpu_process(fake_host, card.driver, &card.adapter, "", process);
	for (uint64_t i = 0; i < most; i++) {
		cr_assert_str_eq(reserve_range(fake_host, card.driver, process, 2 * MIB, ""),
				 SUCCESS);
		strcpy(address, reply_string(fake_host, "startVirtualAddress"));
		set_entry(fake_host, card.driver, process, address, "0x1000");
	}
	cr_assert_str_eq(complete_process(fake_host, card.driver, process), SUCCESS);
	fake_host_restart(fake_host);
	cr_assert_eq(fake_host->report.drop_count, 0u);
	cr_assert_str_eq(translate(fake_host, card.driver, process, address), "reserved");
	cr_assert_eq(count_ranges(process), most + 1);
	take_over();
}
