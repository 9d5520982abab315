/* SPDX-License-Identifier: MIT */
#include "tests/support/fake-gpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int address_bits(const char *index_bits)
{
	unsigned int bits = GPU_PAGE_BITS;
	char *end;

	for (const char *at = index_bits; *at; at = *end ? end + 1 : end)
		bits += (unsigned int)strtoul(at, &end, 10);
	return bits;
}

FakeAdapter fake_adapter(World *world, Caller *driver, const char *index_bits)
{
	FakeAdapter adapter;
	const char *status =
		callf(world, driver, REGISTER_ADAPTER,
		      "{\"name\":\"adapter %" PRIu64 "\",\"virtualAddressBitCount\":%u,"
		      "\"pageTableIndexBitCount\":[%s],\"maxVirtualGpus\":4}",
		      world->service.broker->last_serial, address_bits(index_bits), index_bits);

	world_must(strcmp(status, "STATUS_SUCCESS") == 0);
	strcpy(adapter.adapter, reply_string(world, "adapter"));
	strcpy(adapter.system_process, reply_string(world, "systemProcess"));
	return adapter;
}

FakeAdapter fake_running_adapter(World *world, Caller *driver, const char *index_bits)
{
	FakeAdapter adapter = fake_adapter(world, driver, index_bits);

	complete_process(world, driver, adapter.system_process);
	return adapter;
}

const char *create_gpu_process(World *world, Caller *driver, const FakeAdapter *adapter,
			       const char *more, char ret_process[64])
{
	const char *status = callf(world, driver, CREATE_PROCESS, "{\"adapter\":\"%s\"%s}",
				   adapter->adapter, more);

	strcpy(ret_process, reply_string(world, "process"));
	return status;
}

const char *complete_process(World *world, Caller *driver, const char *process)
{
	return callf(world, driver, COMPLETE_PROCESS, "{\"process\":\"%s\"}", process);
}

const char *reserve_range(World *world, Caller *driver, const char *process, uint64_t size,
			  const char *more)
{
	return callf(world, driver, RESERVE_RANGE,
		     "{\"process\":\"%s\",\"sizeInBytes\":%" PRIu64 "%s}", process, size, more);
}

const char *set_entry(World *world, Caller *driver, const char *process, const char *address,
		      const char *table)
{
	return callf(world, driver, SET_ENTRY,
		     "{\"process\":\"%s\",\"virtualAddress\":\"%s\",\"pageTableAddress\":\"%s\"}",
		     process, address, table);
}

const char *table_call(World *world, Caller *caller, const char *method, const char *process,
		       const char *address)
{
	return callf(world, caller, method, "{\"process\":\"%s\",\"virtualAddress\":\"%s\"}",
		     process, address);
}

/* Formats the member with a comma before it, or "" if base is NULL. */
static const char *base_member(const char *base, char text[64])
{
	text[0] = '\0';
	if (base)
		snprintf(text, 64, ",\"baseAddress\":\"%s\"", base);
	return text;
}

const char *map(World *world, Caller *caller, const char *process, uint64_t size, const char *base)
{
	char text[64];

	return callf(world, caller, MAP_ADDRESS,
		     "{\"process\":\"%s\",\"sizeInBytes\":%" PRIu64
		     ",\"protection\":\"readWrite\",\"allocation\":7%s}",
		     process, size, base_member(base, text));
}

const char *reserve(World *world, Caller *caller, const char *process, uint64_t size,
		    const char *base)
{
	char text[64];

	return callf(world, caller, RESERVE_ADDRESS,
		     "{\"process\":\"%s\",\"sizeInBytes\":%" PRIu64 "%s}", process, size,
		     base_member(base, text));
}

const char *free_addresses(World *world, Caller *caller, const char *process, const char *base,
			   uint64_t size)
{
	return callf(world, caller, FREE_ADDRESS,
		     "{\"process\":\"%s\",\"baseAddress\":\"%s\",\"sizeInBytes\":%" PRIu64 "}",
		     process, base, size);
}

const char *translate(World *world, Caller *caller, const char *process, const char *address)
{
	const char *status = table_call(world, caller, TRANSLATE, process, address);

	return strcmp(status, "STATUS_SUCCESS") == 0 ? reply_string(world, "state") : status;
}
