/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_GPU_H
#define TESTS_FAKE_GPU_H

#include "fake-host.h"

/* Short words for what tests of io.vaild.Gpu say often. Each returns the status of the reply. */

/* An adapter of a connection; its system process is CREATING. */
typedef struct FakeAdapter {
	char adapter[64];
	char system_process[64];
} FakeAdapter;

/* index_bits: "9,9,9,9", leaf first. Each gets a name of its own. */
FakeAdapter fake_adapter(World *world, Caller *driver, const char *index_bits);

/* The same with its system process completed. */
FakeAdapter fake_running_adapter(World *world, Caller *driver, const char *index_bits);

/* more: further members, each with its comma before it, or "". */
const char *create_gpu_process(World *world, Caller *driver, const FakeAdapter *adapter,
			       const char *more, char ret_process[64]);
const char *complete_process(World *world, Caller *driver, const char *process);
const char *reserve_range(World *world, Caller *driver, const char *process, uint64_t size,
			  const char *more);
const char *set_entry(World *world, Caller *driver, const char *process, const char *address,
		      const char *table);
const char *table_call(World *world, Caller *caller, const char *method, const char *process,
		       const char *address);

/* By the process itself; base NULL: chosen. Allocation 7, readWrite. */
const char *map(World *world, Caller *caller, const char *process, uint64_t size, const char *base);
const char *reserve(World *world, Caller *caller, const char *process, uint64_t size,
		    const char *base);
const char *free_addresses(World *world, Caller *caller, const char *process, const char *base,
			   uint64_t size);

/* The state that is answered, or the status of the refusal. */
const char *translate(World *world, Caller *caller, const char *process, const char *address);

#endif
