/* SPDX-License-Identifier: MIT */
/*
 * Virtual GPUs that a VM has because its VMM has a function of a GPU open. They let processes
 * register, and end when the VMM closes the function.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/found-gpu.h"
#include "tests/support/fake-share.h"

#define SUCCESS   "STATUS_SUCCESS"
#define NO_GPU    "STATUS_GRAPHICS_VAIL_STATE_CHANGED"
#define UNKNOWN   "STATUS_INSUFFICIENT_RESOURCES"
#define FUNCTION  "0000:41:00.4"
#define FURTHER   "0000:41:00.5"
#define DEVICE    "0000:41:00.0"
#define DISPLAY   0x030000
#define NETWORK   0x020000
#define OTHER_PID 4242

static HostFixture fixture;
static FakeHost *fake_host;
static char object[64];
static size_t ended_before;

/* Returns the number of registrations that have ended for the reason since set_up(). */
static size_t count_ended(EndReason reason)
{
	size_t count = 0;

	for (size_t i = 0; i < fake_host->event_count && i < FAKE_HOST_EVENT_MAX; i++)
		count += fake_host->events[i].kind == EVENT_UNREGISTERED &&
			 fake_host->events[i].reason == reason;
	return count - ended_before;
}

/* Without the virtual GPU that the fixture has assigned. */
static void set_up(void)
{
	ended_before = 0;
	fixture = host_fixture_new_sharing();
	fake_host = fixture.fake_host;
	share_image(&fixture, object);
	cr_assert_str_eq(call(fake_host, fixture.admin, DESCRIBE, NAMES_A), SUCCESS);
	char parameters[128];
	snprintf(parameters, sizeof(parameters), "{\"virtualGpu\":\"%s\"}",
		 reply_string(fake_host, "virtualMachine.virtualGpus[0].virtualGpu"));
	cr_assert_str_eq(call(fake_host, fixture.admin, REMOVE, parameters), SUCCESS);
	ended_before = count_ended(END_LAST_VIRTUAL_GPU_REMOVED);
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

TestSuite(found_gpus, .init = set_up, .fini = tear_down);

static HeldGpu *hold(FakeProcess *process, HeldGpuKind kind, const char *function,
		     uint32_t pci_class)
{
	HeldGpu *gpu = &process->held.items[process->held.count++];

	process->held_lookup = LOOKUP_FOUND;
	process->held.is_complete = true;
	*gpu = (HeldGpu){ .kind = kind, .pci_class = pci_class };
	snprintf(gpu->function, sizeof(gpu->function), "%s", function);
	snprintf(gpu->parent, sizeof(gpu->parent), "%s", DEVICE);
	return gpu;
}

static void close_all(FakeProcess *process)
{
	process->held.count = 0;
	process->held_lookup = LOOKUP_ABSENT;
}

static uint64_t serial_of(const char *guid)
{
	Guid parsed;

	cr_assert(guid_parse(guid, &parsed));
	return vm_find(fake_host->service.broker, &parsed)->entity.serial;
}

/* Makes the look of every two seconds. */
static void look(const char *guid)
{
	fake_host_look(fake_host, serial_of(guid));
	broker_end_some(fake_host->service.broker, UINT64_MAX);
	broker_check(fake_host->service.broker);
}

/* Returns how many virtual GPUs the VM has. */
static size_t describe(const char *names)
{
	cr_assert_str_eq(call(fake_host, fixture.admin, DESCRIBE, names), SUCCESS);
	return reply_count(fake_host, "virtualMachine.virtualGpus");
}

static const char *register_client(void)
{
	return call(fake_host, fixture.client, REGISTER, NAMES_A);
}

static const char *open_object(void)
{
	size_t count;

	return open_and_close_fds(fake_host, fixture.client, object, &count);
}

/* Adds the VM GUID_B with another VMM. */
static FakeProcess *add_other_vm(void)
{
	FakeProcess *other = fake_host_process(fake_host, OTHER_PID, 947);

	cr_assert_str_eq(callf(fake_host, fixture.admin, REGISTER_MACHINE,
			       "{\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d,"
			       "\"displayClients\":[{\"user\":\"alice\"}]}",
			       GUID_B, OTHER_PID),
			 SUCCESS);
	return other;
}

Test(found_gpus, nobody_registers_for_a_vm_without_one)
{
	cr_assert_str_eq(register_client(), NO_GPU);
	cr_assert_eq(fake_host->looks, 1u, "the VMM was looked at");
}

Test(found_gpus, a_held_function_is_the_vms_and_lets_its_client_register)
{
	strcpy(hold(fixture.vmm, HELD_GPU_VIRTUAL_FUNCTION, FUNCTION, DISPLAY)->profile,
	       "nvidia-558");
	cr_assert_str_eq(register_client(), SUCCESS);
	cr_assert_eq(describe(NAMES_A), 1u);
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.virtualGpus[0].source"),
			 "virtualFunction");
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.virtualGpus[0].function"),
			 FUNCTION);
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.virtualGpus[0].profile"),
			 "nvidia-558");
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.virtualGpus[0].adapter"), "",
			 "its device is not listed");
	cr_assert_eq(fake_host_events(fake_host, EVENT_VIRTUAL_GPU_ASSIGNED), 2u);
}

Test(found_gpus, each_kind_counts_or_not)
{
	static const struct {
		HeldGpuKind kind;
		uint32_t pci_class;
		const char *status;
	} rows[] = {
		{ HELD_GPU_PARAVIRTUAL, 0, SUCCESS },
		{ HELD_GPU_MDEV, DISPLAY, SUCCESS },
		{ HELD_GPU_MDEV, 0, NO_GPU },
		{ HELD_GPU_VIRTUAL_FUNCTION, DISPLAY, SUCCESS },
		{ HELD_GPU_VIRTUAL_FUNCTION, NETWORK, NO_GPU },
		{ HELD_GPU_PASSTHROUGH, DISPLAY, NO_GPU },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		hold(fixture.vmm, rows[i].kind, FUNCTION, rows[i].pci_class);
		cr_assert_str_eq(register_client(), rows[i].status, "row %zu", i);
		close_all(fixture.vmm);
		look(GUID_A);
	}
}

Test(found_gpus, closing_takes_the_registration_back)
{
	hold(fixture.vmm, HELD_GPU_VIRTUAL_FUNCTION, FUNCTION, DISPLAY);
	cr_assert_str_eq(register_client(), SUCCESS);
	look(GUID_A);
	cr_assert_eq(count_ended(END_LAST_VIRTUAL_GPU_REMOVED), 0u);
	close_all(fixture.vmm);
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 0u);
	cr_assert_eq(count_ended(END_LAST_VIRTUAL_GPU_REMOVED), 1u);
	cr_assert_str_eq(register_client(), NO_GPU);
}

Test(found_gpus, an_open_looks_and_finds_that_it_is_closed)
{
	hold(fixture.vmm, HELD_GPU_VIRTUAL_FUNCTION, FUNCTION, DISPLAY);
	cr_assert_str_eq(register_client(), SUCCESS);
	cr_assert_str_eq(open_object(), SUCCESS);
	size_t looks = fake_host->looks;
	close_all(fixture.vmm);
	cr_assert_str_eq(open_object(), NO_GPU);
	cr_assert_gt(fake_host->looks, looks);
	cr_assert_str_eq(open_object(), "STATUS_ACCESS_DENIED", "its registration has ended");
}

/* Like the daemon, where the look takes longer than a turn. */
Test(found_gpus, an_open_waits_for_a_look_that_begins_after_it)
{
	hold(fixture.vmm, HELD_GPU_VIRTUAL_FUNCTION, FUNCTION, DISPLAY);
	fake_host->look_turns = 3;
	cr_assert_str_eq(register_client(), SUCCESS);
	cr_assert_eq(fake_host->looks, 4u);
	close_all(fixture.vmm);
	fake_host->look_turns = 3;
	cr_assert_str_eq(open_object(), NO_GPU);
}

Test(found_gpus, a_vm_with_an_assigned_one_is_not_looked_at)
{
	cr_assert_str_eq(call(fake_host, fixture.admin, ASSIGN, NAMES_A), SUCCESS);
	fixture.vmm->held_lookup = LOOKUP_UNREADABLE;
	cr_assert_str_eq(register_client(), SUCCESS);
	cr_assert_str_eq(open_object(), SUCCESS);
	cr_assert_eq(fake_host->looks, 0u);
}

Test(found_gpus, a_repeated_registration_is_not_looked_at)
{
	hold(fixture.vmm, HELD_GPU_MDEV, FUNCTION, DISPLAY);
	cr_assert_str_eq(register_client(), SUCCESS);
	size_t looks = fake_host->looks;
	cr_assert_str_eq(register_client(), SUCCESS);
	cr_assert_eq(fake_host->looks, looks);
}

/* A process that may not register cannot make the daemon look. */
Test(found_gpus, strangers_make_no_look)
{
	hold(fixture.vmm, HELD_GPU_MDEV, FUNCTION, DISPLAY);
	cr_assert_str_eq(call(fake_host, fixture.stranger, REGISTER, NAMES_A),
			 "STATUS_ACCESS_DENIED");
	cr_assert_eq(fake_host->looks, 0u);
}

Test(found_gpus, a_vmm_that_cannot_be_examined_keeps_what_was_seen)
{
	hold(fixture.vmm, HELD_GPU_VIRTUAL_FUNCTION, FUNCTION, DISPLAY);
	cr_assert_str_eq(register_client(), SUCCESS);
	fixture.vmm->held_lookup = LOOKUP_EXHAUSTED;
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 1u);
	cr_assert_str_eq(open_object(), UNKNOWN, "but nothing is opened because of it");
	cr_assert_eq(count_ended(END_LAST_VIRTUAL_GPU_REMOVED), 0u);
	fixture.vmm->held_lookup = LOOKUP_FOUND;
	cr_assert_str_eq(open_object(), SUCCESS);
}

Test(found_gpus, a_look_that_does_not_see_everything_takes_nothing_away)
{
	hold(fixture.vmm, HELD_GPU_VIRTUAL_FUNCTION, FUNCTION, DISPLAY);
	cr_assert_str_eq(register_client(), SUCCESS);
	close_all(fixture.vmm);
	hold(fixture.vmm, HELD_GPU_VIRTUAL_FUNCTION, FURTHER, DISPLAY);
	fixture.vmm->held.is_complete = false;
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 2u);
	cr_assert_str_eq(open_object(), SUCCESS, "one of them was seen now");
	fixture.vmm->held.is_complete = true;
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 1u);
}

Test(found_gpus, registrations_survive_a_change_of_the_function)
{
	hold(fixture.vmm, HELD_GPU_VIRTUAL_FUNCTION, FUNCTION, DISPLAY);
	hold(fixture.vmm, HELD_GPU_VIRTUAL_FUNCTION, FURTHER, DISPLAY);
	cr_assert_str_eq(register_client(), SUCCESS);
	cr_assert_eq(describe(NAMES_A), 2u);
	close_all(fixture.vmm);
	hold(fixture.vmm, HELD_GPU_VIRTUAL_FUNCTION, FURTHER, DISPLAY);
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 1u);
	close_all(fixture.vmm);
	hold(fixture.vmm, HELD_GPU_MDEV, "4b20d080-1b54-4048-85b3-a6a62d165c01", DISPLAY);
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 1u);
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.virtualGpus[0].source"), "mdev");
	cr_assert_eq(count_ended(END_LAST_VIRTUAL_GPU_REMOVED), 0u);
}

Test(found_gpus, a_function_with_another_profile_is_another_one)
{
	char handle[64];

	strcpy(hold(fixture.vmm, HELD_GPU_VIRTUAL_FUNCTION, FUNCTION, DISPLAY)->profile,
	       "nvidia-1");
	look(GUID_A);
	describe(NAMES_A);
	snprintf(handle, sizeof(handle), "%s",
		 reply_string(fake_host, "virtualMachine.virtualGpus[0].virtualGpu"));
	strcpy(fixture.vmm->held.items[0].profile, "nvidia-2");
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 1u);
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.virtualGpus[0].profile"),
			 "nvidia-2");
	cr_assert_str_neq(reply_string(fake_host, "virtualMachine.virtualGpus[0].virtualGpu"),
			  handle);
}

Test(found_gpus, the_function_is_the_next_vms)
{
	FakeProcess *other = add_other_vm();

	hold(fixture.vmm, HELD_GPU_VIRTUAL_FUNCTION, FUNCTION, DISPLAY);
	cr_assert_str_eq(register_client(), SUCCESS);
	close_all(fixture.vmm);
	hold(other, HELD_GPU_VIRTUAL_FUNCTION, FUNCTION, DISPLAY);
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_B), SUCCESS);
	broker_end_some(fake_host->service.broker, UINT64_MAX);
	cr_assert_eq(describe(NAMES_A), 0u, "although nobody has looked at its VMM");
	cr_assert_eq(describe(NAMES_B), 1u);
	cr_assert_eq(count_ended(END_LAST_VIRTUAL_GPU_REMOVED), 1u);
}

/* Even if the VMM that had it before makes every look fail. */
Test(found_gpus, an_unreadable_vmm_cannot_keep_the_function_of_the_next_vm)
{
	FakeProcess *other = add_other_vm();

	hold(fixture.vmm, HELD_GPU_MDEV, FUNCTION, DISPLAY);
	cr_assert_str_eq(register_client(), SUCCESS);
	fixture.vmm->held_lookup = LOOKUP_EXHAUSTED;
	hold(other, HELD_GPU_MDEV, FUNCTION, DISPLAY);
	look(GUID_B);
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 0u);
	cr_assert_eq(describe(NAMES_B), 1u);
}

Test(found_gpus, several_vms_may_have_a_node_of_the_host)
{
	FakeProcess *other = add_other_vm();

	hold(fixture.vmm, HELD_GPU_PARAVIRTUAL, DEVICE, 0);
	hold(other, HELD_GPU_PARAVIRTUAL, DEVICE, 0);
	look(GUID_A);
	look(GUID_B);
	cr_assert_eq(describe(NAMES_A), 1u);
	cr_assert_eq(describe(NAMES_B), 1u);
}

Test(found_gpus, two_vms_of_one_vmm_have_the_same_function)
{
	cr_assert_str_eq(callf(fake_host, fixture.admin, REGISTER_MACHINE,
			       "{\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d,"
			       "\"displayClients\":[{\"user\":\"alice\"}]}",
			       GUID_B, fixture.vmm->pid),
			 SUCCESS);
	hold(fixture.vmm, HELD_GPU_MDEV, FUNCTION, DISPLAY);
	look(GUID_A);
	look(GUID_B);
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 1u);
	cr_assert_eq(describe(NAMES_B), 1u);
}

Test(found_gpus, nobody_removes_it_through_the_interface)
{
	hold(fixture.vmm, HELD_GPU_MDEV, FUNCTION, DISPLAY);
	look(GUID_A);
	describe(NAMES_A);
	char parameters[128];
	snprintf(parameters, sizeof(parameters), "{\"virtualGpu\":\"%s\"}",
		 reply_string(fake_host, "virtualMachine.virtualGpus[0].virtualGpu"));
	cr_assert_str_eq(call(fake_host, fixture.stranger, REMOVE, parameters),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(call(fake_host, fixture.admin, REMOVE, parameters),
			 "STATUS_NOT_SUPPORTED");
	cr_assert_not_null(strstr(fake_host->reply_text, "has the function open"));
	cr_assert_eq(describe(NAMES_A), 1u);
}

Test(found_gpus, an_assigned_one_beside_it_ends_by_request_alone)
{
	hold(fixture.vmm, HELD_GPU_MDEV, FUNCTION, DISPLAY);
	cr_assert_str_eq(register_client(), SUCCESS);
	cr_assert_str_eq(call(fake_host, fixture.admin, ASSIGN, NAMES_A), SUCCESS);
	close_all(fixture.vmm);
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 1u);
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.virtualGpus[0].source"), "api");
	cr_assert_eq(count_ended(END_LAST_VIRTUAL_GPU_REMOVED), 0u);
}

Test(found_gpus, the_incoming_vmm_opens_it_before_the_vmm_closes_it)
{
	FakeProcess *incoming = fake_host_process(fake_host, OTHER_PID, 947);

	hold(fixture.vmm, HELD_GPU_PARAVIRTUAL, DEVICE, 0);
	cr_assert_str_eq(register_client(), SUCCESS);
	cr_assert_str_eq(callf(fake_host, fixture.admin, REGISTER_MACHINE,
			       "{\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d}", GUID_A, OTHER_PID),
			 SUCCESS);
	hold(incoming, HELD_GPU_PARAVIRTUAL, DEVICE, 0);
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 1u, "both hold the same node");
	close_all(fixture.vmm);
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 1u);
	fake_host_exit(fake_host, fixture.vmm);
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 1u);
	cr_assert_eq(fake_host_events(fake_host, EVENT_UNREGISTERED), 1u,
		     "only that of set_up() has ended");
	close_all(incoming);
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 0u);
	cr_assert_eq(fake_host_events(fake_host, EVENT_UNREGISTERED), 2u);
}

Test(found_gpus, survive_a_restart_and_are_looked_at_afterwards)
{
	strcpy(hold(fixture.vmm, HELD_GPU_VIRTUAL_FUNCTION, FUNCTION, DISPLAY)->profile,
	       "nvidia-558");
	cr_assert_str_eq(register_client(), SUCCESS);
	char before[64];
	describe(NAMES_A);
	snprintf(before, sizeof(before), "%s",
		 reply_string(fake_host, "virtualMachine.virtualGpus[0].virtualGpu"));
	fake_host_restart(fake_host);
	broker_check(fake_host->service.broker);
	cr_assert_eq(describe(NAMES_A), 1u);
	cr_assert_eq(reply_number(fake_host, "virtualMachine.registrations"), 1u);
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.virtualGpus[0].virtualGpu"),
			 before);
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.virtualGpus[0].function"),
			 FUNCTION);
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.virtualGpus[0].profile"),
			 "nvidia-558");
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 1u);
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.virtualGpus[0].virtualGpu"),
			 before, "it is the same one");
	close_all(fixture.vmm);
	fake_host_restart(fake_host);
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), 0u, "it was closed while the daemon did not run");
	cr_assert_eq(reply_number(fake_host, "virtualMachine.registrations"), 0u);
}

Test(found_gpus, a_quarantined_vm_keeps_it_and_nobody_registers)
{
	hold(fixture.vmm, HELD_GPU_MDEV, FUNCTION, DISPLAY);
	cr_assert_str_eq(register_client(), SUCCESS);
	cr_assert_str_eq(call(fake_host, fixture.admin, SET_QUARANTINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}"),
			 SUCCESS);
	size_t looks = fake_host->looks;
	cr_assert_str_eq(register_client(), "STATUS_ACCESS_DENIED");
	cr_assert_eq(fake_host->looks, looks);
	cr_assert_eq(describe(NAMES_A), 1u);
}

Test(found_gpus, there_is_an_end_to_how_many_a_vm_has)
{
	char handle[64];

	for (size_t i = 0; i < LIMIT_VIRTUAL_GPUS_OF_MACHINE; i++)
		cr_assert_str_eq(call(fake_host, fixture.admin, ASSIGN, NAMES_A), SUCCESS);
	hold(fixture.vmm, HELD_GPU_MDEV, FUNCTION, DISPLAY);
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), (size_t)LIMIT_VIRTUAL_GPUS_OF_MACHINE);
	snprintf(handle, sizeof(handle), "%s",
		 reply_string(fake_host, "virtualMachine.virtualGpus[0].virtualGpu"));
	cr_assert_str_eq(callf(fake_host, fixture.admin, REMOVE, "{\"virtualGpu\":\"%s\"}", handle),
			 SUCCESS);
	look(GUID_A);
	cr_assert_eq(describe(NAMES_A), (size_t)LIMIT_VIRTUAL_GPUS_OF_MACHINE);
}

Test(found_gpus, what_cannot_be_saved_is_not_added)
{
	hold(fixture.vmm, HELD_GPU_MDEV, FUNCTION, DISPLAY);
	fake_host->refuse_persist = true;
	cr_assert_str_eq(register_client(), UNKNOWN);
	fake_host->refuse_persist = false;
	cr_assert_eq(describe(NAMES_A), 0u);
	cr_assert_str_eq(register_client(), SUCCESS);
}
