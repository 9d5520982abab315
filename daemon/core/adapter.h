/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_ADAPTER_H
#define DAEMON_CORE_ADAPTER_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/core/account.h"
#include "daemon/core/adapter-device.h"
#include "daemon/core/caller.h"
#include "daemon/core/driver.h"
#include "daemon/core/entity.h"
#include "daemon/core/event.h"
#include "daemon/core/handle-entry.h"
#include "daemon/core/va/gpu-mmu.h"

/*
 * Adapters. The software adapter always exists. An adapter that an operator's connection has
 * registered has that connection as its driver, and ends when the connection closes. An adapter's
 * end also ends its GPU processes and the vGPUs assigned on it.
 *
 * Other adapters were found: they are GPU devices of the host, and exist as long as the device
 * does. vaild shows such an adapter and changes nothing about it. It has no driver that speaks to
 * vaild, so it has neither an MMU nor GPU processes, and nobody assigns vGPUs on it. It is not
 * persisted, because each start finds it again. If a driver registers an adapter for the same
 * device, both exist: contexts and vGPUs need the driver's.
 *
 * A registered adapter survives a restart although its connection does not. It then waits for its
 * driver: a connection of the same uid that registers an adapter of the same name. It ends if none
 * does within LIMIT_DRIVER_WAIT_SECONDS. Meanwhile only the calls of its driver are impossible.
 */

typedef enum AdapterSource {
	ADAPTER_SOFTWARE,
	ADAPTER_CLIENT, /* registered by a connection */
	ADAPTER_DRM,    /* found as a DRM device of the host */
	ADAPTER_SOURCE_MAX,
} AdapterSource;

typedef struct Adapter {
	HandleEntry handle_entry;
	Entity entity;
	char *name; /* unique, except that a found adapter may have that of another one */
	AdapterSource source;
	AdapterDevice *device; /* NULL unless it was found */
	GpuMmu mmu;            /* without levels if it was found */
	uint64_t max_virtual_gpus;
	uint64_t virtual_gpus;

	/*
	 * At most one of the two is set, and neither while it waits for its driver or if it was
	 * found. The Caller serves as the connection's identity, and is never dereferenced.
	 */
	const Driver *driver;
	const void *driver_self;
	const Caller *connection;
	ProcessKey driver_process; /* of the connection */
	uid_t driver_uid;          /* of the connection, or of the one it waits for */
	uint64_t wait_deadline;    /* in microseconds of Host.now(); 0 if it does not wait */

	GpuProcess *system_process;            /* NULL if it was found */
	LIST_HEAD(, GpuProcess) gpu_processes; /* including the system process */
	Charge charge;
} Adapter;

/*
 * Adds the software adapter with its system process. Returns false if out of memory, or if its
 * driver fails to create the process.
 */
bool adapter_add_software(Broker *broker);
Adapter *adapter_software(Broker *broker);

typedef struct AdapterDescription {
	const char *name; /* copied */
	GpuMmu mmu;
	uint64_t max_virtual_gpus;
} AdapterDescription;

/*
 * Prepares an adapter whose driver is the caller's connection, and its system process, which is
 * CREATING. The serial of the system process is the one before the adapter's.
 *
 * Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_OBJECT_NAME_COLLISION (another adapter has
 * the name, and does not wait for this caller) or STATUS_NO_MEMORY.
 */
NTSTATUS adapter_prepare(Broker *broker, const Caller *caller,
			 const AdapterDescription *description, Adapter **ret_adapter,
			 Failure *failure);
void adapter_commit(Broker *broker, Adapter *adapter);
void adapter_discard(Broker *broker, Adapter *adapter);

/*
 * Prepares an adapter for a device of the host, at whose location no other one is. name and device
 * are copied. Nobody is charged. Commit and discard it like any other adapter. Returns
 * STATUS_SUCCESS or STATUS_NO_MEMORY.
 */
NTSTATUS adapter_prepare_found(Broker *broker, const char *name, const AdapterDevice *device,
			       Adapter **ret_adapter, Failure *failure);

/* Returns the found adapter at the location, or NULL. */
Adapter *adapter_find_device(Broker *broker, const char *location);

/* Returns the adapter of that name that waits for the caller as its driver, or NULL. */
Adapter *adapter_waiting_for(Broker *broker, const Caller *caller, const char *name);

/* Tests whether the adapter has the described MMU, and no more vGPUs than described. */
bool adapter_matches_description(const Adapter *adapter, const AdapterDescription *description);

/* Makes the caller's connection the driver of an adapter that waited for it. */
void adapter_take_over(Adapter *adapter, const Caller *caller,
		       const AdapterDescription *description);

/* Makes a prepared adapter wait for its driver. */
void adapter_wait_for_driver(Broker *broker, Adapter *adapter);

/* Returns when the wait of the next adapter ends, in microseconds, or UINT64_MAX if none waits. */
uint64_t adapters_next_deadline(Broker *broker);

/* Ends the adapters whose wait has ended, with END_DRIVER_GONE. */
void adapters_end_overdue(Broker *broker);

/* Ends the adapter and everything on it. */
void adapter_end(Broker *broker, Adapter *adapter, EndReason reason);

/* Ends the adapters of a closed connection, with END_DRIVER_GONE. */
void adapters_end_for_connection(Broker *broker, const Caller *caller);

Adapter *adapter_find(Broker *broker, const Handle *handle);

/* Returns the first adapter whose serial is greater, or NULL. */
Adapter *adapter_after(Broker *broker, uint64_t serial);

void adapters_check(Broker *broker);

#endif
