/* SPDX-License-Identifier: MIT */
/* Proves that adapters registered by connections survive a restart, that their drivers can take
 * them over again, and that they end if no driver does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/restart-stage.h"

TestSuite(restart_adapters);

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
	World *world;
	Caller *driver;
	FakeAdapter adapter;
	char process[64], of_machine[64], of_nobody[64], context[64];
} Card;

static const char *register_card(World *world, Caller *driver, const char *name, const char *bits,
				 unsigned int max_virtual_gpus)
{
	return callf(world, driver, REGISTER_ADAPTER,
		     "{\"name\":\"%s\",\"virtualAddressBitCount\":48,"
		     "\"pageTableIndexBitCount\":[%s],\"maxVirtualGpus\":%u}",
		     name, bits, max_virtual_gpus);
}

static void set_up_processes(Card *card)
{
	World *world = card->world;
	Caller *driver = card->driver;

	create_gpu_process(world, driver, &card->adapter, ",\"pid\":400,\"name\":\"drawing\"",
			   card->process);
	reserve_range(world, driver, card->process, 4 * MIB, ",\"baseAddress\":\"" DRIVERS "\"");
	reserve_range(world, driver, card->process, 8 * MIB,
		      ",\"baseAddress\":\"" SHARED "\",\"allowUserModeMapping\":true");
	cr_assert_str_eq(complete_process(world, driver, card->process), SUCCESS);
	create_gpu_process(world, driver, &card->adapter,
			   ",\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"guest's\"",
			   card->of_machine);
	reserve_range(world, driver, card->of_machine, 2 * MIB, "");
	cr_assert_str_eq(complete_process(world, driver, card->of_machine), SUCCESS);
	create_gpu_process(world, driver, &card->adapter, "", card->of_nobody);
	cr_assert_str_eq(complete_process(world, driver, card->of_nobody), SUCCESS);
}

/* Sets up mappings and a context of the first process, and a vGPU on the adapter for GUID_B. */
static void set_up_drawing(Card *card)
{
	World *world = card->world;
	Caller *drawing = card->stage.cast.stranger;

	cr_assert_str_eq(callf(world, drawing, CREATE_CONTEXT, "{\"adapter\":\"%s\"}",
			       card->adapter.adapter),
			 SUCCESS);
	strcpy(card->context, reply_string(world, "context"));
	cr_assert_str_eq(map(world, drawing, card->process, 2 * MIB, SHARED), SUCCESS);
	set_entry(world, card->driver, card->process, DRIVERS, "0x1000");
	cr_assert_str_eq(reserve(world, drawing, card->process, MIB, STAGE_OWN), SUCCESS);
	cr_assert_str_eq(map(world, drawing, card->process, 1u << 16, STAGE_OWN), SUCCESS);
	cr_assert_str_eq(free_addresses(world, drawing, card->process, "0x20000004000", 4096),
			 SUCCESS);
	cr_assert_str_eq(callf(world, card->driver, ASSIGN,
			       "{\"virtualMachineGuid\":\"" GUID_B "\",\"adapter\":\"%s\"}",
			       card->adapter.adapter),
			 SUCCESS);
	cr_assert_str_eq(callf(world, card->driver, REMOVE, "{\"virtualGpu\":\"%s\"}",
			       card->stage.virtual_gpu),
			 SUCCESS);
}

static Card card_new(void)
{
	Card card = { .stage = stage_new() };

	card.world = card.stage.world;
	card.driver = card.stage.cast.admin;
	cr_assert_str_eq(register_card(card.world, card.driver, "card", "9,9,9,9", 4), SUCCESS);
	cr_assert_eq(reply_value(card.world, "restored") != NULL, true);
	strcpy(card.adapter.adapter, reply_string(card.world, "adapter"));
	strcpy(card.adapter.system_process, reply_string(card.world, "systemProcess"));
	reserve_range(card.world, card.driver, card.adapter.system_process, 16 * MIB, "");
	complete_process(card.world, card.driver, card.adapter.system_process);
	set_up_processes(&card);
	set_up_drawing(&card);
	return card;
}

static void card_free(Card *card)
{
	stage_free(&card->stage);
}

static bool was_restored(const Card *card)
{
	bool restored = false;

	cr_assert(json_read_boolean(reply_value(card->world, "restored"), &restored));
	return restored;
}

/* The driver takes the adapter over again. */
static void take_over(Card *card)
{
	cr_assert_str_eq(register_card(card->world, card->driver, "card", "9,9,9,9", 4), SUCCESS);
	cr_assert(was_restored(card));
	cr_assert_str_eq(reply_string(card->world, "adapter"), card->adapter.adapter);
	cr_assert_str_eq(reply_string(card->world, "systemProcess"), card->adapter.system_process);
}

/* Returns the number of adapters without the software adapter. */
static size_t count_adapters(World *world, Caller *caller)
{
	call(world, caller, LIST_ADAPTERS, NULL);
	return reply_count(world, "adapters") - 1;
}

Test(restart_adapters, restart_preserves_everything)
{
	Card card = card_new();

	stage_restart_unseen(&card.stage);
	const StoreReport *report = &card.world->report;
	cr_assert_eq(report->restored[STORE_ADAPTER], 1u);
	cr_assert_eq(report->restored[STORE_CLIENT_ADAPTER], 1u);
	cr_assert_eq(report->restored[STORE_VIRTUAL_GPU], 2u);
	cr_assert_eq(report->restored[STORE_GPU_PROCESS], 5u);
	cr_assert_eq(report->restored[STORE_CONTEXT], 3u);
	cr_assert_eq(report->restored[STORE_REGISTRATION], 3u);
	stage_restart_unseen(&card.stage); /* while the adapter waits */
	take_over(&card);
	stage_restart_unseen(&card.stage);
	card_free(&card);
}

Test(restart_adapters, waiting_adapter_refuses_only_driver_requests)
{
	Card card = card_new();
	World *world = card.world;
	Caller *drawing = card.stage.cast.stranger;
	char process[64];

	world_restart(world);
	cr_assert_str_eq(create_gpu_process(world, card.driver, &card.adapter, "", process),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(set_entry(world, card.driver, card.process, DRIVERS, "0x1000"),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(table_call(world, card.driver, EVICT, card.process, DRIVERS),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(
		callf(world, card.driver, DESTROY_PROCESS, "{\"process\":\"%s\"}", card.process),
		"STATUS_ACCESS_DENIED");
	cr_assert_str_eq(
		callf(world, drawing, CREATE_CONTEXT, "{\"adapter\":\"%s\"}", card.adapter.adapter),
		SUCCESS, "the caller has a GPU process");
	cr_assert_str_eq(callf(world, card.stage.cast.client, CREATE_CONTEXT,
			       "{\"adapter\":\"%s\"}", card.adapter.adapter),
			 "STATUS_NOT_SUPPORTED", "no driver has created one");
	cr_assert_str_eq(translate(world, drawing, card.process, SHARED), "mapped");
	cr_assert_str_eq(free_addresses(world, drawing, card.process, SHARED, MIB), SUCCESS);
	cr_assert_str_eq(map(world, drawing, card.process, 4096, NULL), SUCCESS);
	cr_assert_str_eq(
		callf(world, drawing, DESTROY_CONTEXT, "{\"context\":\"%s\"}", card.context),
		SUCCESS);
	cr_assert_str_eq(callf(world, card.driver, ASSIGN,
			       "{\"virtualMachineGuid\":\"" GUID_A "\",\"adapter\":\"%s\"}",
			       card.adapter.adapter),
			 SUCCESS);
	stage_restart_unseen(&card.stage);
	card_free(&card);
}

Test(restart_adapters, driver_takes_its_adapter_over)
{
	Card card = card_new();
	World *world = card.world;
	char process[64];

	world_restart(world);
	take_over(&card);
	cr_assert_str_eq(complete_process(world, card.driver, card.adapter.system_process),
			 "STATUS_INVALID_DEVICE_STATE", "the system process is running");
	cr_assert_str_eq(reserve_range(world, card.driver, card.process, 2 * MIB, ""),
			 "STATUS_INVALID_DEVICE_STATE");
	cr_assert_str_eq(set_entry(world, card.driver, card.process, DRIVERS, "0x1000"), SUCCESS);
	cr_assert_str_eq(translate(world, card.driver, card.process, DRIVERS), "driverPageTable");
	cr_assert_str_eq(
		create_gpu_process(world, card.driver, &card.adapter, ",\"pid\":300", process),
		SUCCESS);
	cr_assert_str_eq(complete_process(world, card.driver, process), SUCCESS);
	cr_assert_str_eq(
		create_gpu_process(world, card.driver, &card.adapter, ",\"pid\":400", process),
		"STATUS_OBJECT_NAME_COLLISION");
	cr_assert_str_eq(
		callf(world, card.driver, DESTROY_PROCESS, "{\"process\":\"%s\"}", card.of_nobody),
		SUCCESS);
	cr_assert_str_eq(register_card(world, card.driver, "card", "9,9,9,9", 4),
			 "STATUS_OBJECT_NAME_COLLISION", "the adapter no longer waits");
	world->now += 2 * LIMIT_DRIVER_WAIT_SECONDS * SECOND;
	adapters_end_overdue(world->service.broker);
	cr_assert_eq(count_adapters(world, card.driver), 1u);
	broker_connection_closed(world->service.broker, card.driver);
	cr_assert_eq(count_adapters(world, card.driver), 0u,
		     "the adapter ends with its connection");
	stage_restart_unseen(&card.stage);
	card_free(&card);
}

Test(restart_adapters, adapter_ends_without_its_driver)
{
	Card card = card_new();
	World *world = card.world;
	Broker *broker;

	cr_assert_eq(adapters_next_deadline(world->service.broker), UINT64_MAX);
	world_restart(world);
	broker = world->service.broker;
	cr_assert_eq(adapters_next_deadline(broker),
		     world->now + LIMIT_DRIVER_WAIT_SECONDS * SECOND);
	world->now += LIMIT_DRIVER_WAIT_SECONDS * SECOND - 1;
	adapters_end_overdue(broker);
	cr_assert_eq(count_adapters(world, card.driver), 1u, "a microsecond before the deadline");
	world->now++;
	adapters_end_overdue(broker);
	cr_assert_eq(count_adapters(world, card.driver), 0u);
	cr_assert_eq(adapters_next_deadline(broker), UINT64_MAX);
	cr_assert_eq(world_last_event(world, EVENT_ADAPTER_REMOVED)->reason, END_DRIVER_GONE);
	cr_assert_eq(world_last_event(world, EVENT_UNREGISTERED)->reason,
		     END_LAST_VIRTUAL_GPU_REMOVED);
	cr_assert_str_eq(translate(world, card.driver, card.process, SHARED),
			 "STATUS_INVALID_HANDLE");
	cr_assert_null(world_record(world, card.adapter.adapter));
	stage_restart_unseen(&card.stage);
	cr_assert_str_eq(register_card(world, card.driver, "card", "9,9,9,9", 4), SUCCESS);
	cr_assert_not(was_restored(&card));
	card_free(&card);
}

/* A driver with another uid is another driver, even if it may register adapters. */
Test(restart_adapters, other_drivers_cannot_take_over)
{
	Card card = card_new();
	World *world = card.world;
	FakeProcess *process = world_process(world, 900, 1002);
	Caller *other;

	process_set_groups(process, 1002, 1, (gid_t[]){ WORLD_OPERATOR_GROUP });
	other = world_connect(world, process);
	world_restart(world);
	cr_assert_str_eq(register_card(world, other, "card", "9,9,9,9", 4),
			 "STATUS_OBJECT_NAME_COLLISION");
	cr_assert_str_eq(register_card(world, card.driver, "other card", "9,9,9,9", 4), SUCCESS);
	cr_assert_not(was_restored(&card));
	stage_restart_unseen(&card.stage);
	take_over(&card);
	cr_assert_str_eq(callf(world, other, UNREGISTER_ADAPTER, "{\"adapter\":\"%s\"}",
			       card.adapter.adapter),
			 SUCCESS, "any operator may unregister it");
	card_free(&card);
}

/* A driver may return with different hardware. */
Test(restart_adapters, different_adapter_replaces_the_old_one)
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
		Card card = card_new();
		World *world = card.world;

		world_restart(world);
		size_t ends = world_events(world, EVENT_ADAPTER_REMOVED);
		cr_assert_str_eq(register_card(world, card.driver, "card", rows[i].bits,
					       rows[i].max_virtual_gpus),
				 SUCCESS);
		cr_expect_eq(was_restored(&card), rows[i].is_same, "%zu", i);
		cr_expect_eq(strcmp(reply_string(world, "adapter"), card.adapter.adapter) == 0,
			     rows[i].is_same);
		cr_expect_eq(world_events(world, EVENT_ADAPTER_REMOVED) - ends, !rows[i].is_same);
		cr_expect_str_eq(translate(world, card.driver, card.process, SHARED),
				 rows[i].is_same ? "mapped" : "STATUS_INVALID_HANDLE");
		call(world, card.driver, LIST_ADAPTERS, NULL);
		cr_expect_eq(reply_count(world, "adapters"), 2u);
		cr_expect_eq(reply_number(world, "adapters[1].maxVirtualGpus"),
			     rows[i].max_virtual_gpus);
		stage_restart_unseen(&card.stage);
		card_free(&card);
	}
}

/* GPU processes that are not complete end. Their adapter and its vGPUs survive. */
Test(restart_adapters, incomplete_gpu_processes_end)
{
	Card card = card_new();
	World *world = card.world;
	char process[64], adapter[64], system_process[64];

	create_gpu_process(world, card.driver, &card.adapter, ",\"pid\":300", process);
	reserve_range(world, card.driver, process, 2 * MIB, "");
	cr_assert_str_eq(register_card(world, card.driver, "other card", "9,9,9,9", 4), SUCCESS);
	strcpy(adapter, reply_string(world, "adapter"));
	strcpy(system_process, reply_string(world, "systemProcess"));
	reserve_range(world, card.driver, system_process, 2 * MIB,
		      ",\"baseAddress\":\"" DRIVERS "\"");
	cr_assert_str_eq(callf(world, card.driver, ASSIGN,
			       "{\"virtualMachineGuid\":\"" GUID_A "\",\"adapter\":\"%s\"}",
			       adapter),
			 SUCCESS);
	world_restart(world);
	cr_assert_eq(world->report.drop_count, 0u);
	cr_assert_str_eq(translate(world, card.driver, process, DRIVERS), "STATUS_INVALID_HANDLE");
	cr_assert_str_eq(translate(world, card.driver, system_process, DRIVERS), "invalid");
	cr_assert_str_eq(register_card(world, card.driver, "other card", "9,9,9,9", 4), SUCCESS);
	cr_assert_not(was_restored(&card));
	cr_assert_str_eq(reply_string(world, "adapter"), adapter);
	cr_assert_str_eq(reply_string(world, "systemProcess"), system_process);
	cr_assert_str_eq(reserve_range(world, card.driver, system_process, 2 * MIB,
				       ",\"baseAddress\":\"" DRIVERS "\""),
			 SUCCESS);
	cr_assert_str_eq(complete_process(world, card.driver, system_process), SUCCESS);
	stage_restart_unseen(&card.stage);
	card_free(&card);
}

/* Driver entries lose their targets but still belong to the driver. All page tables are resident.
 */
Test(restart_adapters, page_tables_are_as_after_becoming_resident)
{
	Card card = card_new();
	World *world = card.world;
	Caller *drawing = card.stage.cast.stranger;
	char process[64];

	/* Set entries before and after the completion of a process. */
	create_gpu_process(world, card.driver, &card.adapter, ",\"pid\":300", process);
	reserve_range(world, card.driver, process, 8 * MIB,
		      ",\"baseAddress\":\"" SHARED "\",\"allowUserModeMapping\":true");
	set_entry(world, card.driver, process, SHARED, "0x1000");
	cr_assert_str_eq(complete_process(world, card.driver, process), SUCCESS);
	set_entry(world, card.driver, card.process, "0x18000400000", "0x1000");
	set_entry(world, card.driver, card.process, "0x18000400000", "0x2000");
	cr_assert_str_eq(translate(world, card.driver, card.process, "0x18000400000"),
			 "driverPageTable");
	table_call(world, card.driver, EVICT, card.process, STAGE_OWN);
	cr_assert_str_eq(translate(world, drawing, card.process, STAGE_OWN), "notResident");
	for (int i = 0; i < 2; i++) {
		world_restart(world);
		cr_assert_eq(world->report.drop_count, 0u);
		cr_assert_eq(world->report.restored[STORE_PAGE_TABLE_ENTRY], 2u);
		cr_assert_str_eq(translate(world, card.driver, process, SHARED), "reserved");
		cr_assert_str_eq(translate(world, card.driver, card.process, "0x18000400000"),
				 "reserved");
		cr_assert_str_eq(translate(world, drawing, card.process, STAGE_OWN), "mapped");
		cr_assert_str_eq(map(world, card.stage.cast.client, process, 4096, SHARED),
				 "STATUS_CONFLICTING_ADDRESSES");
		cr_assert_str_eq(map(world, drawing, card.process, 4096, "0x18000400000"),
				 "STATUS_CONFLICTING_ADDRESSES");
		cr_assert_str_eq(map(world, drawing, card.process, 4096, "0x18000600000"),
				 i ? "STATUS_CONFLICTING_ADDRESSES" : SUCCESS);
	}
	take_over(&card);
	cr_assert_str_eq(set_entry(world, card.driver, process, SHARED, "0x1000"), SUCCESS);
	stage_restart_unseen(&card.stage);
	card_free(&card);
}

Test(restart_adapters, gpu_process_of_a_dead_process_ends)
{
	Card card = card_new();
	World *world = card.world;

	world_kill(world, card.stage.cast.mallory);
	world_kill(world, card.stage.cast.vmm);
	world_restart(world);
	cr_assert_eq(stage_dropped(&card.stage, STORE_GPU_PROCESS, "its process is gone"), 1u);
	cr_assert_eq(stage_dropped(&card.stage, STORE_GPU_PROCESS, "its VM is gone"), 1u);
	cr_assert_eq(stage_dropped(&card.stage, STORE_CONTEXT, "its GPU process is gone"), 1u);
	stage_restart_unseen(&card.stage);
	take_over(&card);
	stage_restart_unseen(&card.stage);
	card_free(&card);
}

/* Returns the state before, after, and after the restart. The caller frees the pictures. */
static bool end_with_crash(size_t drops, char *ret_pictures[3])
{
	Card card = card_new();
	World *world = card.world;

	ret_pictures[0] = world_picture(world, card.driver);
	world->crashes = true;
	world->drops_before_crash = drops;
	cr_assert_str_eq(callf(world, card.driver, UNREGISTER_ADAPTER, "{\"adapter\":\"%s\"}",
			       card.adapter.adapter),
			 SUCCESS);
	bool was_interrupted = world->drops_before_crash == 0;
	ret_pictures[1] = world_picture(world, card.driver);
	world_restart(world);
	ret_pictures[2] = world_picture(world, card.driver);
	stage_restart_unseen(&card.stage);
	card_free(&card);
	return was_interrupted;
}

/* The record of the adapter is removed first, and everything on it depends on that record. */
Test(restart_adapters, interrupted_unregistration_is_atomic)
{
	bool was_interrupted = true;

	for (size_t drops = 0; was_interrupted; drops++) {
		char *pictures[3];

		was_interrupted = end_with_crash(drops, pictures);
		cr_expect_str_eq(pictures[2], pictures[drops > 0], "interrupted after %zu removals",
				 drops);
		for (size_t i = 0; i < ARRAY_SIZE(pictures); i++)
			free(pictures[i]);
	}
}

/* The adapter still waits for its driver. */
Test(restart_adapters, takeover_that_cannot_be_persisted_changes_nothing)
{
	Card card = card_new();
	World *world = card.world;

	world_restart(world);
	for (int is_other = 0; is_other < 2; is_other++) {
		char *before = world_picture(world, card.driver);

		world->refuse_keep = true;
		cr_assert_str_eq(register_card(world, card.driver, "card",
					       is_other ? "9,9,18" : "9,9,9,9", 9),
				 NOT_KEPT);
		world->refuse_keep = false;
		char *after = world_picture(world, card.driver);
		cr_assert_str_eq(before, after);
		free(before);
		free(after);
	}
	cr_assert_eq(adapters_next_deadline(world->service.broker),
		     world->now + LIMIT_DRIVER_WAIT_SECONDS * SECOND);
	take_over(&card);
	card_free(&card);
}

/* The daemon crashes after it saved the new adapter, but before it removed the old one. No client
 * knows the new one. */
Test(restart_adapters, interrupted_replacement_changes_nothing)
{
	Card card = card_new();
	World *world = card.world;

	world_restart(world);
	char *before = world_picture(world, card.driver);
	world->crashes = true;
	world->drops_before_crash = 0;
	cr_assert_str_eq(register_card(world, card.driver, "card", "9,9,18", 4), SUCCESS);
	world_restart(world);
	cr_assert_eq(world->report.drop_count, 1u);
	cr_assert_eq(
		stage_dropped(&card.stage, STORE_CLIENT_ADAPTER, "another adapter has its name"),
		1u);
	char *after = world_picture(world, card.driver);
	cr_assert_str_eq(before, after);
	take_over(&card);
	free(before);
	free(after);
	card_free(&card);
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
	  "\"isSystem\":true,\"process\":{\"key\":1", "its process is gone", STORE_GPU_PROCESS, 2 },
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
static void damage(World *world, const char *kind, const char *is, const char *becomes)
{
	char begin[64], *changed;

	snprintf(begin, sizeof(begin), "{\"kind\":\"%s\"", kind);
	for (size_t i = 0; i < world->kept_count; i++) {
		const char *text = world->kept[i].text, *at = strstr(text, is);

		if (strncmp(text, begin, strlen(begin)) != 0 || !at)
			continue;
		cr_assert(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, becomes,
				   at + strlen(is)) > 0);
		world_write_record(world, world->kept[i].serial, changed, strlen(changed));
		free(changed);
		return;
	}
	cr_assert_fail("no record of kind %s contains %s", kind, is);
}

Test(restart_adapters, invalid_record_is_dropped)
{
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		Card card = card_new();
		World *world = card.world;

		world_stop(world);
		damage(world, damages[i].kind, damages[i].is, damages[i].becomes);
		world_start(world);
		cr_expect_eq(stage_dropped(&card.stage, damages[i].dropped, damages[i].reason), 1u,
			     "%zu: dropped because %s", i, world->report.drops[0].reason);
		cr_expect_eq(world->report.drop_count, damages[i].total, "%zu: %zu were dropped", i,
			     world->report.drop_count);
		stage_restart_unseen(&card.stage);
		card_free(&card);
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
	Card card = card_new();
	World *world = card.world;
	const char *context = world_record(world, "{\"kind\":\"context\"");
	const char *system_process = world_record(world, "\"isSystem\":true");
	char is[64], becomes[64];

	snprintf(is, sizeof(is), "\"gpuProcess\":%lu", number_after(context, "\"gpuProcess\":"));
	snprintf(becomes, sizeof(becomes), "\"gpuProcess\":%lu",
		 number_after(system_process, "\"serial\":"));
	world_stop(world);
	damage(world, "context", is, becomes);
	world_start(world);
	cr_assert_eq(
		stage_dropped(&card.stage, STORE_CONTEXT, "its GPU process belongs to no process"),
		1u);
	cr_assert_eq(world->report.drop_count, 1u);
	stage_restart_unseen(&card.stage);
	card_free(&card);
}

/* The maximum for one process: 4096 reservations with an entry in each. */
Test(restart_adapters, all_driver_reservations_survive)
{
	Card card = card_new();
	World *world = card.world;
	uint64_t most = world->service.settings.limits.per_owner[LIMIT_DRIVER_RESERVATIONS];
	char process[64], address[32];

	create_gpu_process(world, card.driver, &card.adapter, "", process);
	for (uint64_t i = 0; i < most; i++) {
		cr_assert_str_eq(reserve_range(world, card.driver, process, 2 * MIB, ""), SUCCESS);
		strcpy(address, reply_string(world, "startVirtualAddress"));
		set_entry(world, card.driver, process, address, "0x1000");
	}
	cr_assert_str_eq(complete_process(world, card.driver, process), SUCCESS);
	world_restart(world);
	cr_assert_eq(world->report.drop_count, 0u);
	cr_assert_str_eq(translate(world, card.driver, process, address), "reserved");
	callf(world, card.driver, DESCRIBE_SPACE, "{\"process\":\"%s\"}", process);
	cr_assert_eq(reply_count(world, "ranges"), most + 1);
	take_over(&card);
	card_free(&card);
}
