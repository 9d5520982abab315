/* SPDX-License-Identifier: MIT */
#include "tests/support/restart-stage.h"

#include <stdlib.h>
#include <string.h>

static void set_up_machines(Stage *stage)
{
	World *world = stage->world;
	Caller *admin = stage->cast.admin;

	stage->helper = world_process(world, 500, 1001);
	stage->other_vmm = world_process(world, 600, 1000);
	process_set_groups(stage->helper, 1001, 3, (gid_t[]){ 27, 44, 4294967294 });
	stage->helping = world_connect(world, stage->helper);
	stage->other_machine = world_connect(world, stage->other_vmm);
	cr_assert_str_eq(call(world, admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":600,"
			      "\"name\":\"\\u00e4 \\\"quoted\\\" \\\\ name\\n\","
			      "\"displayClients\":[{\"pid\":400},{\"user\":\"alice\"}],"
			      "\"agent\":{\"pid\":500}}"),
			 SUCCESS);
	cr_assert_str_eq(call(world, admin, ASSIGN,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"profile\":\"half\"}"),
			 SUCCESS);
	strcpy(stage->virtual_gpu, reply_string(world, "virtualGpu"));
	cr_assert_str_eq(call(world, admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"agent\":{\"user\":\"bob\"}}"),
			 SUCCESS);
	cr_assert_str_eq(call(world, stage->cast.stranger, REGISTER, NAMES_B), SUCCESS);
	cr_assert_str_eq(call(world, stage->cast.client, REGISTER, NAMES_B), SUCCESS);
}

static void set_up_address_space(Stage *stage)
{
	World *world = stage->world;
	Caller *client = stage->cast.client;
	const char *process = stage->gpu_process;

	cr_assert_str_eq(call(world, client, CREATE_CONTEXT, NULL), SUCCESS);
	strcpy(stage->context, reply_string(world, "context"));
	strcpy(stage->gpu_process, reply_string(world, "process"));
	cr_assert_str_eq(call(world, client, CREATE_CONTEXT, NULL), SUCCESS);
	cr_assert_str_eq(map(world, client, process, 8192, STAGE_DRIVER), SUCCESS);
	cr_assert_str_eq(reserve(world, client, process, 1u << 20, STAGE_OWN), SUCCESS);
	cr_assert_str_eq(map(world, client, process, 1u << 18, "0x20000010000"), SUCCESS);
	/* Free a part of the mapping, then a part of the reservation that includes its end. */
	cr_assert_str_eq(free_addresses(world, client, process, "0x20000020000", 4096), SUCCESS);
	cr_assert_str_eq(free_addresses(world, client, process, "0x20000028000", 0x80000), SUCCESS);
	cr_assert_str_eq(callf(world, client, MAP_ADDRESS,
			       "{\"process\":\"%s\",\"sizeInBytes\":4096,\"protection\":\"zero\","
			       "\"baseAddress\":\"" STAGE_MAPPING "\"}",
			       process),
			 SUCCESS);
	cr_assert_str_eq(map(world, client, process, 1u << 16, NULL), SUCCESS);
}

static void set_up_objects(Stage *stage)
{
	World *world = stage->world;
	Caller *machine = stage->cast.machine;
	Descriptor descriptors[3] = {
		world_descriptor(world, DESCRIPTOR_DMABUF, 1u << 20),
		world_descriptor(world, DESCRIPTOR_DMABUF, 1u << 21),
		world_descriptor(world, DESCRIPTOR_SYNC_FILE, 0),
	};

	share_image(&stage->cast, stage->image);
	cr_assert_str_eq(
		share(world, machine,
		      "\"type\":\"resourceWithFence\",\"access\":\"readWrite\",\"width\":64,"
		      "\"height\":32,\"format\":\"NV12\",\"modifier\":\"0xff00000000000001\","
		      "\"name\":\"scanout\",\"planes\":[{\"fileDescriptor\":0,\"offset\":0,"
		      "\"stride\":64},{\"fileDescriptor\":1,\"offset\":4096,\"stride\":64}],"
		      "\"fence\":{\"fileDescriptor\":2}",
		      descriptors, 3, stage->fence),
		SUCCESS);
	share_image(&stage->cast, stage->taken_back);
	cr_assert_str_eq(open_and_drop(world, stage->cast.client, stage->image, NULL), SUCCESS);
	cr_assert_str_eq(open_and_drop(world, stage->cast.client, stage->taken_back, NULL),
			 SUCCESS);
	cr_assert_str_eq(with_handle(world, machine, UNSHARE, stage->taken_back), SUCCESS);
}

Stage stage_new(void)
{
	Stage stage = { .cast = cast_new_sharing() };
	SoftwareAdapterSettings *software;

	stage.world = stage.cast.world;
	software = &stage.world->service.settings.software_adapter;
	software->of_processes = (ConfiguredReservations){
		.count = 1,
		.items = { { .size = 4u << 20,
			     .base_address = UINT64_C(0x10000000000),
			     .allow_user_mode_mapping = true } },
	};
	world_reload(stage.world);
	stage.world->now += 1234567;
	set_up_machines(&stage);
	set_up_address_space(&stage);
	stage.world->now += 1234567;
	set_up_objects(&stage);
	return stage;
}

void stage_free(Stage *stage)
{
	cast_free(&stage->cast);
}

void stage_restart_unseen(Stage *stage)
{
	char *before = world_picture(stage->world, stage->cast.admin);

	world_restart(stage->world);
	char *after = world_picture(stage->world, stage->cast.admin);
	cr_assert_str_eq(before, after);
	cr_assert_eq(stage->world->report.drop_count, 0u, "%s",
		     stage->world->report.drops[0].reason);
	free(before);
	free(after);
}

size_t stage_dropped(const Stage *stage, StoreKind kind, const char *reason)
{
	const StoreReport *report = &stage->world->report;
	size_t count = 0;

	for (size_t i = 0; i < report->told_count; i++)
		if (report->drops[i].kind == kind && strcmp(report->drops[i].reason, reason) == 0)
			count += report->drops[i].count;
	return count;
}
