/* SPDX-License-Identifier: MIT */
#ifndef CORE_ADAPTER_H
#define CORE_ADAPTER_H

#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "caller.h"
#include "driver.h"
#include "event.h"
#include "gpu-mmu.h"
#include "named.h"
#include "thing.h"

/*
 * Adapters. The software adapter is always there; further ones are registered by operators'
 * connections, which are their drivers, and go with them. With an adapter go its GPU processes and
 * the vGPUs that were assigned on it.
 */

typedef enum AdapterSource { ADAPTER_SOFTWARE, ADAPTER_CLIENT, ADAPTER_SOURCE_MAX } AdapterSource;

typedef struct Adapter {
	Named named;
	Thing thing;
	char *name; /* no other adapter has it */
	AdapterSource source;
	GpuMmu mmu;
	uint64_t max_virtual_gpus;
	uint64_t virtual_gpus;

	/* One of the two. A connection is known by its Caller, which is never looked into. */
	const Driver *driver;
	const void *driver_self;
	const Caller *connection;
	ProcessKey driver_process; /* whose connection it is */

	GpuProcess *system_process;
	LIST_HEAD(, GpuProcess) gpu_processes; /* the system process among them */
	Charge charge;
} Adapter;

/* Whether it, and what is on it, outlives a restart. One that a connection has registered does not.
 */
static inline bool adapter_lasts(const Adapter *adapter)
{
	return adapter->source == ADAPTER_SOFTWARE;
}

/* The software adapter, with its system process. Returns false when there is no memory, or its
 * driver does not make the process. */
bool adapter_add_software(Broker *broker);
Adapter *adapter_software(Broker *broker);

typedef struct AdapterDescription {
	const char *name; /* copied */
	GpuMmu mmu;
	uint64_t max_virtual_gpus;
} AdapterDescription;

/*
 * Makes an adapter whose driver is the caller's connection, and its system process, which is
 * CREATING. Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_OBJECT_NAME_COLLISION (another
 * adapter has the name) or STATUS_NO_MEMORY.
 */
NTSTATUS adapter_register(Broker *broker, const Caller *caller,
			  const AdapterDescription *description, Adapter **ret_adapter,
			  Failure *failure);

/* Ends the adapter with everything on it. */
void adapter_end(Broker *broker, Adapter *adapter, EndReason reason);

/* Ends the adapters of a connection that has gone. */
void adapters_of_connection_end(Broker *broker, const Caller *caller);

Adapter *adapter_find(Broker *broker, const Handle *handle);

/* The first adapter whose serial is above the cursor. */
Adapter *adapter_after(Broker *broker, uint64_t serial);

void adapters_check(Broker *broker);

#endif
