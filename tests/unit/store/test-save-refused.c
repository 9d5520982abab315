/* SPDX-License-Identifier: MIT */
/* Proves that an operation that cannot be persisted changes nothing and charges nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/restart-stage.h"

typedef struct Attempt {
	Stage stage;
	Caller *newcomer; /* a process of alice that has nothing yet */
	FakeAdapter adapter;
	char running[64]; /* a GPU process on another adapter */
} Attempt;

static Attempt attempt;

static const char *register_vm(void)
{
	return call(attempt.stage.fake_host, attempt.stage.fixture.admin, REGISTER_MACHINE,
		    "{\"virtualMachineGuid\":\"" GUID_C "\",\"vmmPid\":800,\"agent\":{\"pid\":800},"
		    "\"displayClients\":[{\"user\":\"alice\"}]}");
}

static const char *update_vm(void)
{
	return call(attempt.stage.fake_host, attempt.stage.fixture.admin, UPDATE_MACHINE,
		    "{\"virtualMachineGuid\":\"" GUID_B
		    "\",\"name\":\"other\",\"agent\":{\"pid\":800},"
		    "\"displayClients\":[{\"user\":\"bob\"}]}");
}

static const char *assign(void)
{
	return call(attempt.stage.fake_host, attempt.stage.fixture.admin, ASSIGN, NAMES_A);
}

static const char *register_process(void)
{
	return call(attempt.stage.fake_host, attempt.newcomer, REGISTER, NAMES_A);
}

static const char *share_object(void)
{
	int memory = sealed_memory(attempt.stage.fake_host);

	return share(attempt.stage.fake_host, attempt.stage.fixture.machine, IMAGE, &memory, 1,
		     NULL);
}

static const char *open_object(void)
{
	return open_and_close_fds(attempt.stage.fake_host, attempt.stage.fixture.client,
				  attempt.stage.fence, NULL);
}

static const char *first_context(void)
{
	return call(attempt.stage.fake_host, attempt.newcomer, CREATE_CONTEXT, NULL);
}

static const char *next_context(void)
{
	return call(attempt.stage.fake_host, attempt.stage.fixture.client, CREATE_CONTEXT, NULL);
}

static const char *reserve_some(void)
{
	return reserve(attempt.stage.fake_host, attempt.stage.fixture.client,
		       attempt.stage.gpu_process, 1u << 16, NULL);
}

static const char *map_some(void)
{
	return map(attempt.stage.fake_host, attempt.stage.fixture.client, attempt.stage.gpu_process,
		   1u << 16, "0x20000000000");
}

static const char *free_of_mapping(void)
{
	return free_addresses(attempt.stage.fake_host, attempt.stage.fixture.client,
			      attempt.stage.gpu_process, "0x20000012000", 4096);
}

/* Frees a part of the reservation, including the ends of two mappings. */
static const char *free_of_reservation(void)
{
	return free_addresses(attempt.stage.fake_host, attempt.stage.fixture.client,
			      attempt.stage.gpu_process, "0x2000001f000", 0x3000);
}

static const char *register_adapter(void)
{
	return call(attempt.stage.fake_host, attempt.stage.fixture.admin, REGISTER_ADAPTER,
		    "{\"name\":\"card\",\"virtualAddressBitCount\":48,"
		    "\"pageTableIndexBitCount\":[9,9,9,9]}");
}

/* Completes the system process of the adapter. */
static const char *complete(void)
{
	return complete_process(attempt.stage.fake_host, attempt.stage.fixture.admin,
				attempt.adapter.system_process);
}

static const char *set_first_entry(void)
{
	return set_entry(attempt.stage.fake_host, attempt.stage.fixture.admin, attempt.running,
			 STAGE_DRIVER, "0x1000");
}

/* All operations that save persisted records. */
static const struct {
	const char *name;
	const char *(*run)(void);
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

static void set_up_running(void)
{
	FakeHost *fake_host = attempt.stage.fake_host;
	Caller *driver = attempt.stage.fixture.admin;
	FakeAdapter adapter = fake_running_adapter(fake_host, driver, "9,9,9,9");

	create_gpu_process(fake_host, driver, &adapter, "", attempt.running);
	reserve_range(fake_host, driver, attempt.running, 4u << 20,
		      ",\"baseAddress\":\"" STAGE_DRIVER "\"");
	complete_process(fake_host, driver, attempt.running);
}

static void set_up(void)
{
	attempt.stage = stage_new();
	FakeProcess *process = fake_host_process(attempt.stage.fake_host, 800, 1000);

	process_set_context(process, GRAPHICS_CONTEXT_DRM);
	attempt.newcomer = fake_host_connect(attempt.stage.fake_host, process);
	attempt.adapter =
		fake_adapter(attempt.stage.fake_host, attempt.stage.fixture.admin, "9,9,9,9");
	set_up_running();
}

static void tear_down(void)
{
	stage_free(&attempt.stage);
}

TestSuite(save_refused, .init = set_up, .fini = tear_down);

/* Refuses each record of each operation in turn. */
Test(save_refused_repeated, refused_operation_changes_nothing)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		set_up();
		FakeHost *fake_host = attempt.stage.fake_host;
		size_t fds = fake_host_open_fds(fake_host), records = fake_host->persisted_count;
		size_t events = fake_host->event_count;

		for (size_t allowed = 0; allowed < operations[i].saves; allowed++) {
			char *before = fake_host_snapshot(fake_host, attempt.stage.fixture.admin);

			fake_host->refuse_persist = true;
			fake_host->persists_before_refusal = allowed;
			cr_assert_str_eq(operations[i].run(), NOT_PERSISTED, "%s after %zu",
					 operations[i].name, allowed);
			cr_assert_not_null(strstr(reply_string(fake_host, "message"), "restart"));
			fake_host->refuse_persist = false;
			char *after = fake_host_snapshot(fake_host, attempt.stage.fixture.admin);
			cr_assert_str_eq(before, after, "%s after %zu", operations[i].name,
					 allowed);
			cr_assert_eq(fake_host->persisted_count, records, "%s", operations[i].name);
			cr_assert_eq(fake_host_open_fds(fake_host), fds);
			cr_assert_eq(fake_host->event_count, events, "there is no event");
			free(before);
			free(after);
		}
		size_t saves = fake_host->persist_calls;
		cr_assert_str_eq(operations[i].run(), SUCCESS, "%s", operations[i].name);
		cr_assert_eq(fake_host->persist_calls - saves, operations[i].saves,
			     "%s saves %zu records", operations[i].name,
			     fake_host->persist_calls - saves);
		stage_restart_unchanged(&attempt.stage);
		tear_down();
	}
}

Test(save_refused, refused_registration_displaces_no_vm)
{
	FakeHost *fake_host = attempt.stage.fake_host;

	fake_host->service.settings.allow_user_machines = true;
	cr_assert_str_eq(call(fake_host, attempt.newcomer, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_C "\"}"),
			 SUCCESS);
	char *before = fake_host_snapshot(fake_host, attempt.stage.fixture.admin);
	fake_host->refuse_persist = true;
	cr_assert_str_eq(register_vm(), NOT_PERSISTED);
	fake_host->refuse_persist = false;
	char *after = fake_host_snapshot(fake_host, attempt.stage.fixture.admin);
	cr_assert_str_eq(before, after);
	cr_assert_str_eq(register_vm(), SUCCESS);
	stage_restart_unchanged(&attempt.stage);
	free(before);
	free(after);
}

Test(save_refused, full_fd_store)
{
	FakeHost *fake_host = attempt.stage.fake_host;
	char *before = fake_host_snapshot(fake_host, attempt.stage.fixture.admin);

	fake_host->refuse_fdstore_add = true;
	cr_assert_str_eq(share_object(), NOT_PERSISTED);
	cr_assert_not_null(strstr(reply_string(fake_host, "message"), "descriptor store"));
	char *after = fake_host_snapshot(fake_host, attempt.stage.fixture.admin);
	cr_assert_str_eq(before, after);
	free(before);
	free(after);
}

/* Opening an object whose memory has grown saves the new size first. */
Test(save_refused, grown_memory)
{
	FakeHost *fake_host = attempt.stage.fake_host;
	int memory = sealed_memory(fake_host);
	char handle[64];

	fake_host_fd_of(fake_host, memory)->facts.size_is_sealed = false;
	share(fake_host, attempt.stage.fixture.machine, IMAGE, &memory, 1, handle);
	for (size_t i = 0; i < FAKE_HOST_FD_MAX; i++)
		if (fake_host->fds[i].open && !fake_host->fds[i].facts.size_is_sealed)
			fake_host->fds[i].facts.size += 5u << 20;
	char *before = fake_host_snapshot(fake_host, attempt.stage.fixture.admin);
	fake_host->refuse_persist = true;
	cr_assert_str_eq(open_and_close_fds(fake_host, attempt.stage.fixture.client, handle, NULL),
			 NOT_PERSISTED);
	fake_host->refuse_persist = false;
	char *after = fake_host_snapshot(fake_host, attempt.stage.fixture.admin);
	cr_assert_str_eq(before, after);
	cr_assert_str_eq(open_and_close_fds(fake_host, attempt.stage.fixture.client, handle, NULL),
			 SUCCESS);
	stage_restart_unchanged(&attempt.stage);
	free(before);
	free(after);
}

/* A removal needs no record, so it always succeeds. */
Test(save_refused_removals, removals_succeed)
{
	Stage stage = stage_new();
	FakeHost *fake_host = stage.fake_host;
	Caller *client = stage.fixture.client, *admin = stage.fixture.admin;

	fake_host->refuse_persist = true;
	cr_assert_str_eq(free_addresses(fake_host, client, stage.gpu_process, STAGE_MAPPING, 4096),
			 SUCCESS);
	cr_assert_str_eq(with_handle(fake_host, client, CLOSE, stage.taken_back), SUCCESS);
	cr_assert_str_eq(with_handle(fake_host, stage.fixture.machine, UNSHARE, stage.image),
			 SUCCESS);
	cr_assert_str_eq(call(fake_host, client, UNREGISTER, NAMES_A), SUCCESS);
	cr_assert_str_eq(callf(fake_host, admin, REVOKE,
			       "{\"virtualMachineGuid\":\"" GUID_B "\",\"pid\":400}"),
			 SUCCESS);
	cr_assert_str_eq(
		callf(fake_host, client, DESTROY_CONTEXT, "{\"context\":\"%s\"}", stage.context),
		SUCCESS);
	cr_assert_str_eq(
		callf(fake_host, admin, REMOVE, "{\"virtualGpu\":\"%s\"}", stage.virtual_gpu),
		SUCCESS);
	cr_assert_str_eq(call(fake_host, client, REGISTER, NAMES_A), NOT_PERSISTED);
	fake_host->refuse_persist = false;
	stage_restart_unchanged(&stage);
	fake_host->refuse_persist = true;
	cr_assert_str_eq(call(fake_host, admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
	fake_host->refuse_persist = false;
	stage_restart_unchanged(&stage);
	stage_free(&stage);
}
