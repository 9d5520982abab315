/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FAKE_GPU_H
#define TESTS_SUPPORT_FAKE_GPU_H

#include "tests/support/fake-host.h"

/* Calls of io.vaild.Gpu. They return the status of the reply. */

/* Handles of a registered adapter. */
typedef struct FakeAdapter {
	char adapter[64];
	char system_process[64];
} FakeAdapter;

/*
 * Registers an adapter with a unique name. Its system process is still being created. index_bits is
 * a list like "9,9,9,9", leaf first.
 */
FakeAdapter fake_adapter(FakeHost *fake_host, Caller *driver, const char *index_bits);

/* Registers an adapter and completes its system process. */
FakeAdapter fake_running_adapter(FakeHost *fake_host, Caller *driver, const char *index_bits);

/* more is "" or a list of further members, each preceded by a comma. */
const char *create_gpu_process(FakeHost *fake_host, Caller *driver, const FakeAdapter *adapter,
			       const char *more, char ret_process[64]);
const char *complete_process(FakeHost *fake_host, Caller *driver, const char *process);
const char *reserve_range(FakeHost *fake_host, Caller *driver, const char *process, uint64_t size,
			  const char *more);
const char *set_entry(FakeHost *fake_host, Caller *driver, const char *process, const char *address,
		      const char *table);
const char *table_call(FakeHost *fake_host, Caller *caller, const char *method, const char *process,
		       const char *address);

/*
 * Called by the process itself. The daemon chooses the address if base is NULL. map() maps
 * allocation 7 with readWrite.
 */
const char *map(FakeHost *fake_host, Caller *caller, const char *process, uint64_t size,
		const char *base);
const char *reserve(FakeHost *fake_host, Caller *caller, const char *process, uint64_t size,
		    const char *base);
const char *free_addresses(FakeHost *fake_host, Caller *caller, const char *process,
			   const char *base, uint64_t size);

/* Returns the state of the address, or the status if the call fails. */
const char *translate(FakeHost *fake_host, Caller *caller, const char *process,
		      const char *address);

#endif
