/* SPDX-License-Identifier: MIT */
/* Proves that an operation that cannot be persisted changes nothing and charges nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/restart-stage.h"

TestSuite(keep_refused);

typedef struct Attempt {
	Stage stage;
	Caller *newcomer; /* a process of alice that has nothing yet */
	FakeAdapter adapter;
	char running[64]; /* a GPU process on another adapter */
} Attempt;

static const char *register_vm(Attempt *attempt)
{
	return call(attempt->stage.world, attempt->stage.cast.admin, REGISTER_MACHINE,
		    "{\"virtualMachineGuid\":\"" GUID_C "\",\"vmmPid\":800,\"agent\":{\"pid\":800},"
		    "\"displayClients\":[{\"user\":\"alice\"}]}");
}

static const char *update_vm(Attempt *attempt)
{
	return call(attempt->stage.world, attempt->stage.cast.admin, UPDATE_MACHINE,
		    "{\"virtualMachineGuid\":\"" GUID_B
		    "\",\"name\":\"other\",\"agent\":{\"pid\":800},"
		    "\"displayClients\":[{\"user\":\"bob\"}]}");
}

static const char *assign(Attempt *attempt)
{
	return call(attempt->stage.world, attempt->stage.cast.admin, ASSIGN, NAMES_A);
}

static const char *register_process(Attempt *attempt)
{
	return call(attempt->stage.world, attempt->newcomer, REGISTER, NAMES_A);
}

static const char *share_object(Attempt *attempt)
{
	Descriptor memory = sealed_memory(attempt->stage.world);

	return share(attempt->stage.world, attempt->stage.cast.machine, IMAGE, &memory, 1, NULL);
}

static const char *open_object(Attempt *attempt)
{
	return open_and_drop(attempt->stage.world, attempt->stage.cast.client, attempt->stage.fence,
			     NULL);
}

static const char *first_context(Attempt *attempt)
{
	return call(attempt->stage.world, attempt->newcomer, CREATE_CONTEXT, NULL);
}

static const char *next_context(Attempt *attempt)
{
	return call(attempt->stage.world, attempt->stage.cast.client, CREATE_CONTEXT, NULL);
}

static const char *reserve_some(Attempt *attempt)
{
	return reserve(attempt->stage.world, attempt->stage.cast.client, attempt->stage.gpu_process,
		       1u << 16, NULL);
}

static const char *map_some(Attempt *attempt)
{
	return map(attempt->stage.world, attempt->stage.cast.client, attempt->stage.gpu_process,
		   1u << 16, "0x20000000000");
}

static const char *free_of_mapping(Attempt *attempt)
{
	return free_addresses(attempt->stage.world, attempt->stage.cast.client,
			      attempt->stage.gpu_process, "0x20000012000", 4096);
}

/* Frees a part of the reservation, including the ends of two mappings. */
static const char *free_of_reservation(Attempt *attempt)
{
	return free_addresses(attempt->stage.world, attempt->stage.cast.client,
			      attempt->stage.gpu_process, "0x2000001f000", 0x3000);
}

static const char *register_adapter(Attempt *attempt)
{
	return call(attempt->stage.world, attempt->stage.cast.admin, REGISTER_ADAPTER,
		    "{\"name\":\"card\",\"virtualAddressBitCount\":48,"
		    "\"pageTableIndexBitCount\":[9,9,9,9]}");
}

/* Completes the system process of the adapter. */
static const char *complete(Attempt *attempt)
{
	return complete_process(attempt->stage.world, attempt->stage.cast.admin,
				attempt->adapter.system_process);
}

static const char *set_first_entry(Attempt *attempt)
{
	return set_entry(attempt->stage.world, attempt->stage.cast.admin, attempt->running,
			 STAGE_DRIVER, "0x1000");
}

/* All operations that save records. */
static const struct {
	const char *name;
	const char *(*run)(Attempt *attempt);
	size_t saves; /* number of records */
} operations[] = {
	{ "register a VM", register_vm, 1 },
	{ "update it", update_vm, 1 },
	{ "assign a vGPU", assign, 1 },
	{ "register", register_process, 1 },
	{ "share", share_object, 2 },
	{ "open", open_object, 1 },
	{ "first context", first_context, 2 },
	{ "next context", next_context, 1 },
	{ "reserve", reserve_some, 1 },
	{ "map", map_some, 1 },
	{ "free in a mapping", free_of_mapping, 2 },
	{ "free in a reservation", free_of_reservation, 4 },
	{ "register an adapter", register_adapter, 1 },
	{ "complete its process", complete, 1 },
	{ "set an entry", set_first_entry, 1 },
};

static void set_up_running(Attempt *attempt)
{
	World *world = attempt->stage.world;
	Caller *driver = attempt->stage.cast.admin;
	FakeAdapter adapter = fake_running_adapter(world, driver, "9,9,9,9");

	create_gpu_process(world, driver, &adapter, "", attempt->running);
	reserve_range(world, driver, attempt->running, 4u << 20,
		      ",\"baseAddress\":\"" STAGE_DRIVER "\"");
	complete_process(world, driver, attempt->running);
}

static Attempt attempt_new(void)
{
	Attempt attempt = { .stage = stage_new() };
	FakeProcess *process = world_process(attempt.stage.world, 800, 1000);

	process_set_context(process, GRAPHICS_CONTEXT_DRM);
	attempt.newcomer = world_connect(attempt.stage.world, process);
	attempt.adapter = fake_adapter(attempt.stage.world, attempt.stage.cast.admin, "9,9,9,9");
	set_up_running(&attempt);
	return attempt;
}

/* Refuses each record of each operation in turn. */
Test(keep_refused, refused_operation_changes_nothing)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		Attempt attempt = attempt_new();
		World *world = attempt.stage.world;
		size_t descriptors = world_open_descriptors(world), records = world->kept_count;
		size_t events = world->event_count;

		for (size_t allowed = 0; allowed < operations[i].saves; allowed++) {
			char *before = world_picture(world, attempt.stage.cast.admin);

			world->refuse_keep = true;
			world->keeps_before_refusal = allowed;
			cr_assert_str_eq(operations[i].run(&attempt), NOT_KEPT, "%s after %zu",
					 operations[i].name, allowed);
			cr_assert_not_null(strstr(reply_string(world, "message"), "restart"));
			world->refuse_keep = false;
			char *after = world_picture(world, attempt.stage.cast.admin);
			cr_assert_str_eq(before, after, "%s after %zu", operations[i].name,
					 allowed);
			cr_assert_eq(world->kept_count, records, "%s", operations[i].name);
			cr_assert_eq(world_open_descriptors(world), descriptors);
			cr_assert_eq(world->event_count, events, "there is no event");
			free(before);
			free(after);
		}
		size_t saves = world->keeps;
		cr_assert_str_eq(operations[i].run(&attempt), SUCCESS, "%s", operations[i].name);
		cr_assert_eq(world->keeps - saves, operations[i].saves, "%s saves %zu records",
			     operations[i].name, world->keeps - saves);
		stage_restart_unseen(&attempt.stage);
		stage_free(&attempt.stage);
	}
}

Test(keep_refused, refused_registration_displaces_no_vm)
{
	Attempt attempt = attempt_new();
	World *world = attempt.stage.world;

	world->service.settings.allow_user_machines = true;
	cr_assert_str_eq(call(world, attempt.newcomer, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_C "\"}"),
			 SUCCESS);
	char *before = world_picture(world, attempt.stage.cast.admin);
	world->refuse_keep = true;
	cr_assert_str_eq(register_vm(&attempt), NOT_KEPT);
	world->refuse_keep = false;
	char *after = world_picture(world, attempt.stage.cast.admin);
	cr_assert_str_eq(before, after);
	cr_assert_str_eq(register_vm(&attempt), SUCCESS);
	stage_restart_unseen(&attempt.stage);
	free(before);
	free(after);
	stage_free(&attempt.stage);
}

Test(keep_refused, full_fd_store)
{
	Attempt attempt = attempt_new();
	World *world = attempt.stage.world;
	char *before = world_picture(world, attempt.stage.cast.admin);

	world->refuse_keep_descriptor = true;
	cr_assert_str_eq(share_object(&attempt), NOT_KEPT);
	cr_assert_not_null(strstr(reply_string(world, "message"), "descriptor store"));
	char *after = world_picture(world, attempt.stage.cast.admin);
	cr_assert_str_eq(before, after);
	free(before);
	free(after);
	stage_free(&attempt.stage);
}

/* Opening an object whose memory has grown saves the new size first. */
Test(keep_refused, grown_memory)
{
	Attempt attempt = attempt_new();
	World *world = attempt.stage.world;
	Descriptor memory = sealed_memory(world);
	char handle[64];

	world_descriptor_of(world, memory)->facts.size_is_sealed = false;
	share(world, attempt.stage.cast.machine, IMAGE, &memory, 1, handle);
	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++)
		if (world->descriptors[i].open && !world->descriptors[i].facts.size_is_sealed)
			world->descriptors[i].facts.size += 5u << 20;
	char *before = world_picture(world, attempt.stage.cast.admin);
	world->refuse_keep = true;
	cr_assert_str_eq(open_and_drop(world, attempt.stage.cast.client, handle, NULL), NOT_KEPT);
	world->refuse_keep = false;
	char *after = world_picture(world, attempt.stage.cast.admin);
	cr_assert_str_eq(before, after);
	cr_assert_str_eq(open_and_drop(world, attempt.stage.cast.client, handle, NULL), SUCCESS);
	stage_restart_unseen(&attempt.stage);
	free(before);
	free(after);
	stage_free(&attempt.stage);
}

/* A removal needs no record, so it always succeeds. */
Test(keep_refused, removals_succeed)
{
	Stage stage = stage_new();
	World *world = stage.world;
	Caller *client = stage.cast.client, *admin = stage.cast.admin;

	world->refuse_keep = true;
	cr_assert_str_eq(free_addresses(world, client, stage.gpu_process, STAGE_MAPPING, 4096),
			 SUCCESS);
	cr_assert_str_eq(with_handle(world, client, CLOSE, stage.taken_back), SUCCESS);
	cr_assert_str_eq(with_handle(world, stage.cast.machine, UNSHARE, stage.image), SUCCESS);
	cr_assert_str_eq(call(world, client, UNREGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(
		callf(world, admin, REVOKE, "{\"virtualMachineGuid\":\"" GUID_B "\",\"pid\":400}"),
		SUCCESS);
	cr_assert_str_eq(
		callf(world, client, DESTROY_CONTEXT, "{\"context\":\"%s\"}", stage.context),
		SUCCESS);
	cr_assert_str_eq(callf(world, admin, REMOVE, "{\"virtualGpu\":\"%s\"}", stage.virtual_gpu),
			 SUCCESS);
	cr_assert_str_eq(call(world, client, REGISTER, NAMES_A), NOT_KEPT);
	world->refuse_keep = false;
	stage_restart_unseen(&stage);
	world->refuse_keep = true;
	cr_assert_str_eq(call(world, admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
	world->refuse_keep = false;
	stage_restart_unseen(&stage);
	stage_free(&stage);
}
