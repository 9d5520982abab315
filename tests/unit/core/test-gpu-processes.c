/* SPDX-License-Identifier: MIT */
/* Tests the creation and the end of GPU processes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-gpu.h"

static HostFixture fixture;

static void set_up(void)
{
	fixture = host_fixture_new_quiet();
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

static void set_up_with_vm(void)
{
	fixture = host_fixture_new();
}

TestSuite(gpu_processes, .init = set_up, .fini = tear_down);
TestSuite(gpu_processes_with_vm, .init = set_up_with_vm, .fini = tear_down);

#define MIB (UINT64_C(1) << 20)

/* --- a failing driver inside the daemon ------------------------------------------------------ */

typedef struct FailingDriver {
	int reservations; /* number to make before it fails */
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
	return failure_set(failure, driver->status, "driver", "the driver failed");
}

static void count_destroyed(const void *self, GpuProcess *gpu_process)
{
	(void)gpu_process;
	((FailingDriver *)self)->destroyed++;
}

static const Driver failing_driver = { "failing", fail_to_create, count_destroyed };

Test(gpu_processes, failed_creation_is_undone)
{
	FailingDriver driver = { .reservations = 3, .status = STATUS_NOT_SUPPORTED };
	FakeHost *fake_host = fixture.fake_host;
	Adapter *adapter = adapter_software(fake_host->service.broker);
	const Driver *original = adapter->driver;
	const void *original_self = adapter->driver_self;

	adapter->driver = &failing_driver;
	adapter->driver_self = &driver;
	cr_assert_str_eq(call(fake_host, fixture.client, CREATE_CONTEXT, NULL),
			 "STATUS_NOT_SUPPORTED");
	cr_assert_str_eq(reply_string(fake_host, "message"), "the driver failed");
	adapter->driver = original;
	adapter->driver_self = original_self;
	cr_assert_not(fixture.viewer->watched);
	cr_assert_eq(driver.destroyed, 0, "no process was created");
	cr_assert_eq(fake_host_events(fake_host, EVENT_GPU_PROCESS_REMOVED), 0u,
		     "the process was never announced");
	cr_assert_eq(accounts_used(&fake_host->service.broker->accounts, ORDINARY(1000),
				   LIMIT_GPU_PROCESSES),
		     0u);
	cr_assert_eq(
		accounts_used(&fake_host->service.broker->accounts, ORDINARY(1000), LIMIT_CONTEXTS),
		0u);
	cr_assert_eq(accounts_used(&fake_host->service.broker->accounts, ORDINARY(1000),
				   LIMIT_DRIVER_RESERVATIONS),
		     0u);
	call(fake_host, fixture.admin, LIST_PROCESSES, NULL);
	cr_assert_eq(reply_count(fake_host, "processes"), 1u,
		     "only the software adapter's system process");
}

/* --- the software adapter -------------------------------------------------------------------- */

Test(gpu_processes, software_adapter_makes_configured_reservations)
{
	char process[64];
	FakeHost *fake_host = fixture.fake_host;
	ConfiguredReservations *reservations =
		&fake_host->service.settings.software_adapter.of_processes;

	reservations->items[0] = (DriverReservation){ .size = 4 * MIB };
	reservations->items[1] = (DriverReservation){
		.size = 2 * MIB,
		.base_address = UINT64_C(0x10000000000),
		.allow_user_mode_mapping = true,
	};
	reservations->count = 2;
	fake_host_reload(fake_host);
	call(fake_host, fixture.client, CREATE_CONTEXT, NULL);
	strcpy(process, reply_string(fake_host, "process"));
	callf(fake_host, fixture.client, DESCRIBE_SPACE, "{\"process\":\"%s\"}", process);
	cr_assert_eq(reply_count(fake_host, "ranges"), 3u);
	cr_assert_str_eq(reply_string(fake_host, "ranges[1].kind"), "driverReservation");
	cr_assert_str_eq(reply_string(fake_host, "ranges[1].startVirtualAddress"), "0x8000000000");
	cr_assert_str_eq(reply_string(fake_host, "ranges[2].startVirtualAddress"), "0x10000000000");
	cr_assert_str_eq(map(fake_host, fixture.client, process, 4096, "0x10000000000"),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(map(fake_host, fixture.client, process, 4096, "0x8000000000"),
			 "STATUS_CONFLICTING_ADDRESSES");
}

Test(gpu_processes, software_adapter_cannot_be_unregistered)
{
	char adapter[64];
	FakeHost *fake_host = fixture.fake_host;

	call(fake_host, fixture.stranger, LIST_ADAPTERS, NULL);
	strcpy(adapter, reply_string(fake_host, "adapters[0].adapter"));
	cr_assert_str_eq(reply_string(fake_host, "adapters[0].source"), "software");
	cr_assert_str_eq(reply_string(fake_host, "adapters[0].driver"), "software");
	cr_assert_eq(strlen(reply_string(fake_host, "adapters[0].systemProcess")), 32u);
	cr_assert_str_eq(callf(fake_host, fixture.admin, UNREGISTER_ADAPTER, "{\"adapter\":\"%s\"}",
			       adapter),
			 "STATUS_NOT_SUPPORTED");
	cr_assert_str_eq(
		callf(fake_host, fixture.admin, CREATE_PROCESS, "{\"adapter\":\"%s\"}", adapter),
		"STATUS_ACCESS_DENIED", "its driver is not a connection");
}

/* --- drivers on connections ------------------------------------------------------------------ */

Test(gpu_processes, system_process_must_be_completed_first)
{
	char process[64];
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_adapter(fake_host, fixture.admin, "9,9,9,9");

	cr_assert_str_eq(create_gpu_process(fake_host, fixture.admin, &adapter, "", process),
			 "STATUS_INVALID_DEVICE_STATE");
	cr_assert_str_eq(callf(fake_host, fixture.client, CREATE_CONTEXT, "{\"adapter\":\"%s\"}",
			       adapter.adapter),
			 "STATUS_INVALID_DEVICE_STATE");
	complete_process(fake_host, fixture.admin, adapter.system_process);
	cr_assert_str_eq(create_gpu_process(fake_host, fixture.admin, &adapter, "", process),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(callf(fake_host, fixture.admin, DESTROY_PROCESS, "{\"process\":\"%s\"}",
			       adapter.system_process),
			 "STATUS_NOT_SUPPORTED");
}

Test(gpu_processes, context_uses_the_process_created_by_the_driver)
{
	char process[64], member[96];
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_running_adapter(fake_host, fixture.admin, "9,9,9,9");

	snprintf(member, sizeof(member), "{\"adapter\":\"%s\"}", adapter.adapter);
	cr_assert_str_eq(call(fake_host, fixture.client, CREATE_CONTEXT, member),
			 "STATUS_NOT_SUPPORTED");
	create_gpu_process(fake_host, fixture.admin, &adapter, ",\"pid\":300,\"name\":\"viewer\"",
			   process);
	cr_assert_str_eq(call(fake_host, fixture.client, CREATE_CONTEXT, member),
			 "STATUS_INVALID_DEVICE_STATE");
	cr_assert_str_eq(map(fake_host, fixture.client, process, 4096, NULL),
			 "STATUS_INVALID_DEVICE_STATE");
	complete_process(fake_host, fixture.admin, process);
	cr_assert_str_eq(call(fake_host, fixture.client, CREATE_CONTEXT, member), "STATUS_SUCCESS");
	cr_assert_str_eq(reply_string(fake_host, "process"), process);
	call(fake_host, fixture.client, LIST_PROCESSES, NULL);
	cr_assert_eq(reply_count(fake_host, "processes"), 1u);
	cr_assert_str_eq(reply_string(fake_host, "processes[0].name"), "viewer");
	cr_assert_str_eq(reply_string(fake_host, "processes[0].state"), "running");
	cr_assert_eq(reply_number(fake_host, "processes[0].pid"), 300u);
	cr_assert_eq(reply_number(fake_host, "processes[0].contexts"), 1u);
	cr_assert_eq(reply_number(fake_host, "processes[0].ranges"), 1u);
}

Test(gpu_processes_with_vm, closing_the_drivers_connection_ends_everything_on_its_adapter)
{
	char process[64], creating[64], virtual_gpu[160];
	FakeHost *fake_host = fixture.fake_host;
	Caller *driver = fake_host_connect(fake_host, fixture.root);
	FakeAdapter adapter = fake_running_adapter(fake_host, driver, "9,9,9,9");

	create_gpu_process(fake_host, driver, &adapter, ",\"pid\":300", process);
	complete_process(fake_host, driver, process);
	create_gpu_process(fake_host, driver, &adapter, "", creating);
	reserve_range(fake_host, driver, creating, 2 * MIB, "");
	snprintf(virtual_gpu, sizeof(virtual_gpu),
		 "{\"virtualMachineGuid\":\"" GUID_A "\",\"adapter\":\"%s\"}", adapter.adapter);
	cr_assert_str_eq(call(fake_host, fixture.admin, ASSIGN, virtual_gpu), "STATUS_SUCCESS");
	fake_host_disconnect(fake_host, driver);
	cr_assert_str_eq(map(fake_host, fixture.client, process, 4096, NULL),
			 "STATUS_INVALID_HANDLE");
	cr_assert_eq(fake_host_events(fake_host, EVENT_GPU_PROCESS_REMOVED), 3u);
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_GPU_PROCESS_REMOVED)->reason,
		     END_ADAPTER_REMOVED);
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_ADAPTER_REMOVED)->reason,
		     END_DRIVER_GONE);
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_VIRTUAL_GPU_REMOVED)->reason,
		     END_ADAPTER_REMOVED);
	call(fake_host, fixture.admin, DESCRIBE, NAMES_A);
	cr_assert_eq(reply_count(fake_host, "virtualMachine.virtualGpus"), 1u,
		     "the vGPU on the software adapter remains");
}

Test(gpu_processes_with_vm, gpu_process_ends_with_its_host_process_or_vm)
{
	char of_viewer[64], of_machine[64];
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_running_adapter(fake_host, fixture.admin, "9,9,9,9");

	create_gpu_process(fake_host, fixture.admin, &adapter, ",\"pid\":300", of_viewer);
	create_gpu_process(fake_host, fixture.admin, &adapter,
			   ",\"virtualMachineGuid\":\"" GUID_A "\"", of_machine);
	cr_assert_str_eq(create_gpu_process(fake_host, fixture.admin, &adapter,
					    ",\"virtualMachineGuid\":\"" GUID_B "\"", of_viewer),
			 "STATUS_NOT_FOUND");
	fake_host_exit(fake_host, fixture.viewer);
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_GPU_PROCESS_REMOVED)->reason,
		     END_PROCESS_EXITED);
	call(fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A);
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_GPU_PROCESS_REMOVED)->reason,
		     END_VM_UNREGISTERED);
	cr_assert_str_eq(complete_process(fake_host, fixture.admin, of_machine),
			 "STATUS_INVALID_HANDLE");
}

Test(gpu_processes, host_process_has_one_gpu_process_per_adapter)
{
	char process[64];
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_running_adapter(fake_host, fixture.admin, "9,9,9,9");

	cr_assert_str_eq(
		create_gpu_process(fake_host, fixture.admin, &adapter, ",\"pid\":300", process),
		"STATUS_SUCCESS");
	cr_assert_str_eq(
		create_gpu_process(fake_host, fixture.admin, &adapter, ",\"pid\":300", process),
		"STATUS_OBJECT_NAME_COLLISION");
	cr_assert_str_eq(
		create_gpu_process(fake_host, fixture.admin, &adapter, ",\"pid\":99999", process),
		"STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(reply_string(fake_host, "parameter"), "pid");
}

/* --- adapters -------------------------------------------------------------------------------- */

Test(gpu_processes, invalid_adapter_descriptions_name_the_parameter)
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

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_str_eq(callf(fixture.fake_host, fixture.admin, REGISTER_ADAPTER, "{%s}",
				       rows[i].parameters),
				 rows[i].status, "%s", rows[i].parameters);
		cr_assert_str_eq(reply_string(fixture.fake_host, "parameter"), rows[i].parameter,
				 "%s", rows[i].parameters);
	}
	cr_assert_str_eq(callf(fixture.fake_host, fixture.stranger, REGISTER_ADAPTER, "{%s}",
			       rows[8].parameters),
			 "STATUS_ACCESS_DENIED");
}

Test(gpu_processes, calls_of_dead_processes_are_refused)
{
	char process[64];
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_running_adapter(fake_host, fixture.admin, "9,9,9,9");

	create_gpu_process(fake_host, fixture.admin, &adapter, ",\"pid\":300", process);
	fake_host_kill(fake_host, fixture.root);
	cr_assert_str_eq(reserve_range(fake_host, fixture.admin, process, 2 * MIB, ""),
			 "STATUS_PROCESS_IS_TERMINATING");
	cr_assert_str_eq(complete_process(fake_host, fixture.admin, process),
			 "STATUS_PROCESS_IS_TERMINATING");
	fake_host_kill(fake_host, fixture.viewer);
	cr_assert_str_eq(map(fake_host, fixture.client, process, 4096, NULL),
			 "STATUS_PROCESS_IS_TERMINATING");
}

Test(gpu_processes, base_of_zero_and_offset_without_allocation_are_refused)
{
	char process[64];
	FakeHost *fake_host = fixture.fake_host;

	call(fake_host, fixture.client, CREATE_CONTEXT, NULL);
	strcpy(process, reply_string(fake_host, "process"));
	cr_assert_str_eq(map(fake_host, fixture.client, process, 4096, "0x0"),
			 "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(reply_string(fake_host, "parameter"), "baseAddress");
	cr_assert_str_eq(reserve(fake_host, fixture.client, process, 65536, "0x0"),
			 "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(callf(fake_host, fixture.client, MAP_ADDRESS,
			       "{\"process\":\"%s\",\"sizeInBytes\":4096,"
			       "\"protection\":\"zero\",\"offsetInBytes\":4096}",
			       process),
			 "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(reply_string(fake_host, "parameter"), "offsetInBytes");
}

/* --- lists of ranges ------------------------------------------------------------------------- */

/* Sends the request, and reads only the first reply. */
static void begin_stream(Session *session, FakeHost *fake_host, Caller *caller, const char *process,
			 Buffer *out)
{
	char request[256], filler[LIMIT_UNREAD_PAUSE - 1];

	memset(filler, 'x', sizeof(filler));
	snprintf(request, sizeof(request),
		 "{\"method\":\"" DESCRIBE_SPACE
		 "\",\"parameters\":{\"process\":\"%s\"},\"more\":true}\n",
		 process);
	session_init(session, &fake_host->service, caller);
	buffer_append(&session->input, request, strlen(request));
	session_arrived(session, &(InputMetadata){ 0 });
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

Test(gpu_processes, streamed_ranges_are_current)
{
	char process[64];
	Session session;
	Buffer out = BUFFER_INIT;
	FakeHost *fake_host = fixture.fake_host;

	call(fake_host, fixture.client, CREATE_CONTEXT, NULL);
	strcpy(process, reply_string(fake_host, "process"));
	reserve(fake_host, fixture.client, process, 65536, "0x8000000000");
	map(fake_host, fixture.client, process, 4096, "0x8000000000");
	map(fake_host, fixture.client, process, 4096, "0x8000002000");
	begin_stream(&session, fake_host, fixture.client, process, &out);
	free_addresses(fake_host, fixture.client, process, "0x8000000000", 4096);
	const char *text = rest_of_stream(&session, &out);
	const char *reservation = strstr(text, "userReservation");
	const char *mapping = strstr(text, "0x8000002000");
	cr_assert(reservation && mapping && reservation < mapping);
	cr_assert_null(strstr(text, "\"0x8000000000\",\"sizeInBytes\":4096"));
	session_deinit(&session);
	buffer_deinit(&out);
}

Test(gpu_processes, range_stream_ends_with_the_right_to_see_it)
{
	char process[64];
	Session session;
	Buffer out = BUFFER_INIT;
	FakeHost *fake_host = fixture.fake_host;

	call(fake_host, fixture.client, CREATE_CONTEXT, NULL);
	strcpy(process, reply_string(fake_host, "process"));
	reserve(fake_host, fixture.client, process, 65536, "0x8000000000");
	map(fake_host, fixture.client, process, 4096, "0x8000000000");
	map(fake_host, fixture.client, process, 4096, "0x8000002000");
	begin_stream(&session, fake_host, fixture.admin, process, &out);
	fixture.admin->is_operator = false; /* as a reload that changes operatorGroup */
	cr_assert_null(strstr(rest_of_stream(&session, &out), "0x8000002000"));
	fixture.admin->is_operator = true;
	session_deinit(&session);
	buffer_deinit(&out);
}

Test(gpu_processes, range_stream_ends_with_the_process)
{
	char process[64];
	Session session;
	Buffer out = BUFFER_INIT;
	FakeHost *fake_host = fixture.fake_host;

	call(fake_host, fixture.client, CREATE_CONTEXT, NULL);
	strcpy(process, reply_string(fake_host, "process"));
	map(fake_host, fixture.client, process, 4096, NULL);
	begin_stream(&session, fake_host, fixture.admin, process, &out);
	fake_host_exit(fake_host, fixture.viewer);
	cr_assert_str_eq(rest_of_stream(&session, &out),
			 "{\"parameters\":{\"status\":\"STATUS_SUCCESS\",\"ranges\":[]}}\n");
	session_deinit(&session);
	buffer_deinit(&out);
}

Test(gpu_processes, ranges_per_process_are_limited)
{
	char process[64];
	Limits limits = limits_default;
	FakeHost *fake_host = fixture.fake_host;

	limits.per_entity[LIMIT_USER_RANGES] = 2;
	broker_configure(fake_host->service.broker, &limits,
			 &fake_host->service.settings.software_adapter);
	call(fake_host, fixture.client, CREATE_CONTEXT, NULL);
	strcpy(process, reply_string(fake_host, "process"));
	cr_assert_str_eq(map(fake_host, fixture.client, process, 3 * 4096, "0x8000000000"),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(map(fake_host, fixture.client, process, 4096, NULL), "STATUS_SUCCESS");
	cr_assert_str_eq(map(fake_host, fixture.client, process, 4096, NULL),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(fake_host, "limit"), "userRangesPerProcess");
	cr_assert_eq(reply_number(fake_host, "maximum"), 2u);
	cr_assert_eq(reply_number(fake_host, "used"), 2u);
	/* A split needs one more range, which is checked first. */
	cr_assert_str_eq(free_addresses(fake_host, fixture.client, process, "0x8000001000", 4096),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(translate(fake_host, fixture.client, process, "0x8000001000"), "mapped");
	cr_assert_str_eq(free_addresses(fake_host, fixture.client, process, "0x8000000000", 4096),
			 "STATUS_SUCCESS");
}
