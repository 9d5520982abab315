/* SPDX-License-Identifier: MIT */
#include "tests/support/fake-share.h"

#include <stdio.h>
#include <string.h>

Cast cast_new_sharing(void)
{
	Cast cast = cast_new();

	world_must(strcmp(call(cast.world, cast.client, REGISTER, NAMES_A), "STATUS_SUCCESS") == 0);
	return cast;
}

Descriptor sealed_memory(World *world)
{
	Descriptor descriptor = world_descriptor(world, DESCRIPTOR_MEMFD, IMAGE_SIZE);
	DescriptorFacts *facts = &world_descriptor_of(world, descriptor)->facts;

	facts->size_is_sealed = facts->writes_are_sealed = true;
	return descriptor;
}

const char *share(World *world, Caller *caller, const char *object, const Descriptor *descriptors,
		  size_t count, char ret_handle[64])
{
	char parameters[1024];
	int length = snprintf(parameters, sizeof(parameters),
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"object\":{%s}}", object);

	world_must(length > 0 && (size_t)length < sizeof(parameters));
	const char *status =
		call_with_descriptors(world, caller, SHARE, parameters, descriptors, count, NULL);
	if (ret_handle)
		snprintf(ret_handle, 64, "%s", reply_string(world, "sharedObject.handle"));
	return status;
}

void share_image(Cast *cast, char ret_handle[64])
{
	Descriptor memory = sealed_memory(cast->world);

	world_must(strcmp(share(cast->world, cast->machine, IMAGE, &memory, 1, ret_handle),
			  "STATUS_SUCCESS") == 0);
}

const char *with_handle(World *world, Caller *caller, const char *method, const char *handle)
{
	return callf(world, caller, method, "{\"handle\":\"%s\"}", handle);
}

bool record_names(const World *world, const char *handle)
{
	const FakeRecord *record = world_last_record(world);
	char text[HANDLE_TEXT_LENGTH + 1];

	return record && record->has_object &&
	       strcmp(handle_format(&record->object, text), handle) == 0;
}

const char *open_and_drop(World *world, Caller *caller, const char *handle, size_t *ret_count)
{
	char parameters[96];
	Offered offered;

	snprintf(parameters, sizeof(parameters), "{\"handle\":\"%s\"}", handle);
	const char *status =
		call_with_descriptors(world, caller, OPEN, parameters, NULL, 0, &offered);
	for (size_t i = 0; i < offered.count; i++)
		world_close(world, offered.items[i]);
	if (ret_count)
		*ret_count = offered.count;
	return status;
}
