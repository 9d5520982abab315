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

FakeAdapter fake_adapter(FakeHost *fake_host, Caller *driver, const char *index_bits)
{
	FakeAdapter adapter;
	const char *status =
		callf(fake_host, driver, REGISTER_ADAPTER,
		      "{\"name\":\"adapter %" PRIu64 "\",\"virtualAddressBitCount\":%u,"
		      "\"pageTableIndexBitCount\":[%s],\"maxVirtualGpus\":4}",
		      fake_host->service.broker->last_serial, address_bits(index_bits), index_bits);

	fake_host_must(strcmp(status, "STATUS_SUCCESS") == 0);
	strcpy(adapter.adapter, reply_string(fake_host, "adapter"));
	strcpy(adapter.system_process, reply_string(fake_host, "systemProcess"));
	return adapter;
}

FakeAdapter fake_running_adapter(FakeHost *fake_host, Caller *driver, const char *index_bits)
{
	FakeAdapter adapter = fake_adapter(fake_host, driver, index_bits);

	complete_process(fake_host, driver, adapter.system_process);
	return adapter;
}

const char *create_gpu_process(FakeHost *fake_host, Caller *driver, const FakeAdapter *adapter,
			       const char *more, char ret_process[64])
{
	const char *status = callf(fake_host, driver, CREATE_PROCESS, "{\"adapter\":\"%s\"%s}",
				   adapter->adapter, more);

	strcpy(ret_process, reply_string(fake_host, "process"));
	return status;
}

const char *complete_process(FakeHost *fake_host, Caller *driver, const char *process)
{
	return callf(fake_host, driver, COMPLETE_PROCESS, "{\"process\":\"%s\"}", process);
}

const char *reserve_range(FakeHost *fake_host, Caller *driver, const char *process, uint64_t size,
			  const char *more)
{
	return callf(fake_host, driver, RESERVE_RANGE,
		     "{\"process\":\"%s\",\"sizeInBytes\":%" PRIu64 "%s}", process, size, more);
}

const char *set_entry(FakeHost *fake_host, Caller *driver, const char *process, const char *address,
		      const char *table)
{
	return callf(fake_host, driver, SET_ENTRY,
		     "{\"process\":\"%s\",\"virtualAddress\":\"%s\",\"pageTableAddress\":\"%s\"}",
		     process, address, table);
}

const char *table_call(FakeHost *fake_host, Caller *caller, const char *method, const char *process,
		       const char *address)
{
	return callf(fake_host, caller, method, "{\"process\":\"%s\",\"virtualAddress\":\"%s\"}",
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

const char *map(FakeHost *fake_host, Caller *caller, const char *process, uint64_t size,
		const char *base)
{
	char text[64];

	return callf(fake_host, caller, MAP_ADDRESS,
		     "{\"process\":\"%s\",\"sizeInBytes\":%" PRIu64
		     ",\"protection\":\"readWrite\",\"allocation\":7%s}",
		     process, size, base_member(base, text));
}

const char *reserve(FakeHost *fake_host, Caller *caller, const char *process, uint64_t size,
		    const char *base)
{
	char text[64];

	return callf(fake_host, caller, RESERVE_ADDRESS,
		     "{\"process\":\"%s\",\"sizeInBytes\":%" PRIu64 "%s}", process, size,
		     base_member(base, text));
}

const char *free_addresses(FakeHost *fake_host, Caller *caller, const char *process,
			   const char *base, uint64_t size)
{
	return callf(fake_host, caller, FREE_ADDRESS,
		     "{\"process\":\"%s\",\"baseAddress\":\"%s\",\"sizeInBytes\":%" PRIu64 "}",
		     process, base, size);
}

const char *translate(FakeHost *fake_host, Caller *caller, const char *process, const char *address)
{
	const char *status = table_call(fake_host, caller, TRANSLATE, process, address);

	return strcmp(status, "STATUS_SUCCESS") == 0 ? reply_string(fake_host, "state") : status;
}
