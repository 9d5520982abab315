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
 *
 * No connection outlives a restart, but such an adapter does: it waits for its driver, which is a
 * connection of the same uid that registers an adapter of the same name, and goes when none has
 * come for so long. All else goes on meanwhile; what only the driver may do, nobody may.
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

	/* One of the two, or neither, while it waits for its driver. A connection is known by its
	 * Caller, which is never looked into. */
	const Driver *driver;
	const void *driver_self;
	const Caller *connection;
	ProcessKey driver_process; /* whose connection it is */
	uid_t driver_uid;          /* of the connection, or of the one that is waited for */
	uint64_t waits_until;      /* microseconds, as of Host.now(); 0: it does not wait */

	GpuProcess *system_process;
	LIST_HEAD(, GpuProcess) gpu_processes; /* the system process among them */
	Charge charge;
} Adapter;

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
 * CREATING. The system process's serial is the one before the adapter's.
 *
 * Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_OBJECT_NAME_COLLISION (another adapter has
 * the name, and does not wait for this caller) or STATUS_NO_MEMORY.
 */
NTSTATUS adapter_prepare(Broker *broker, const Caller *caller,
			 const AdapterDescription *description, Adapter **ret_adapter,
			 Failure *failure);
void adapter_commit(Broker *broker, Adapter *adapter);
void adapter_discard(Broker *broker, Adapter *adapter);

/* The adapter of that name that waits for the caller as its driver; NULL: none does. */
Adapter *adapter_waiting_for(Broker *broker, const Caller *caller, const char *name);

/* Whether it is still the adapter that is described: of the same MMU, and with all the vGPUs that
 * are assigned on it. */
bool adapter_is_as_described(const Adapter *adapter, const AdapterDescription *description);

/* The caller's connection is the driver that the adapter has waited for. */
void adapter_take_over(Adapter *adapter, const Caller *caller,
		       const AdapterDescription *description);

/* One that was prepared, and is to wait for its driver. */
void adapter_wait(Broker *broker, Adapter *adapter);

/* When the next adapter will have waited for long enough; UINT64_MAX: none waits. */
uint64_t adapters_next_deadline(Broker *broker);

/* Ends the adapters that have, as if their connections had gone. */
void adapters_end_overdue(Broker *broker);

/* Ends the adapter with everything on it. */
void adapter_end(Broker *broker, Adapter *adapter, EndReason reason);

/* Ends the adapters of a connection that has gone. */
void adapters_of_connection_end(Broker *broker, const Caller *caller);

Adapter *adapter_find(Broker *broker, const Handle *handle);

/* The first adapter whose serial is above the cursor. */
Adapter *adapter_after(Broker *broker, uint64_t serial);

void adapters_check(Broker *broker);

#endif
