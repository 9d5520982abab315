/* SPDX-License-Identifier: MIT */
/* GPU processes: how they come, are undone, and go with what they are for. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fake-gpu.h"

TestSuite(gpu_processes);

#define MIB (UINT64_C(1) << 20)

/* --- a driver inside the daemon that fails --------------------------------------------------- */

typedef struct FailingDriver {
	int reservations; /* before it gives up */
	NTSTATUS status;
	int destroyed;
} FailingDriver;

static NTSTATUS fail_to_create(const void *self, const DriverCallbacks *callbacks,
			       GpuProcess *gpu_process, Failure *failure)
{
	const FailingDriver *driver = self;
	const DriverReservation reservation = { .size = 2 * MIB };
	uint64_t address;

	for (int i = 0; i < driver->reservations; i++)
		cr_assert_eq(callbacks->reserve_gpu_virtual_address_range(callbacks->broker,
									  gpu_process, &reservation,
									  &address, failure),
			     STATUS_SUCCESS);
	return failure_set(failure, driver->status, "driver", "the driver cannot");
}

static void count_destroyed(const void *self, GpuProcess *gpu_process)
{
	(void)gpu_process;
	((FailingDriver *)self)->destroyed++;
}

static const Driver failing_driver = { "failing", fail_to_create, count_destroyed };

Test(gpu_processes, a_creation_that_fails_is_undone_whole)
{
	FailingDriver driver = { .reservations = 3, .status = STATUS_NOT_SUPPORTED };
	Cast cast = cast_new_quiet();
	World *world = cast.world;
	Adapter *adapter = adapter_software(world->service.broker);
	const Driver *former = adapter->driver;
	const void *former_self = adapter->driver_self;

	adapter->driver = &failing_driver;
	adapter->driver_self = &driver;
	cr_assert_str_eq(call(world, cast.client, CREATE_CONTEXT, NULL), "STATUS_NOT_SUPPORTED");
	cr_assert_str_eq(reply_string(world, "message"), "the driver cannot");
	adapter->driver = former;
	adapter->driver_self = former_self;
	cr_assert_not(cast.viewer->watched);
	cr_assert_eq(driver.destroyed, 0, "it has made none");
	cr_assert_eq(world_events(world, EVENT_GPU_PROCESS_REMOVED), 0u, "nobody ever knew it");
	cr_assert_eq(accounts_used(&world->service.broker->accounts, 1000, LIMIT_GPU_PROCESSES),
		     0u);
	cr_assert_eq(accounts_used(&world->service.broker->accounts, 1000, LIMIT_CONTEXTS), 0u);
	cr_assert_eq(
		accounts_used(&world->service.broker->accounts, 1000, LIMIT_DRIVER_RESERVATIONS),
		0u);
	call(world, cast.admin, LIST_PROCESSES, NULL);
	cr_assert_eq(reply_count(world, "processes"), 1u, "the software adapter's own");
	cast_free(&cast);
}

/* --- the software adapter -------------------------------------------------------------------- */

Test(gpu_processes, the_software_adapter_reserves_what_the_configuration_lists)
{
	char process[64];
	Cast cast = cast_new_quiet();
	World *world = cast.world;
	ConfiguredReservations *reservations =
		&world->service.settings.software_adapter.of_processes;

	reservations->items[0] = (DriverReservation){ .size = 4 * MIB };
	reservations->items[1] = (DriverReservation){
		.size = 2 * MIB,
		.base_address = UINT64_C(0x10000000000),
		.allow_user_mode_mapping = true,
	};
	reservations->count = 2;
	world_reload(world);
	call(world, cast.client, CREATE_CONTEXT, NULL);
	strcpy(process, reply_string(world, "process"));
	callf(world, cast.client, DESCRIBE_SPACE, "{\"process\":\"%s\"}", process);
	cr_assert_eq(reply_count(world, "ranges"), 3u);
	cr_assert_str_eq(reply_string(world, "ranges[1].kind"), "driverReservation");
	cr_assert_str_eq(reply_string(world, "ranges[1].startVirtualAddress"), "0x8000000000");
	cr_assert_str_eq(reply_string(world, "ranges[2].startVirtualAddress"), "0x10000000000");
	cr_assert_str_eq(map(world, cast.client, process, 4096, "0x10000000000"), "STATUS_SUCCESS");
	cr_assert_str_eq(map(world, cast.client, process, 4096, "0x8000000000"),
			 "STATUS_CONFLICTING_ADDRESSES");
	cast_free(&cast);
}

Test(gpu_processes, the_software_adapter_is_always_there)
{
	char adapter[64];
	Cast cast = cast_new_quiet();
	World *world = cast.world;

	call(world, cast.stranger, LIST_ADAPTERS, NULL);
	strcpy(adapter, reply_string(world, "adapters[0].adapter"));
	cr_assert_str_eq(reply_string(world, "adapters[0].source"), "software");
	cr_assert_str_eq(reply_string(world, "adapters[0].driver"), "software");
	cr_assert_eq(strlen(reply_string(world, "adapters[0].systemProcess")), 32u);
	cr_assert_str_eq(
		callf(world, cast.admin, UNREGISTER_ADAPTER, "{\"adapter\":\"%s\"}", adapter),
		"STATUS_NOT_SUPPORTED");
	cr_assert_str_eq(callf(world, cast.admin, CREATE_PROCESS, "{\"adapter\":\"%s\"}", adapter),
			 "STATUS_ACCESS_DENIED", "its driver is no connection");
	cast_free(&cast);
}

/* --- drivers on connections ------------------------------------------------------------------ */

Test(gpu_processes, until_the_system_process_is_completed_no_other_is_created)
{
	char process[64];
	Cast cast = cast_new_quiet();
	World *world = cast.world;
	FakeAdapter adapter = fake_adapter(world, cast.admin, "9,9,9,9");

	cr_assert_str_eq(create_gpu_process(world, cast.admin, &adapter, "", process),
			 "STATUS_INVALID_DEVICE_STATE");
	cr_assert_str_eq(
		callf(world, cast.client, CREATE_CONTEXT, "{\"adapter\":\"%s\"}", adapter.adapter),
		"STATUS_INVALID_DEVICE_STATE");
	complete_process(world, cast.admin, adapter.system_process);
	cr_assert_str_eq(create_gpu_process(world, cast.admin, &adapter, "", process),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(callf(world, cast.admin, DESTROY_PROCESS, "{\"process\":\"%s\"}",
			       adapter.system_process),
			 "STATUS_NOT_SUPPORTED");
	cast_free(&cast);
}

Test(gpu_processes, a_context_attaches_to_the_process_that_the_driver_made)
{
	char process[64], member[96];
	Cast cast = cast_new_quiet();
	World *world = cast.world;
	FakeAdapter adapter = fake_running_adapter(world, cast.admin, "9,9,9,9");

	snprintf(member, sizeof(member), "{\"adapter\":\"%s\"}", adapter.adapter);
	cr_assert_str_eq(call(world, cast.client, CREATE_CONTEXT, member), "STATUS_NOT_SUPPORTED");
	create_gpu_process(world, cast.admin, &adapter, ",\"pid\":300,\"name\":\"viewer\"",
			   process);
	cr_assert_str_eq(call(world, cast.client, CREATE_CONTEXT, member),
			 "STATUS_INVALID_DEVICE_STATE");
	cr_assert_str_eq(map(world, cast.client, process, 4096, NULL),
			 "STATUS_INVALID_DEVICE_STATE");
	complete_process(world, cast.admin, process);
	cr_assert_str_eq(call(world, cast.client, CREATE_CONTEXT, member), "STATUS_SUCCESS");
	cr_assert_str_eq(reply_string(world, "process"), process);
	call(world, cast.client, LIST_PROCESSES, NULL);
	cr_assert_eq(reply_count(world, "processes"), 1u);
	cr_assert_str_eq(reply_string(world, "processes[0].name"), "viewer");
	cr_assert_str_eq(reply_string(world, "processes[0].state"), "running");
	cr_assert_eq(reply_number(world, "processes[0].pid"), 300u);
	cr_assert_eq(reply_number(world, "processes[0].contexts"), 1u);
	cr_assert_eq(reply_number(world, "processes[0].ranges"), 1u);
	cast_free(&cast);
}

Test(gpu_processes, all_goes_with_the_connection_of_the_driver)
{
	char process[64], creating[64], virtual_gpu[160];
	Cast cast = cast_new();
	World *world = cast.world;
	Caller *driver = world_connect(world, cast.root);
	FakeAdapter adapter = fake_running_adapter(world, driver, "9,9,9,9");

	create_gpu_process(world, driver, &adapter, ",\"pid\":300", process);
	complete_process(world, driver, process);
	create_gpu_process(world, driver, &adapter, "", creating);
	reserve_range(world, driver, creating, 2 * MIB, "");
	snprintf(virtual_gpu, sizeof(virtual_gpu),
		 "{\"virtualMachineGuid\":\"" GUID_A "\",\"adapter\":\"%s\"}", adapter.adapter);
	cr_assert_str_eq(call(world, cast.admin, ASSIGN, virtual_gpu), "STATUS_SUCCESS");
	world_disconnect(world, driver);
	cr_assert_str_eq(map(world, cast.client, process, 4096, NULL), "STATUS_INVALID_HANDLE");
	cr_assert_eq(world_events(world, EVENT_GPU_PROCESS_REMOVED), 3u);
	cr_assert_eq(world_last_event(world, EVENT_GPU_PROCESS_REMOVED)->reason,
		     END_ADAPTER_REMOVED);
	cr_assert_eq(world_last_event(world, EVENT_ADAPTER_REMOVED)->reason, END_DRIVER_GONE);
	cr_assert_eq(world_last_event(world, EVENT_VIRTUAL_GPU_REMOVED)->reason,
		     END_ADAPTER_REMOVED);
	call(world, cast.admin, DESCRIBE, NAMES_A);
	cr_assert_eq(reply_count(world, "virtualMachine.virtualGpus"), 1u,
		     "that on the software adapter");
	cast_free(&cast);
}

Test(gpu_processes, one_goes_with_its_host_process_and_with_its_vm)
{
	char of_viewer[64], of_machine[64];
	Cast cast = cast_new();
	World *world = cast.world;
	FakeAdapter adapter = fake_running_adapter(world, cast.admin, "9,9,9,9");

	create_gpu_process(world, cast.admin, &adapter, ",\"pid\":300", of_viewer);
	create_gpu_process(world, cast.admin, &adapter, ",\"virtualMachineGuid\":\"" GUID_A "\"",
			   of_machine);
	cr_assert_str_eq(create_gpu_process(world, cast.admin, &adapter,
					    ",\"virtualMachineGuid\":\"" GUID_B "\"", of_viewer),
			 "STATUS_NOT_FOUND");
	world_exit(world, cast.viewer);
	cr_assert_eq(world_last_event(world, EVENT_GPU_PROCESS_REMOVED)->reason,
		     END_PROCESS_EXITED);
	call(world, cast.admin, UNREGISTER_MACHINE, NAMES_A);
	cr_assert_eq(world_last_event(world, EVENT_GPU_PROCESS_REMOVED)->reason,
		     END_VM_UNREGISTERED);
	cr_assert_str_eq(complete_process(world, cast.admin, of_machine), "STATUS_INVALID_HANDLE");
	cast_free(&cast);
}

Test(gpu_processes, a_pid_has_one_on_an_adapter)
{
	char process[64];
	Cast cast = cast_new_quiet();
	World *world = cast.world;
	FakeAdapter adapter = fake_running_adapter(world, cast.admin, "9,9,9,9");

	cr_assert_str_eq(create_gpu_process(world, cast.admin, &adapter, ",\"pid\":300", process),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(create_gpu_process(world, cast.admin, &adapter, ",\"pid\":300", process),
			 "STATUS_OBJECT_NAME_COLLISION");
	cr_assert_str_eq(create_gpu_process(world, cast.admin, &adapter, ",\"pid\":99999", process),
			 "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(reply_string(world, "parameter"), "pid");
	cast_free(&cast);
}

/* --- adapters -------------------------------------------------------------------------------- */

Test(gpu_processes, adapters_say_what_is_wrong_with_them)
{
	static const struct {
		const char *parameters, *status, *parameter;
	} rows[] = {
		{ "\"name\":\"\",\"virtualAddressBitCount\":48,\"pageTableIndexBitCount\":[9,9,9,"
		  "9]",
		  "STATUS_INVALID_PARAMETER", "name" },
		{ "\"name\":\"x\",\"virtualAddressBitCount\":47,"
		  "\"pageTableIndexBitCount\":[9,9,9,9]",
		  "STATUS_INVALID_PARAMETER", "virtualAddressBitCount" },
		{ "\"name\":\"x\",\"virtualAddressBitCount\":21,\"pageTableIndexBitCount\":[9]",
		  "STATUS_INVALID_PARAMETER", "pageTableIndexBitCount" },
		{ "\"name\":\"x\",\"virtualAddressBitCount\":21,\"pageTableIndexBitCount\":[9,0]",
		  "STATUS_INVALID_PARAMETER", "pageTableIndexBitCount[1]" },
		{ "\"name\":\"x\",\"virtualAddressBitCount\":21,"
		  "\"pageTableIndexBitCount\":[\"9\"]",
		  "STATUS_INVALID_PARAMETER", "pageTableIndexBitCount[0]" },
		{ "\"name\":\"x\",\"virtualAddressBitCount\":60,"
		  "\"pageTableIndexBitCount\":[24,24]",
		  "STATUS_INVALID_PARAMETER", "pageTableIndexBitCount" },
		{ "\"name\":\"x\",\"virtualAddressBitCount\":19,"
		  "\"pageTableIndexBitCount\":[1,1,1,1,1,1,1]",
		  "STATUS_INVALID_PARAMETER", "pageTableIndexBitCount" },
		{ "\"name\":\"vaild software adapter\",\"virtualAddressBitCount\":48,"
		  "\"pageTableIndexBitCount\":[9,9,9,9]",
		  "STATUS_OBJECT_NAME_COLLISION", "" },
		{ "\"name\":\"x\",\"virtualAddressBitCount\":57,"
		  "\"pageTableIndexBitCount\":[9,9,9,9,9]",
		  "STATUS_SUCCESS", "" },
		{ "\"name\":\"x\",\"virtualAddressBitCount\":14,\"pageTableIndexBitCount\":[1,1]",
		  "STATUS_OBJECT_NAME_COLLISION", "" },
		{ "\"name\":\"y\",\"virtualAddressBitCount\":14,\"pageTableIndexBitCount\":[1,1]",
		  "STATUS_SUCCESS", "" },
	};
	Cast cast = cast_new_quiet();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_str_eq(
			callf(cast.world, cast.admin, REGISTER_ADAPTER, "{%s}", rows[i].parameters),
			rows[i].status, "%s", rows[i].parameters);
		cr_assert_str_eq(reply_string(cast.world, "parameter"), rows[i].parameter, "%s",
				 rows[i].parameters);
	}
	cr_assert_str_eq(
		callf(cast.world, cast.stranger, REGISTER_ADAPTER, "{%s}", rows[8].parameters),
		"STATUS_ACCESS_DENIED");
	cast_free(&cast);
}

Test(gpu_processes, a_dead_driver_changes_nothing)
{
	char process[64];
	Cast cast = cast_new_quiet();
	World *world = cast.world;
	FakeAdapter adapter = fake_running_adapter(world, cast.admin, "9,9,9,9");

	create_gpu_process(world, cast.admin, &adapter, ",\"pid\":300", process);
	world_kill(world, cast.root);
	cr_assert_str_eq(reserve_range(world, cast.admin, process, 2 * MIB, ""),
			 "STATUS_PROCESS_IS_TERMINATING");
	cr_assert_str_eq(complete_process(world, cast.admin, process),
			 "STATUS_PROCESS_IS_TERMINATING");
	world_kill(world, cast.viewer);
	cr_assert_str_eq(map(world, cast.client, process, 4096, NULL),
			 "STATUS_PROCESS_IS_TERMINATING");
	cast_free(&cast);
}

Test(gpu_processes, a_base_that_is_given_is_exact_and_an_offset_needs_an_allocation)
{
	char process[64];
	Cast cast = cast_new_quiet();
	World *world = cast.world;

	call(world, cast.client, CREATE_CONTEXT, NULL);
	strcpy(process, reply_string(world, "process"));
	cr_assert_str_eq(map(world, cast.client, process, 4096, "0x0"), "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(reply_string(world, "parameter"), "baseAddress");
	cr_assert_str_eq(reserve(world, cast.client, process, 65536, "0x0"),
			 "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(callf(world, cast.client, MAP_ADDRESS,
			       "{\"process\":\"%s\",\"sizeInBytes\":4096,"
			       "\"protection\":\"zero\",\"offsetInBytes\":4096}",
			       process),
			 "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(reply_string(world, "parameter"), "offsetInBytes");
	cast_free(&cast);
}

/* --- lists of ranges ------------------------------------------------------------------------- */

/* Sends the request, and takes the first reply of its stream alone. */
static void begin_stream(Session *session, World *world, Caller *caller, const char *process,
			 Buffer *out)
{
	char request[256], filler[LIMIT_UNREAD_PAUSE - 1];

	memset(filler, 'x', sizeof(filler));
	snprintf(request, sizeof(request),
		 "{\"method\":\"" DESCRIBE_SPACE
		 "\",\"parameters\":{\"process\":\"%s\"},\"more\":true}\n",
		 process);
	session_init(session, &world->service, caller);
	buffer_append(&session->input, request, strlen(request));
	session_arrived(session, &(Arrival){ 0 });
	buffer_append(out, filler, sizeof(filler)); /* room for one reply */
	cr_assert_eq(session_pump(session, out), SESSION_PAUSED);
	buffer_consume(out, sizeof(filler));
}

static const char *rest_of_stream(Session *session, Buffer *out)
{
	buffer_consume(out, buffer_size(out));
	cr_assert_eq(session_pump(session, out), SESSION_READS);
	buffer_append(out, "", 1);
	return buffer_head(out);
}

Test(gpu_processes, ranges_are_told_one_a_reply_as_they_are_then)
{
	char process[64];
	Session session;
	Buffer out = BUFFER_INIT;
	Cast cast = cast_new_quiet();
	World *world = cast.world;

	call(world, cast.client, CREATE_CONTEXT, NULL);
	strcpy(process, reply_string(world, "process"));
	reserve(world, cast.client, process, 65536, "0x8000000000");
	map(world, cast.client, process, 4096, "0x8000000000");
	map(world, cast.client, process, 4096, "0x8000002000");
	begin_stream(&session, world, cast.client, process, &out);
	free_addresses(world, cast.client, process, "0x8000000000", 4096);
	const char *text = rest_of_stream(&session, &out);
	const char *reservation = strstr(text, "userReservation");
	const char *mapping = strstr(text, "0x8000002000");
	cr_assert(reservation && mapping && reservation < mapping);
	cr_assert_null(strstr(text, "\"0x8000000000\",\"sizeInBytes\":4096"));
	session_deinit(&session);
	buffer_deinit(&out);
	cast_free(&cast);
}

Test(gpu_processes, a_list_of_ranges_ends_when_the_process_is_gone)
{
	char process[64];
	Session session;
	Buffer out = BUFFER_INIT;
	Cast cast = cast_new_quiet();
	World *world = cast.world;

	call(world, cast.client, CREATE_CONTEXT, NULL);
	strcpy(process, reply_string(world, "process"));
	map(world, cast.client, process, 4096, NULL);
	begin_stream(&session, world, cast.admin, process, &out);
	world_exit(world, cast.viewer);
	cr_assert_str_eq(rest_of_stream(&session, &out),
			 "{\"parameters\":{\"status\":\"STATUS_SUCCESS\",\"ranges\":[]}}\n");
	session_deinit(&session);
	buffer_deinit(&out);
	cast_free(&cast);
}

Test(gpu_processes, one_has_so_many_ranges)
{
	char process[64];
	Limits limits = limits_default;
	Cast cast = cast_new_quiet();
	World *world = cast.world;

	limits.per_owner[LIMIT_USER_RANGES] = 2;
	broker_configure(world->service.broker, &limits, &world->service.settings.software_adapter);
	call(world, cast.client, CREATE_CONTEXT, NULL);
	strcpy(process, reply_string(world, "process"));
	cr_assert_str_eq(map(world, cast.client, process, 3 * 4096, "0x8000000000"),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(map(world, cast.client, process, 4096, NULL), "STATUS_SUCCESS");
	cr_assert_str_eq(map(world, cast.client, process, 4096, NULL), "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(world, "limit"), "userRangesPerProcess");
	cr_assert_eq(reply_number(world, "maximum"), 2u);
	cr_assert_eq(reply_number(world, "used"), 2u);
	/* A cut makes one more of one, and asks first. */
	cr_assert_str_eq(free_addresses(world, cast.client, process, "0x8000001000", 4096),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(translate(world, cast.client, process, "0x8000001000"), "mapped");
	cr_assert_str_eq(free_addresses(world, cast.client, process, "0x8000000000", 4096),
			 "STATUS_SUCCESS");
	cast_free(&cast);
}
