/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_GPU_PROCESS_H
#define DAEMON_CORE_GPU_PROCESS_H

#include <stddef.h>

#include "daemon/core/adapter.h"
#include "daemon/core/caller.h"
#include "daemon/core/event.h"
#include "daemon/core/process.h"
#include "daemon/core/reaper.h"
#include "daemon/core/va/address-space.h"

/*
 * A GPU process is the state of a host process, or of a guest's, on one adapter. Each has its own
 * address space. It ends with its host process, its VM or its adapter, whichever is first.
 *
 *   CREATING   its driver may reserve address ranges; the process cannot use its address space yet
 *   RUNNING    the driver's reservations are fixed; the process uses its address space
 *
 * A driver inside the daemon creates a running process in one call. A driver on a connection calls
 * CompleteCreateProcess.
 */
typedef struct VirtualMachine VirtualMachine;

typedef enum GpuProcessState {
	GPU_PROCESS_CREATING,
	GPU_PROCESS_RUNNING,
	GPU_PROCESS_STATE_MAX,
} GpuProcessState;

struct GpuProcess {
	HandleEntry handle_entry;
	Entity entity;
	Adapter *adapter;
	Process *process;   /* NULL without a host process */
	VirtualMachine *vm; /* NULL without a VM */
	char *name;         /* NULL if unnamed */
	GpuProcessState state;
	bool is_system; /* the adapter's system process */
	AddressSpace space;
	Payer payer; /* for the driver's reservations and entries */
	Charge charge;
	size_t context_count;
	LIST_HEAD(, Context) contexts;
	LIST_ENTRY(GpuProcess) of_process;
	LIST_ENTRY(GpuProcess) of_adapter;
	LIST_ENTRY(GpuProcess) of_vm;
	bool has_ended; /* only the reaper still knows the process */
	bool is_queued; /* in the reaper's queue */
	TAILQ_ENTRY(GpuProcess) of_reaper;
};

/*
 * Tests whether the process survives a restart. Processes being created do not, and the software
 * adapter's system process is created again.
 */
static inline bool gpu_process_is_persistent(const GpuProcess *gpu_process)
{
	return gpu_process->state == GPU_PROCESS_RUNNING &&
	       !(gpu_process->is_system && gpu_process->adapter->driver);
}

/* The owner and the name of a new GPU process. */
typedef struct GpuProcessOrigin {
	ProcessKey key; /* PROCESS_KEY_NONE without a host process */
	pid_t pid;
	uid_t uid;
	VirtualMachine *vm; /* NULL without a VM */
	const char *name;   /* copied; NULL if unnamed */
	bool is_system;
	Payer payer;
} GpuProcessOrigin;

/*
 * Creates a GPU process. It is RUNNING if the adapter's driver is inside the daemon, otherwise
 * CREATING. Any failure undoes the creation. Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED,
 * STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES, or the driver's status.
 */
NTSTATUS gpu_process_create(Broker *broker, Adapter *adapter, const GpuProcessOrigin *origin,
			    GpuProcess **ret_gpu_process, Failure *failure);

/*
 * Creates an empty CREATING process without its driver, so that a restored one can be filled.
 * Returns the statuses of gpu_process_create() except the driver's.
 */
NTSTATUS gpu_process_new(Broker *broker, Adapter *adapter, const GpuProcessOrigin *origin,
			 GpuProcess **ret_gpu_process, Failure *failure);

/* Discards a process that was just created, without an event. */
void gpu_process_discard(Broker *broker, GpuProcess *gpu_process);

GpuProcess *gpu_process_find(Broker *broker, const Handle *handle);

/* Returns the process's GPU process on that adapter, or NULL. process may be NULL. */
GpuProcess *gpu_process_on_adapter(const Process *process, const Adapter *adapter);

/*
 * Ends the process together with its contexts and its address space. Their memory and their
 * persisted records are left to the reaper.
 */
void gpu_process_end(Broker *broker, GpuProcess *gpu_process, EndReason reason);

/* --- for its driver -------------------------------------------------------------------------- */

/*
 * The reserve callback. Returns STATUS_INVALID_DEVICE_STATE unless the process is CREATING,
 * otherwise the statuses of address_space_reserve_for_driver().
 */
NTSTATUS gpu_process_reserve_for_driver(Broker *broker, GpuProcess *gpu_process,
					const DriverReservation *reservation, uint64_t *ret_address,
					Failure *failure);

/*
 * Complete the creation of a process. The first returns STATUS_INVALID_DEVICE_STATE unless it is
 * CREATING, otherwise STATUS_SUCCESS; then the second makes it RUNNING.
 */
NTSTATUS gpu_process_prepare_completion(const GpuProcess *gpu_process, Failure *failure);
void gpu_process_complete(GpuProcess *gpu_process);

/*
 * Calls address_space_prepare_entry(), for address_space_commit_entry() or
 * address_space_discard_entry(). A new entry of a persisted process gets a serial.
 */
NTSTATUS gpu_process_prepare_entry(Broker *broker, GpuProcess *gpu_process,
				   uint64_t virtual_address, uint64_t page_table_address,
				   EntryChange *ret, Failure *failure);

/* Calls address_space_evict(). */
NTSTATUS gpu_process_evict(Broker *broker, GpuProcess *gpu_process, uint64_t virtual_address,
			   Failure *failure);

/* Calls address_space_make_resident(), and notifies watchers if the table became resident. */
NTSTATUS gpu_process_make_resident(Broker *broker, GpuProcess *gpu_process,
				   uint64_t virtual_address, Failure *failure);

/* --- for the process itself ------------------------------------------------------------------ */

/*
 * Each prepares a change, for gpu_process_commit() or address_space_discard(). They return
 * STATUS_INVALID_DEVICE_STATE unless the process is RUNNING, otherwise the statuses of the
 * address_space function with the same name.
 */
NTSTATUS gpu_process_prepare_reserve(Broker *broker, GpuProcess *gpu_process, const Payer *payer,
				     const Placement *placement, SpaceChange *ret,
				     Failure *failure);
NTSTATUS gpu_process_prepare_map(Broker *broker, GpuProcess *gpu_process, const Payer *payer,
				 const Placement *placement, const Mapping *mapping,
				 SpaceChange *ret, Failure *failure);
NTSTATUS gpu_process_prepare_free(Broker *broker, GpuProcess *gpu_process, const Payer *payer,
				  uint64_t base_address, uint64_t size, SpaceChange *ret,
				  Failure *failure);
void gpu_process_commit(Broker *broker, GpuProcess *gpu_process, SpaceChange *change);

void gpu_process_check(Broker *broker, const GpuProcess *gpu_process);

#endif
