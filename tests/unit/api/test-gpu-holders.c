/* SPDX-License-Identifier: MIT */
/*
 * Tests ListHolders. The host examines each VMM when the item of its VM is written. Operators see
 * all VMs, and other users see theirs. A long examination lets the session wait.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-gpu.h"

#define OTHER_VMM_PID 4242

static HostFixture fixture;
static FakeProcess *vmm;

static void set_up(void)
{
	fixture = host_fixture_new();
	vmm = fixture.vmm;
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

TestSuite(gpu_holders, .init = set_up, .fini = tear_down);

static void hold(FakeProcess *process, HeldGpuKind kind, const char *function, const char *parent)
{
	HeldGpu *gpu = &process->held.items[process->held.count++];

	process->held_lookup = LOOKUP_FOUND;
	process->held.is_complete = true;
	gpu->kind = kind;
	snprintf(gpu->function, sizeof(gpu->function), "%s", function);
	snprintf(gpu->parent, sizeof(gpu->parent), "%s", parent);
}

static void list(Caller *caller, size_t count)
{
	cr_assert_str_eq(call(fixture.fake_host, caller, LIST_GPU_HOLDERS, NULL), "STATUS_SUCCESS");
	cr_assert_eq(reply_count(fixture.fake_host, "holders"), count, "%zu VMs",
		     reply_count(fixture.fake_host, "holders"));
}

static bool is_complete(void)
{
	bool complete = false;

	cr_assert(json_read_boolean(reply_value(fixture.fake_host, "holders[0].complete"),
				    &complete));
	return complete;
}

/* Adds a second VM whose VMM is another process. */
static FakeProcess *add_machine(const char *guid)
{
	FakeProcess *other = fake_host_process(fixture.fake_host, OTHER_VMM_PID, 947);

	cr_assert_str_eq(callf(fixture.fake_host, fixture.admin, REGISTER_MACHINE,
			       "{\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d,"
			       "\"displayClients\":[{\"user\":\"alice\"}]}",
			       guid, OTHER_VMM_PID),
			 "STATUS_SUCCESS");
	return other;
}

Test(gpu_holders, nothing_is_held)
{
	FakeHost *fake_host = fixture.fake_host;

	list(fixture.admin, 1);
	cr_assert_str_eq(reply_string(fake_host, "holders[0].virtualMachineGuid"), GUID_A);
	cr_assert_eq(reply_count(fake_host, "holders[0].gpus"), 0u);
	cr_assert(is_complete());
}

Test(gpu_holders, function_with_its_profile_and_device)
{
	FakeHost *fake_host = fixture.fake_host;

	hold(vmm, HELD_GPU_VIRTUAL_FUNCTION, "0000:41:00.4", "0000:41:00.0");
	strcpy(vmm->held.items[0].profile, "nvidia-558");
	vmm->held.items[0].pci_class = 0x030200;
	list(fixture.admin, 1);
	cr_assert_str_eq(reply_string(fake_host, "holders[0].gpus[0].function"), "0000:41:00.4");
	cr_assert_str_eq(reply_string(fake_host, "holders[0].gpus[0].kind"), "virtualFunction");
	cr_assert_str_eq(reply_string(fake_host, "holders[0].gpus[0].device"), "0000:41:00.0");
	cr_assert_str_eq(reply_string(fake_host, "holders[0].gpus[0].profile"), "nvidia-558");
	cr_assert_str_eq(reply_string(fake_host, "holders[0].gpus[0].pciClass"), "0x030200");
	cr_assert_eq(reply_number(fake_host, "holders[0].vmmPid"), (uint64_t)vmm->pid);
	cr_assert_null(reply_value(fake_host, "holders[0].gpus[0].adapter"), "not listed");
}

Test(gpu_holders, each_kind_names_the_adapter_it_belongs_to)
{
	FakeHost *fake_host = fixture.fake_host;
	Broker *broker = fake_host->service.broker;
	const AdapterDevice device = { .location = "0000:41:00.0", .is_pci = true };
	char expected[HANDLE_TEXT_LENGTH + 1], path[64];
	Adapter *adapter;
	Failure failure;

	cr_assert_eq(adapter_prepare_found(broker, "GPU", &device, &adapter, &failure),
		     STATUS_SUCCESS);
	adapter_commit(broker, adapter);
	handle_format(&adapter->handle_entry.handle, expected);
	hold(vmm, HELD_GPU_VIRTUAL_FUNCTION, "0000:41:00.4", "0000:41:00.0");
	hold(vmm, HELD_GPU_PASSTHROUGH, "0000:41:00.0", "");
	hold(vmm, HELD_GPU_PARAVIRTUAL, "0000:41:00.0", "0000:41:00.0");
	list(fixture.admin, 1);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "holders[0].gpus[%zu].adapter", i);
		cr_assert_str_eq(reply_string(fake_host, path), expected);
	}
}

/* The same function in the hands of the next VM is the next VM's. */
Test(gpu_holders, holder_is_looked_at_each_time)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeProcess *other = add_machine(GUID_B);

	hold(vmm, HELD_GPU_VIRTUAL_FUNCTION, "0000:41:00.4", "0000:41:00.0");
	list(fixture.admin, 2);
	cr_assert_eq(reply_count(fake_host, "holders[0].gpus"), 1u);
	cr_assert_eq(reply_count(fake_host, "holders[1].gpus"), 0u);
	vmm->held_lookup = LOOKUP_ABSENT;
	hold(other, HELD_GPU_VIRTUAL_FUNCTION, "0000:41:00.4", "0000:41:00.0");
	list(fixture.admin, 2);
	cr_assert_eq(reply_count(fake_host, "holders[0].gpus"), 0u);
	cr_assert_eq(reply_count(fake_host, "holders[1].gpus"), 1u);
}

Test(gpu_holders, others_see_what_is_theirs)
{
	size_t reads;

	list(fixture.machine, 1);
	reads = fixture.fake_host->held_reads;
	list(fixture.client, 0);
	list(fixture.stranger, 0);
	cr_assert_eq(fixture.fake_host->held_reads, reads, "nobody's VMM was examined for them");
}

Test(gpu_holders, one_machine)
{
	FakeHost *fake_host = fixture.fake_host;

	add_machine(GUID_B);
	cr_assert_str_eq(call(fake_host, fixture.admin, LIST_GPU_HOLDERS, NAMES_B),
			 "STATUS_SUCCESS");
	cr_assert_eq(reply_count(fake_host, "holders"), 1u);
	cr_assert_str_eq(reply_string(fake_host, "holders[0].virtualMachineGuid"), GUID_B);
	cr_assert_eq(fake_host->held_reads, 1u, "the other VMM was not examined");
	cr_assert_str_eq(callf(fake_host, fixture.admin, LIST_GPU_HOLDERS,
			       "{\"virtualMachineGuid\":\"%s\"}", GUID_C),
			 "STATUS_NOT_FOUND");
}

Test(gpu_holders, search_that_takes_several_turns)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeProcess *other = add_machine(GUID_B);

	hold(vmm, HELD_GPU_MDEV, "4b20d080-1b54-4048-85b3-a6a62d165c01", "0000:41:00.0");
	hold(other, HELD_GPU_PARAVIRTUAL, "faux/vgem", "faux/vgem");
	vmm->held_turns = 3;
	other->held_turns = 2;
	list(fixture.admin, 2);
	cr_assert_str_eq(reply_string(fake_host, "holders[0].gpus[0].kind"), "mdev");
	cr_assert_str_eq(reply_string(fake_host, "holders[1].gpus[0].kind"), "paravirtual");
}

Test(gpu_holders, search_with_more_has_one_reply_for_each_machine)
{
	static const char request[] = "{\"method\":\"" LIST_GPU_HOLDERS "\",\"more\":true}\n";
	FakeProcess *other = add_machine(GUID_B);

	hold(other, HELD_GPU_PARAVIRTUAL, "faux/vgem", "faux/vgem");
	vmm->held_turns = 3;
	other->held_turns = 2;
	const char *text = exchange(fixture.fake_host, fixture.admin, request);
	const char *second = strchr(text, '\n');
	cr_assert(strstr(text, GUID_A) < second, "%s", text);
	cr_assert_gt(strstr(text, GUID_B), second);
	cr_assert_not_null(strstr(second, "faux/vgem"));
	cr_assert_eq(strchr(second + 1, '\n') + 1, text + strlen(text), "there are two replies");
}

Test(gpu_holders, vmm_that_cannot_be_examined)
{
	static const Lookup lookups[] = { LOOKUP_UNREADABLE, LOOKUP_EXHAUSTED, LOOKUP_GONE };
	FakeHost *fake_host = fixture.fake_host;

	for (size_t i = 0; i < ARRAY_SIZE(lookups); i++) {
		vmm->held_lookup = lookups[i];
		list(fixture.admin, 1);
		cr_assert_eq(reply_count(fake_host, "holders[0].gpus"), 0u);
		cr_assert_not(is_complete());
	}
}

Test(gpu_holders, vmm_that_holds_more_than_is_examined)
{
	hold(vmm, HELD_GPU_PARAVIRTUAL, "faux/vgem", "faux/vgem");
	vmm->held.is_complete = false;
	list(fixture.admin, 1);
	cr_assert_not(is_complete());
}

static void begin_hand_over(FakeProcess *incoming)
{
	cr_assert_str_eq(callf(fixture.fake_host, fixture.admin, REGISTER_MACHINE,
			       "{\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d}", GUID_A,
			       incoming->pid),
			 "STATUS_SUCCESS");
}

Test(gpu_holders, incoming_vmm_has_an_item_of_its_own)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeProcess *incoming = fake_host_process(fake_host, OTHER_VMM_PID, 947);
	bool is_incoming = false;

	hold(vmm, HELD_GPU_PARAVIRTUAL, "faux/vgem", "faux/vgem");
	begin_hand_over(incoming);
	hold(incoming, HELD_GPU_MDEV, "4b20d080-1b54-4048-85b3-a6a62d165c01", "0000:41:00.0");
	incoming->held_turns = 2;
	list(fixture.admin, 2);
	cr_assert_eq(reply_number(fake_host, "holders[0].vmmPid"), (uint64_t)vmm->pid);
	cr_assert_null(reply_value(fake_host, "holders[0].incoming"));
	cr_assert_str_eq(reply_string(fake_host, "holders[0].gpus[0].kind"), "paravirtual");
	cr_assert_str_eq(reply_string(fake_host, "holders[1].virtualMachineGuid"), GUID_A);
	cr_assert_eq(reply_number(fake_host, "holders[1].vmmPid"), (uint64_t)OTHER_VMM_PID);
	cr_assert(json_read_boolean(reply_value(fake_host, "holders[1].incoming"), &is_incoming) &&
		  is_incoming);
	cr_assert_str_eq(reply_string(fake_host, "holders[1].gpus[0].kind"), "mdev");
	fake_host_exit(fake_host, vmm);
	list(fixture.admin, 1);
	cr_assert_eq(reply_number(fake_host, "holders[0].vmmPid"), (uint64_t)OTHER_VMM_PID);
	cr_assert_null(reply_value(fake_host, "holders[0].incoming"), "it is the VMM now");
}

Test(gpu_holders, incoming_vmm_is_listed_with_more)
{
	static const char request[] = "{\"method\":\"" LIST_GPU_HOLDERS "\",\"more\":true}\n";
	FakeProcess *incoming = fake_host_process(fixture.fake_host, OTHER_VMM_PID, 947);

	begin_hand_over(incoming);
	const char *text = exchange(fixture.fake_host, fixture.admin, request);
	const char *second = strchr(text, '\n');
	cr_assert_null(strstr(second + 1, "\"continues\":true"));
	cr_assert_not_null(strstr(second, "\"incoming\":true"), "%s", text);
	cr_assert_eq(strchr(second + 1, '\n') + 1, text + strlen(text), "there are two replies");
}
