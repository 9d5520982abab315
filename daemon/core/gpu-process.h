/* SPDX-License-Identifier: MIT */
#ifndef CORE_GPU_PROCESS_H
#define CORE_GPU_PROCESS_H

#include <stddef.h>

#include "adapter.h"
#include "address-space.h"
#include "caller.h"
#include "event.h"
#include "process.h"

/*
 * GPU processes: what of a host process, or of a guest's, there is on one adapter. Each has an
 * address space of its own, and goes with the host process or the VM that it is for, and with its
 * adapter, whatever else refers to it.
 *
 *   CREATING   its driver may reserve address ranges; the process itself can do nothing yet
 *   RUNNING    the driver's reservations are what they are; the process uses its address space
 *
 * A driver inside the daemon takes a process from the one to the other in one call; a connection by
 * CompleteCreateProcess.
 */
typedef struct VirtualMachine VirtualMachine;

typedef enum GpuProcessState {
	GPU_PROCESS_CREATING,
	GPU_PROCESS_RUNNING,
	GPU_PROCESS_STATE_MAX,
} GpuProcessState;

struct GpuProcess {
	Named named;
	Thing thing;
	Adapter *adapter;
	Process *process;   /* NULL: for no host process */
	VirtualMachine *vm; /* NULL: for no VM */
	char *name;         /* or NULL */
	GpuProcessState state;
	bool is_system; /* the adapter's own */
	AddressSpace space;
	Payer payer; /* of what its driver takes */
	Charge charge;
	size_t context_count;
	LIST_HEAD(, Context) contexts;
	LIST_ENTRY(GpuProcess) of_process;
	LIST_ENTRY(GpuProcess) of_adapter;
	LIST_ENTRY(GpuProcess) of_vm;
};

/* Whether it outlives a restart: creations under way do not, and the software adapter's system
 * process is made anew. */
static inline bool gpu_process_lasts(const GpuProcess *gpu_process)
{
	return gpu_process->state == GPU_PROCESS_RUNNING &&
	       !(gpu_process->is_system && gpu_process->adapter->driver);
}

/* What a GPU process is for. */
typedef struct GpuProcessOrigin {
	ProcessKey key; /* PROCESS_KEY_NONE: no host process */
	pid_t pid;
	uid_t uid;
	VirtualMachine *vm; /* or NULL */
	const char *name;   /* copied; or NULL */
	bool is_system;
	Payer payer;
} GpuProcessOrigin;

/*
 * Makes one: RUNNING by a driver inside the daemon, else CREATING. Whatever fails undoes it whole.
 * Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES,
 * or what the driver returns.
 */
NTSTATUS gpu_process_create(Broker *broker, Adapter *adapter, const GpuProcessOrigin *origin,
			    GpuProcess **ret_gpu_process, Failure *failure);

/* The same without the driver: CREATING and empty, for who puts back what it had. */
NTSTATUS gpu_process_new(Broker *broker, Adapter *adapter, const GpuProcessOrigin *origin,
			 GpuProcess **ret_gpu_process, Failure *failure);

/* One that was just made, of which nobody has heard. */
void gpu_process_discard(Broker *broker, GpuProcess *gpu_process);

GpuProcess *gpu_process_find(Broker *broker, const Handle *handle);

/* The process's on that adapter; NULL where there is none, and for a process of NULL. */
GpuProcess *gpu_process_of(const Process *process, const Adapter *adapter);

/* Ends it with its contexts and its address space. */
void gpu_process_end(Broker *broker, GpuProcess *gpu_process, EndReason reason);

/* --- for its driver -------------------------------------------------------------------------- */

/*
 * The reserve callback: as address_space_reserve_for_driver(), while the process is CREATING, else
 * STATUS_INVALID_DEVICE_STATE.
 */
NTSTATUS gpu_process_reserve_for_driver(Broker *broker, GpuProcess *gpu_process,
					const DriverReservation *reservation, uint64_t *ret_address,
					Failure *failure);

/* Whether it is CREATING, else STATUS_INVALID_DEVICE_STATE; and then makes it RUNNING. */
NTSTATUS gpu_process_prepare_completion(const GpuProcess *gpu_process, Failure *failure);
void gpu_process_complete(GpuProcess *gpu_process);

/* As address_space_prepare_entry(), for address_space_commit_entry() or _discard_entry(). One that
 * is made lasting by itself, as are those of a process that is, has its serial. */
NTSTATUS gpu_process_prepare_entry(Broker *broker, GpuProcess *gpu_process,
				   uint64_t virtual_address, uint64_t page_table_address,
				   EntryChange *ret, Failure *failure);

/* As address_space_make_resident(); who watches hears of it. */
NTSTATUS gpu_process_make_resident(Broker *broker, GpuProcess *gpu_process,
				   uint64_t virtual_address, Failure *failure);

/* --- for the process itself, while it is RUNNING, else STATUS_INVALID_DEVICE_STATE ----------- */

/* Each prepares a change, for gpu_process_commit() or address_space_discard(). */
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
