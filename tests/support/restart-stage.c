/* SPDX-License-Identifier: MIT */
#include "tests/support/restart-stage.h"

#include <stdlib.h>
#include <string.h>

static void set_up_machines(Stage *stage)
{
	FakeHost *fake_host = stage->fake_host;
	Caller *admin = stage->fixture.admin;

	stage->helper = fake_host_process(fake_host, 500, 1001);
	stage->other_vmm = fake_host_process(fake_host, 600, 1000);
	process_set_groups(stage->helper, 1001, 3, (gid_t[]){ 27, 44, 4294967294 });
	stage->helping = fake_host_connect(fake_host, stage->helper);
	stage->other_machine = fake_host_connect(fake_host, stage->other_vmm);
	cr_assert_str_eq(call(fake_host, admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":600,"
			      "\"name\":\"\\u00e4 \\\"quoted\\\" \\\\ name\\n\","
			      "\"displayClients\":[{\"pid\":400},{\"user\":\"alice\"}],"
			      "\"agent\":{\"pid\":500}}"),
			 SUCCESS);
	cr_assert_str_eq(call(fake_host, admin, ASSIGN,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"profile\":\"half\"}"),
			 SUCCESS);
	strcpy(stage->virtual_gpu, reply_string(fake_host, "virtualGpu"));
	cr_assert_str_eq(call(fake_host, admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"agent\":{\"user\":\"bob\"}}"),
			 SUCCESS);
	cr_assert_str_eq(call(fake_host, stage->fixture.stranger, REGISTER, NAMES_B), SUCCESS);
	cr_assert_str_eq(call(fake_host, stage->fixture.client, REGISTER, NAMES_B), SUCCESS);
}

static void set_up_address_space(Stage *stage)
{
	FakeHost *fake_host = stage->fake_host;
	Caller *client = stage->fixture.client;
	const char *process = stage->gpu_process;

	cr_assert_str_eq(call(fake_host, client, CREATE_CONTEXT, NULL), SUCCESS);
	strcpy(stage->context, reply_string(fake_host, "context"));
	strcpy(stage->gpu_process, reply_string(fake_host, "process"));
	cr_assert_str_eq(call(fake_host, client, CREATE_CONTEXT, NULL), SUCCESS);
	cr_assert_str_eq(map(fake_host, client, process, 8192, STAGE_DRIVER), SUCCESS);
	cr_assert_str_eq(reserve(fake_host, client, process, 1u << 20, STAGE_OWN), SUCCESS);
	cr_assert_str_eq(map(fake_host, client, process, 1u << 18, "0x20000010000"), SUCCESS);
	/* Free a part of the mapping, then a part of the reservation that includes its end. */
	cr_assert_str_eq(free_addresses(fake_host, client, process, "0x20000020000", 4096),
			 SUCCESS);
	cr_assert_str_eq(free_addresses(fake_host, client, process, "0x20000028000", 0x80000),
			 SUCCESS);
	cr_assert_str_eq(callf(fake_host, client, MAP_ADDRESS,
			       "{\"process\":\"%s\",\"sizeInBytes\":4096,\"protection\":\"zero\","
			       "\"baseAddress\":\"" STAGE_MAPPING "\"}",
			       process),
			 SUCCESS);
	cr_assert_str_eq(map(fake_host, client, process, 1u << 16, NULL), SUCCESS);
}

static void set_up_objects(Stage *stage)
{
	FakeHost *fake_host = stage->fake_host;
	Caller *machine = stage->fixture.machine;
	int fds[3] = {
		fake_host_fd(fake_host, FD_DMABUF, 1u << 20),
		fake_host_fd(fake_host, FD_DMABUF, 1u << 21),
		fake_host_fd(fake_host, FD_SYNC_FILE, 0),
	};

	share_image(&stage->fixture, stage->image);
	cr_assert_str_eq(
		share(fake_host, machine,
		      "\"type\":\"resourceWithFence\",\"access\":\"readWrite\",\"width\":64,"
		      "\"height\":32,\"format\":\"NV12\",\"modifier\":\"0xff00000000000001\","
		      "\"name\":\"scanout\",\"firstRow\":\"bottom\",\"planes\":[{"
		      "\"fileDescriptor\":0,\"offset\":0,"
		      "\"stride\":64},{\"fileDescriptor\":1,\"offset\":4096,\"stride\":64}],"
		      "\"fence\":{\"fileDescriptor\":2}",
		      fds, 3, stage->fence),
		SUCCESS);
	share_image(&stage->fixture, stage->taken_back);
	cr_assert_str_eq(open_and_close_fds(fake_host, stage->fixture.client, stage->image, NULL),
			 SUCCESS);
	cr_assert_str_eq(
		open_and_close_fds(fake_host, stage->fixture.client, stage->taken_back, NULL),
		SUCCESS);
	cr_assert_str_eq(with_handle(fake_host, machine, UNSHARE, stage->taken_back), SUCCESS);
}

Stage stage_new(void)
{
	Stage stage = { .fixture = host_fixture_new_sharing() };
	SoftwareAdapterSettings *software;

	stage.fake_host = stage.fixture.fake_host;
	software = &stage.fake_host->service.settings.software_adapter;
	software->of_processes = (ConfiguredReservations){
		.count = 1,
		.items = { { .size = 4u << 20,
			     .base_address = UINT64_C(0x10000000000),
			     .allow_user_mode_mapping = true } },
	};
	fake_host_reload(stage.fake_host);
	stage.fake_host->now += 1234567;
	set_up_machines(&stage);
	set_up_address_space(&stage);
	stage.fake_host->now += 1234567;
	set_up_objects(&stage);
	return stage;
}

void stage_free(Stage *stage)
{
	host_fixture_free(&stage->fixture);
}

void stage_restart_unchanged(Stage *stage)
{
	char *before = fake_host_snapshot(stage->fake_host, stage->fixture.admin);

	fake_host_restart(stage->fake_host);
	char *after = fake_host_snapshot(stage->fake_host, stage->fixture.admin);
	cr_assert_str_eq(before, after);
	cr_assert_eq(stage->fake_host->report.drop_count, 0u, "%s",
		     stage->fake_host->report.drops[0].reason);
	free(before);
	free(after);
}

size_t stage_dropped(const Stage *stage, StoreKind kind, const char *reason)
{
	const StoreReport *report = &stage->fake_host->report;
	size_t count = 0;

	for (size_t i = 0; i < report->told_count; i++)
		if (report->drops[i].kind == kind && strcmp(report->drops[i].reason, reason) == 0)
			count += report->drops[i].count;
	return count;
}
