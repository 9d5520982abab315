/* SPDX-License-Identifier: MIT */
/* Shared objects: validation, memory facts, opening, updates, limits and ends. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-share.h"

static Cast cast;

static void set_up(void)
{
	cast = cast_new_sharing();
}

static void tear_down(void)
{
	cast_free(&cast);
}

TestSuite(shared_objects, .init = set_up, .fini = tear_down);

#define SUCCESS "STATUS_SUCCESS"

Test(shared_objects, an_object_is_opened_as_it_was_described)
{
	char handle[64];
	Offered offered;
	char parameters[96];
	World *world = cast.world;

	share_image(&cast, handle);
	cr_assert_eq(world_open_descriptors(world), 1u, "only the daemon's copy of the fd is open");
	snprintf(parameters, sizeof(parameters), "{\"handle\":\"%s\"}", handle);
	cr_assert_str_eq(
		call_with_descriptors(world, cast.client, OPEN, parameters, NULL, 0, &offered),
		SUCCESS);
	cr_assert_eq(offered.count, 1u);
	cr_assert_not(world_descriptor_of(world, offered.items[0])->facts.is_writable);
	cr_assert_str_eq(reply_string(world, "object.format"), "XR24");
	cr_assert_eq(reply_number(world, "object.planes[0].fileDescriptor"), 0u);
	cr_assert_eq(reply_number(world, "object.planes[0].stride"), 256u);
	cr_assert_str_eq(reply_string(world, "memory.kind"), "memfd");
	cr_assert_eq(reply_number(world, "memory.sizeInBytes"), IMAGE_SIZE);
	world_close(world, offered.items[0]);
	call(world, cast.admin, DESCRIBE, NAMES_A);
	cr_assert_eq(reply_number(world, "virtualMachine.sharedObjects"), 1u);
	cr_assert_eq(reply_number(world, "virtualMachine.sharedBytes"), IMAGE_SIZE);
	call(world, cast.client, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_number(world, "registrations[0].openObjects"), 1u);
}

Test(shared_objects, the_seals_of_the_memory_are_reported)
{
	static const struct {
		bool size, writes;
		const char *sealed, *enforced;
	} rows[] = {
		{ false, false, "false", "false" },
		{ true, false, "true", "false" },
		{ false, true, "false", "false" },
		{ true, true, "true", "true" },
	};
	World *world = cast.world;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Descriptor memory = sealed_memory(world);
		DescriptorFacts *facts = &world_descriptor_of(world, memory)->facts;

		facts->size_is_sealed = rows[i].size;
		facts->writes_are_sealed = rows[i].writes;
		cr_assert_str_eq(share(world, cast.machine, IMAGE, &memory, 1, NULL), SUCCESS);
		char expected[64];
		snprintf(expected, sizeof(expected), "\"sizeSealed\":%s,\"accessEnforced\":%s",
			 rows[i].sealed, rows[i].enforced);
		cr_assert_not_null(strstr(world->reply_text, expected), "%s", world->reply_text);
	}
}

#define PLANES(text) "\"type\":\"resource\",\"access\":\"read\",\"width\":64,\"height\":32," text

Test(shared_objects, an_error_names_the_invalid_parameter)
{
	static const struct {
		const char *object, *status, *parameter;
	} rows[] = {
		{ PLANES("\"format\":\"XR24\""), "STATUS_INVALID_PARAMETER", "object.planes" },
		{ PLANES("\"format\":\"XR2\",\"planes\":[]"), "STATUS_INVALID_PARAMETER",
		  "object.format" },
		{ PLANES("\"format\":\"XR24\",\"planes\":[{\"offset\":0,\"stride\":256}]"),
		  "STATUS_INVALID_PARAMETER", "object.planes[0].fileDescriptor" },
		{ PLANES("\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":1,\"offset\":0,"
			 "\"stride\":256}]"),
		  "STATUS_INVALID_PARAMETER", "object.planes[0].fileDescriptor" },
		{ PLANES("\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,\"offset\":0,"
			 "\"stride\":0}]"),
		  "STATUS_INVALID_PARAMETER", "object.planes[0]" },
		{ PLANES("\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,\"offset\":1,"
			 "\"stride\":256}]"),
		  "STATUS_INVALID_PARAMETER", "object.planes[0]" },
		{ PLANES("\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,"
			 "\"offset\":9223372036854775807,\"stride\":256}]"),
		  "STATUS_INVALID_PARAMETER", "object.planes[0]" },
		{ PLANES("\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,\"offset\":0,"
			 "\"stride\":9223372036854775807}]"),
		  "STATUS_INVALID_PARAMETER", "object.planes[0]" },
		{ IMAGE ",\"fence\":{\"fileDescriptor\":0}", "STATUS_INVALID_PARAMETER",
		  "object.fence" },
		{ "\"type\":\"fence\",\"access\":\"read\",\"width\":1,"
		  "\"fence\":{\"fileDescriptor\":0}",
		  "STATUS_INVALID_PARAMETER", "object.width" },
		{ "\"type\":\"fence\",\"access\":\"read\"", "STATUS_INVALID_PARAMETER",
		  "object.fence" },
		{ "\"type\":\"fence\",\"access\":\"read\",\"fence\":{\"fileDescriptor\":0}",
		  "STATUS_OBJECT_TYPE_MISMATCH", "object.fence.fileDescriptor" },
		{ "\"type\":\"resource\",\"access\":\"readWrite\",\"width\":0,\"height\":32,"
		  "\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,\"offset\":0,"
		  "\"stride\":256}]",
		  "STATUS_INVALID_PARAMETER", "object.width" },
	};
	World *world = cast.world;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Descriptor memory = sealed_memory(world);

		cr_assert_str_eq(share(world, cast.machine, rows[i].object, &memory, 1, NULL),
				 rows[i].status, "%s", rows[i].object);
		cr_assert_str_eq(reply_string(world, "parameter"), rows[i].parameter, "%s",
				 rows[i].object);
		cr_assert_eq(world_open_descriptors(world), 0u, "%s", rows[i].object);
	}
}

Test(shared_objects, memory_is_judged_by_the_kernels_facts)
{
	World *world = cast.world;
	Descriptor memory[2];

	memory[0] = world_descriptor(world, DESCRIPTOR_OTHER, IMAGE_SIZE);
	cr_assert_str_eq(share(world, cast.machine, IMAGE, memory, 1, NULL),
			 "STATUS_OBJECT_TYPE_MISMATCH");
	memory[0] = sealed_memory(world);
	world_descriptor_of(world, memory[0])->facts.can_be_sealed = true;
	cr_assert_str_eq(share(world, cast.machine, IMAGE, memory, 1, NULL),
			 "STATUS_OBJECT_TYPE_MISMATCH");
	memory[0] = sealed_memory(world);
	world_descriptor_of(world, memory[0])->is_forbidden = true;
	cr_assert_str_eq(share(world, cast.machine, IMAGE, memory, 1, NULL),
			 "STATUS_OBJECT_TYPE_MISMATCH");
	memory[0] = sealed_memory(world);
	memory[1] = sealed_memory(world);
	cr_assert_str_eq(share(world, cast.machine, IMAGE, memory, 2, NULL),
			 "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(share(world, cast.machine, IMAGE, NULL, 0, NULL),
			 "STATUS_INVALID_PARAMETER");
	world->service.settings.require_sealed_memory = true;
	memory[0] = sealed_memory(world);
	world_descriptor_of(world, memory[0])->facts.size_is_sealed = false;
	cr_assert_str_eq(share(world, cast.machine, IMAGE, memory, 1, NULL),
			 "STATUS_OBJECT_TYPE_MISMATCH");
	cr_assert_eq(world_open_descriptors(world), 0u);
}

Test(shared_objects, a_resource_is_opened_together_with_its_fence)
{
	size_t count;
	char handle[64];
	World *world = cast.world;
	Descriptor descriptors[2] = { sealed_memory(world),
				      world_descriptor(world, DESCRIPTOR_SYNC_FILE, 0) };

	cr_assert_str_eq(
		share(world, cast.machine,
		      "\"type\":\"resourceWithFence\",\"access\":\"read\",\"width\":64,"
		      "\"height\":32,\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,"
		      "\"offset\":0,\"stride\":256}],\"fence\":{\"fileDescriptor\":1}",
		      descriptors, 2, handle),
		SUCCESS);
	cr_assert_str_eq(open_and_drop(world, cast.client, handle, &count), SUCCESS);
	cr_assert_eq(count, 2u);
	cr_assert_eq(reply_number(world, "object.fence.fileDescriptor"), 1u);
	/* If only one of the two fds can be opened, none is sent. */
	with_handle(world, cast.client, CLOSE, handle);
	world->descriptor_limit = world_open_descriptors(world) + 1;
	cr_assert_str_eq(open_and_drop(world, cast.client, handle, &count),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_eq(count, 0u);
	cr_assert_eq(world_events(world, EVENT_OPENED), 1u);
}

Test(shared_objects, only_a_holder_can_close_an_unshared_object)
{
	char handle[64];
	World *world = cast.world;

	share_image(&cast, handle);
	open_and_drop(world, cast.client, handle, NULL);
	open_and_drop(world, cast.client, handle, NULL);
	cr_assert_eq(world_events(world, EVENT_OPENED), 1u, "a second open made a second holder");
	cr_assert_str_eq(with_handle(world, cast.machine, UNSHARE, handle), SUCCESS);
	cr_assert_eq(reply_count(world, "holders"), 1u);
	cr_assert_eq(reply_number(world, "holders[0].pid"), 300u);
	cr_assert_eq(world_open_descriptors(world), 0u);
	cr_assert_str_eq(open_and_drop(world, cast.client, handle, NULL), "STATUS_INVALID_HANDLE");
	cr_assert_str_eq(with_handle(world, cast.machine, UPDATE_OBJECT, handle),
			 "STATUS_INVALID_HANDLE");
	cr_assert_str_eq(with_handle(world, cast.stranger, CLOSE, handle), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(with_handle(world, cast.client, CLOSE, handle), SUCCESS);
	cr_assert_str_eq(with_handle(world, cast.client, CLOSE, handle), "STATUS_INVALID_HANDLE");
}

Test(shared_objects, a_holder_outlives_its_registration)
{
	char handle[64];
	World *world = cast.world;

	share_image(&cast, handle);
	open_and_drop(world, cast.client, handle, NULL);
	call(world, cast.client, UNREGISTER, NAMES_A);
	cr_assert_eq(world_events(world, EVENT_RELEASED), 0u);
	cr_assert_str_eq(open_and_drop(world, cast.client, handle, NULL), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(with_handle(world, cast.client, CLOSE, handle), SUCCESS);
	cr_assert_eq(world_events(world, EVENT_RELEASED), 1u);
}

Test(shared_objects, objects_and_holders_end_with_their_vm_and_process)
{
	char handle[64];
	World *world = cast.world;

	share_image(&cast, handle);
	open_and_drop(world, cast.client, handle, NULL);
	world_exit(world, cast.viewer);
	cr_assert_eq(world_last_event(world, EVENT_RELEASED)->reason, END_PROCESS_EXITED);
	call(world, cast.admin, SET_QUARANTINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}");
	cr_assert_eq(world_last_event(world, EVENT_UNSHARED)->reason, END_QUARANTINED);
	Descriptor memory = sealed_memory(world);
	cr_assert_str_eq(share(world, cast.machine, IMAGE, &memory, 1, NULL),
			 "STATUS_ACCESS_DENIED");
	call(world, cast.admin, SET_QUARANTINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":false}");
	share_image(&cast, handle);
	world_exit(world, cast.vmm);
	cr_assert_eq(world_last_event(world, EVENT_UNSHARED)->reason, END_VMM_EXITED);
	cr_assert_eq(world_open_descriptors(world), 0u);
}

Test(shared_objects, an_object_that_grows_past_the_limit_is_unshared)
{
	char handle[64];
	Limits limits = limits_default;
	World *world = cast.world;
	Descriptor memory = sealed_memory(world);

	limits.per_owner[LIMIT_OBJECT_MEBIBYTES] = 2;
	broker_configure(world->service.broker, &limits, &world->service.settings.software_adapter);
	world_descriptor_of(world, memory)->facts.size_is_sealed = false;
	cr_assert_str_eq(share(world, cast.machine, IMAGE, &memory, 1, handle), SUCCESS);
	DescriptorFacts *facts = &world->descriptors[0].facts;
	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++)
		if (world->descriptors[i].open)
			facts = &world->descriptors[i].facts;
	facts->size = UINT64_C(2) << 20;
	cr_assert_str_eq(open_and_drop(world, cast.client, handle, NULL), SUCCESS);
	facts->size = (UINT64_C(2) << 20) + 1;
	cr_assert_str_eq(open_and_drop(world, cast.client, handle, NULL), "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(world, "limit"), "objectMebibytesPerMachine");
	cr_assert_eq(world_last_event(world, EVENT_UNSHARED)->reason, END_OVER_BUDGET);
	cr_assert_str_eq(open_and_drop(world, cast.client, handle, NULL), "STATUS_INVALID_HANDLE");
}

/* The sharer can change the file mode at any time. The daemon's copy stays open. */
Test(shared_objects, memory_is_not_opened_if_its_file_mode_forbids_it)
{
	char handle[64];
	World *world = cast.world;

	share_image(&cast, handle);
	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++)
		world->descriptors[i].is_forbidden = true;
	cr_assert_str_eq(open_and_drop(world, cast.client, handle, NULL),
			 "STATUS_OBJECT_TYPE_MISMATCH");
	cr_assert_not_null(strstr(reply_string(world, "message"), "mode"));
	cr_assert_eq(world_open_descriptors(world), 1u);
	cr_assert_eq(world_events(world, EVENT_OPENED), 0u);
	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++)
		world->descriptors[i].is_forbidden = false;
	cr_assert_str_eq(open_and_drop(world, cast.client, handle, NULL), SUCCESS);
}

Test(shared_objects, the_damage_of_an_update_lies_within_the_object)
{
	static const struct {
		const char *damage, *status;
	} rows[] = {
		{ "[]", SUCCESS },
		{ "[{\"x\":0,\"y\":0,\"width\":64,\"height\":32}]", SUCCESS },
		{ "[{\"x\":63,\"y\":31,\"width\":1,\"height\":1}]", SUCCESS },
		{ "[{\"x\":63,\"y\":31,\"width\":2,\"height\":1}]", "STATUS_INVALID_PARAMETER" },
		{ "[{\"x\":0,\"y\":0,\"width\":0,\"height\":1}]", "STATUS_INVALID_PARAMETER" },
		{ "[{\"x\":9223372036854775807,\"y\":0,\"width\":1,\"height\":1}]",
		  "STATUS_INVALID_PARAMETER" },
	};
	char handle[64];

	share_image(&cast, handle);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_str_eq(callf(cast.world, cast.machine, UPDATE_OBJECT,
				       "{\"handle\":\"%s\",\"damage\":%s}", handle, rows[i].damage),
				 rows[i].status, "%s", rows[i].damage);
	cr_assert_eq(world_events(cast.world, EVENT_UPDATED), 3u);
	cr_assert_str_eq(with_handle(cast.world, cast.admin, UPDATE_OBJECT, handle),
			 "STATUS_ACCESS_DENIED",
			 "an operator updated an object of another process");
}

Test(shared_objects, limits_bound_objects_and_holders)
{
	char handle[64], other[64];
	Limits limits = limits_default;
	World *world = cast.world;

	limits.per_owner[LIMIT_OBJECTS] = 2;
	limits.per_uid[LIMIT_HOLDERS] = 1;
	broker_configure(world->service.broker, &limits, &world->service.settings.software_adapter);
	share_image(&cast, handle);
	share_image(&cast, other);
	Descriptor memory = sealed_memory(world);
	cr_assert_str_eq(share(world, cast.machine, IMAGE, &memory, 1, NULL),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(world, "limit"), "objectsPerMachine");
	cr_assert_eq(world_open_descriptors(world), 2u,
		     "the fd of the refused object is still open");
	cr_assert_str_eq(open_and_drop(world, cast.client, handle, NULL), SUCCESS);
	cr_assert_str_eq(open_and_drop(world, cast.client, other, NULL), "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(world, "limit"), "holdersPerUid");
	cr_assert_str_eq(open_and_drop(world, cast.client, handle, NULL), SUCCESS,
			 "a second open counts as another holder");
}

Test(shared_objects, a_limit_bounds_the_rectangles_of_an_update)
{
	char handle[64], damage[LIMIT_DAMAGE_RECTANGLES * 48 + 96];

	share_image(&cast, handle);
	for (size_t count = LIMIT_DAMAGE_RECTANGLES; count <= LIMIT_DAMAGE_RECTANGLES + 1;
	     count++) {
		size_t length = 0;

		for (size_t i = 0; i < count; i++)
			length += (size_t)sprintf(damage + length,
						  "%s{\"x\":0,\"y\":0,\"width\":1,\"height\":1}",
						  i > 0 ? "," : "");
		cr_assert_str_eq(callf(cast.world, cast.machine, UPDATE_OBJECT,
				       "{\"handle\":\"%s\",\"damage\":[%s]}", handle, damage),
				 count <= LIMIT_DAMAGE_RECTANGLES ? SUCCESS
								  : "STATUS_INVALID_PARAMETER");
	}
}
