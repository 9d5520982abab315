/* SPDX-License-Identifier: MIT */
/*
 * Tests the Remarks of DXGKCB_RESERVEGPUVIRTUALADDRESSRANGE, sentence by sentence. Each test quotes
 * its sentence. Some tests use a driver inside the daemon, which gets the callback as documented,
 * and others a driver on a connection.
 */
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

TestSuite(reserve_remarks, .init = set_up, .fini = tear_down);

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* A driver that makes the given reservation in create_process, and keeps the callbacks. */
typedef struct TestDriver {
	DriverReservation reservation;
	NTSTATUS status; /* of the callback */
	uint64_t address;
	Failure failure;
	const DriverCallbacks *callbacks;
	GpuProcess *gpu_process;
	int created, destroyed;
} TestDriver;

static NTSTATUS create_process(const void *self, const DriverCallbacks *callbacks,
			       GpuProcess *gpu_process, Failure *failure)
{
	TestDriver *driver = (TestDriver *)self;

	driver->callbacks = callbacks;
	driver->gpu_process = gpu_process;
	driver->created++;
	driver->status = callbacks->reserve_gpu_virtual_address_range(
		callbacks->broker, gpu_process, &driver->reservation, &driver->address,
		&driver->failure);
	*failure = driver->failure;
	return driver->status;
}

static void destroy_process(const void *self, GpuProcess *gpu_process)
{
	TestDriver *driver = (TestDriver *)self;

	driver->destroyed += driver->gpu_process == gpu_process; /* not the system process */
}

static const Driver test_driver = { "test", create_process, destroy_process };

/* Replaces the driver of the software adapter. */
static void set_driver(FakeHost *fake_host, TestDriver *driver)
{
	Adapter *adapter = adapter_software(fake_host->service.broker);

	adapter->driver = &test_driver;
	adapter->driver_self = driver;
}

/*
 * "A kernel-mode display miniport driver can call DXGKCB_RESERVEGPUVIRTUALADDRESSRANGE to reserve a
 * graphics processing unit (GPU) virtual address range during creation of a process."
 */
Test(reserve_remarks, driver_can_reserve_during_creation_of_a_process)
{
	TestDriver driver = { .reservation = { .size = 2 * MIB } };

	set_driver(fixture.fake_host, &driver);
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, CREATE_CONTEXT, NULL),
			 "STATUS_SUCCESS");
	cr_assert_eq(driver.status, STATUS_SUCCESS);
	cr_assert_eq(driver.address, 512 * GIB);
	fake_host_exit(fixture.fake_host, fixture.viewer);
	cr_assert_eq(driver.destroyed, 1);
}

/*
 * "Reserving the GPU virtual address range is only possible during process creation (i.e. within
 * the call to DxgkDdiCreateProcess) and is invalid at any other time."
 */
Test(reserve_remarks, reserving_is_invalid_outside_process_creation)
{
	TestDriver driver = { .reservation = { .size = 2 * MIB } };
	uint64_t address = 1;
	Failure failure;

	set_driver(fixture.fake_host, &driver);
	call(fixture.fake_host, fixture.client, CREATE_CONTEXT, NULL);
	uint64_t ranges = address_space_range_count(&driver.gpu_process->space);
	cr_assert_eq(driver.callbacks->reserve_gpu_virtual_address_range(
			     driver.callbacks->broker, driver.gpu_process, &driver.reservation,
			     &address, &failure),
		     STATUS_INVALID_DEVICE_STATE);
	cr_assert_eq(address, 1u, "a failure leaves the output unchanged");
	cr_assert_eq(address_space_range_count(&driver.gpu_process->space), ranges);
}

Test(reserve_remarks, reserving_is_invalid_outside_process_creation_on_a_connection)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_adapter(fake_host, fixture.admin, "9,9,9,9");
	char process[64];

	cr_assert_str_eq(
		reserve_range(fake_host, fixture.admin, adapter.system_process, 2 * MIB, ""),
		"STATUS_SUCCESS");
	complete_process(fake_host, fixture.admin, adapter.system_process);
	cr_assert_str_eq(
		reserve_range(fake_host, fixture.admin, adapter.system_process, 2 * MIB, ""),
		"STATUS_INVALID_DEVICE_STATE");
	create_gpu_process(fake_host, fixture.admin, &adapter, "", process);
	cr_assert_str_eq(reserve_range(fake_host, fixture.admin, process, 2 * MIB, ""),
			 "STATUS_SUCCESS");
	complete_process(fake_host, fixture.admin, process);
	cr_assert_str_eq(reserve_range(fake_host, fixture.admin, process, 2 * MIB, ""),
			 "STATUS_INVALID_DEVICE_STATE");
	callf(fake_host, fixture.admin, DESTROY_PROCESS, "{\"process\":\"%s\"}", process);
	cr_assert_str_eq(reserve_range(fake_host, fixture.admin, process, 2 * MIB, ""),
			 "STATUS_INVALID_HANDLE");
}

/*
 * "Reservation is possible on both a regular process as well as the system process where the system
 * device and context lives."
 */
Test(reserve_remarks, reservation_is_possible_on_regular_and_system_process)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_adapter(fake_host, fixture.admin, "9,9,9,9");
	char process[64];

	cr_assert_str_eq(
		reserve_range(fake_host, fixture.admin, adapter.system_process, 2 * MIB, ""),
		"STATUS_SUCCESS");
	cr_assert_str_eq(reply_string(fake_host, "startVirtualAddress"), "0x8000000000");
	complete_process(fake_host, fixture.admin, adapter.system_process);
	create_gpu_process(fake_host, fixture.admin, &adapter, "", process);
	cr_assert_str_eq(reserve_range(fake_host, fixture.admin, process, 2 * MIB, ""),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(reply_string(fake_host, "startVirtualAddress"), "0x8000000000",
			 "each process has its own address space");
}

/*
 * "The first entry in the root page table (page table entry index 0) will always be initialized as
 * invalid by the video memory manager …"
 */
Test(reserve_remarks, first_root_entry_is_always_invalid)
{
	static const char *const addresses[] = { "0x0", "0x1000", "0x7fffffffff" };
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_adapter(fake_host, fixture.admin, "9,9,9,9");

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		cr_assert_str_eq(
			translate(fake_host, fixture.admin, adapter.system_process, addresses[i]),
			"invalid");
		cr_assert_str_eq(reserve_range(fake_host, fixture.admin, adapter.system_process,
					       2 * MIB,
					       i == 0 ? ",\"baseAddress\":\"0x200000\""
						      : ",\"baseAddress\":\"0x7fffe00000\""),
				 "STATUS_INVALID_PARAMETER");
		cr_assert_str_eq(reply_string(fake_host, "parameter"), "baseAddress");
	}
	callf(fake_host, fixture.admin, DESCRIBE_SPACE, "{\"process\":\"%s\"}",
	      adapter.system_process);
	cr_assert_str_eq(reply_string(fake_host, "ranges[0].kind"), "rootEntryZero");
	cr_assert_str_eq(reply_string(fake_host, "ranges[0].startVirtualAddress"), "0x0");
	cr_assert_eq(reply_number(fake_host, "ranges[0].sizeInBytes"), 512 * GIB);
}

/* "… and the driver reservations will start from page table entry index 1." */
Test(reserve_remarks, driver_reservations_start_from_page_table_entry_index_1)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_adapter(fake_host, fixture.admin, "10,10,10");

	/* 42 bits, of which an entry of the root table covers 32. */
	cr_assert_str_eq(
		reserve_range(fake_host, fixture.admin, adapter.system_process, 4 * MIB, ""),
		"STATUS_SUCCESS");
	cr_assert_str_eq(reply_string(fake_host, "startVirtualAddress"), "0x100000000");
}

/*
 * "Driver reservation must always be an exact multiple of virtual address space, covered by leaf
 * page table, as the specific page table entry can't be shared between the video memory manager and
 * the kernel-mode driver."
 */
Test(reserve_remarks, reservation_size_is_a_multiple_of_leaf_coverage)
{
	static const uint64_t wrong[] = { 0, 1, 4096, 2 * MIB - 4096, 2 * MIB + 4096, 3 * MIB };
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_adapter(fake_host, fixture.admin, "9,9,9,9");

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cr_assert_str_eq(reserve_range(fake_host, fixture.admin, adapter.system_process,
					       wrong[i], ""),
				 "STATUS_INVALID_PARAMETER");
		cr_assert_str_eq(reply_string(fake_host, "parameter"), "sizeInBytes");
	}
	cr_assert_str_eq(
		reserve_range(fake_host, fixture.admin, adapter.system_process, 6 * MIB, ""),
		"STATUS_SUCCESS");
}

Test(reserve_remarks, entry_cannot_be_shared_between_manager_and_driver)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_adapter(fake_host, fixture.admin, "9,9,9,9");
	char process[64];

	complete_process(fake_host, fixture.admin, adapter.system_process);
	create_gpu_process(fake_host, fixture.admin, &adapter, ",\"pid\":300", process);
	reserve_range(fake_host, fixture.admin, process, 4 * MIB, ",\"allowUserModeMapping\":true");
	complete_process(fake_host, fixture.admin, process);
	/* The first entry is the driver's, the second the manager's. */
	cr_assert_str_eq(set_entry(fake_host, fixture.admin, process, "0x8000000000", "0x1000"),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(map(fake_host, fixture.client, process, 4096, "0x80001ff000"),
			 "STATUS_CONFLICTING_ADDRESSES");
	cr_assert_str_eq(map(fake_host, fixture.client, process, 4096, "0x8000200000"),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(set_entry(fake_host, fixture.admin, process, "0x80003ff000", "0x2000"),
			 "STATUS_CONFLICTING_ADDRESSES");
	cr_assert_str_eq(translate(fake_host, fixture.admin, process, "0x8000000000"),
			 "driverPageTable");
	cr_assert_str_eq(translate(fake_host, fixture.admin, process, "0x8000200000"), "mapped");
	cr_assert_str_eq(translate(fake_host, fixture.admin, process, "0x8000201000"), "reserved");
}

/*
 * "Page table entries reserved by the driver will be initialized as invalid by the video memory
 * manager …"
 */
Test(reserve_remarks, reserved_entries_are_initialized_as_invalid)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_adapter(fake_host, fixture.admin, "9,9,9,9");

	reserve_range(fake_host, fixture.admin, adapter.system_process, 4 * MIB, "");
	cr_assert_str_eq(
		translate(fake_host, fixture.admin, adapter.system_process, "0x8000000000"),
		"reserved");
	cr_assert_str_eq(
		translate(fake_host, fixture.admin, adapter.system_process, "0x80003fffff"),
		"reserved");
	cr_assert_str_eq(
		translate(fake_host, fixture.admin, adapter.system_process, "0x8000400000"),
		"invalid");
}

/*
 * "… and may be overwritten by the driver to reference an internally allocated page table managed
 * by the driver."
 */
Test(reserve_remarks, driver_may_overwrite_reserved_entries)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_adapter(fake_host, fixture.admin, "9,9,9,9");
	const char *process = adapter.system_process;

	reserve_range(fake_host, fixture.admin, process, 4 * MIB, "");
	for (int again = 0; again < 2; again++) {
		const char *table = again ? "0xfee1000" : "0xdead000";
		cr_assert_str_eq(
			set_entry(fake_host, fixture.admin, process, "0x8000212345", table),
			"STATUS_SUCCESS");
		cr_assert_str_eq(translate(fake_host, fixture.admin, process, "0x8000200000"),
				 "driverPageTable");
		cr_assert_str_eq(reply_string(fake_host, "pageTableAddress"), table);
	}
	cr_assert_str_eq(translate(fake_host, fixture.admin, process, "0x80001fffff"), "reserved");
}

/*
 * "The video memory manager will update the reserved page table entries as invalid every time the
 * corresponding page table becomes resident."
 */
Test(reserve_remarks, reserved_entries_become_invalid_with_residency)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_adapter(fake_host, fixture.admin, "9,9,9,9");
	const char *process = adapter.system_process;

	/* Two level-1 tables: the second GiB is in the second. */
	reserve_range(fake_host, fixture.admin, process, 2 * GIB, "");
	for (int time = 0; time < 3; time++) {
		cr_assert_str_eq(
			set_entry(fake_host, fixture.admin, process, "0x8000000000", "0x1000"),
			"STATUS_SUCCESS");
		set_entry(fake_host, fixture.admin, process, "0x8040000000", "0x2000");
		table_call(fake_host, fixture.admin, EVICT, process, "0x8000000000");
		cr_assert_str_eq(translate(fake_host, fixture.admin, process, "0x8000000000"),
				 "notResident");
		cr_assert_str_eq(
			set_entry(fake_host, fixture.admin, process, "0x8000200000", "0x3000"),
			"STATUS_INVALID_DEVICE_STATE");
		table_call(fake_host, fixture.admin, MAKE_RESIDENT, process, "0x803fffffff");
		cr_assert_str_eq(translate(fake_host, fixture.admin, process, "0x8000000000"),
				 "reserved");
		cr_assert_str_eq(translate(fake_host, fixture.admin, process, "0x8040000000"),
				 "driverPageTable", "the other table remained resident");
		cr_assert_eq(fake_host_events(fake_host, EVENT_PAGE_TABLE_RESIDENT),
			     (size_t)time + 1);
	}
	table_call(fake_host, fixture.admin, MAKE_RESIDENT, process, "0x8000000000");
	cr_assert_eq(fake_host_events(fake_host, EVENT_PAGE_TABLE_RESIDENT), 3u,
		     "it was resident already");
}

/*
 * "Returns STATUS_SUCCESS if it succeeds. Otherwise, it returns one of the error codes defined in
 * Ntstatus.h."
 */
Test(reserve_remarks, failure_returns_an_ntstatus_code)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_adapter(fake_host, fixture.admin, "9,9,9,9");
	const char *process = adapter.system_process;

	cr_assert_str_eq(reserve_range(fake_host, fixture.admin, process, 2 * MIB,
				       ",\"baseAddress\":\"0x8000000000\""),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(reserve_range(fake_host, fixture.admin, process, 4 * MIB,
				       ",\"baseAddress\":\"0x8000000000\""),
			 "STATUS_CONFLICTING_ADDRESSES");
	cr_assert_str_eq(reply_string(fake_host, "code"), "0xC0000018");
	cr_assert_str_eq(reserve_range(fake_host, fixture.admin, process, 256 * 1024 * GIB, ""),
			 "STATUS_NO_MEMORY");
	cr_assert_str_eq(reply_string(fake_host, "code"), "0xC0000017");
	cr_assert_str_eq(
		reserve_range(fake_host, fixture.admin, process, 2 * MIB, ",\"alignment\":5"),
		"STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(reply_string(fake_host, "code"), "0xC000000D");
}
