/* SPDX-License-Identifier: MIT */
#ifndef CORE_DRIVER_H
#define CORE_DRIVER_H

#include "address-space.h"
#include "failure.h"

typedef struct Broker Broker;
typedef struct GpuProcess GpuProcess;

/*
 * A driver inside the daemon is this table of functions. Each GPU process on its adapter is made by
 * it, as DxgkDdiCreateProcess makes one: the process is CREATING while create_process runs, and the
 * driver may reserve address ranges then, and at no other time.
 *
 * The other sort of driver is a connection that has registered an adapter, and does by calls what a
 * driver in the daemon does in create_process.
 */

/* What the manager offers to drivers: their DXGKRNL_INTERFACE. */
typedef struct DriverCallbacks {
	Broker *broker;

	/* DXGKCB_RESERVEGPUVIRTUALADDRESSRANGE; see gpu_process_reserve_for_driver(). */
	NTSTATUS(*reserve_gpu_virtual_address_range)
	(Broker *broker, GpuProcess *gpu_process, const DriverReservation *reservation,
	 uint64_t *ret_address, Failure *failure);
} DriverCallbacks;

typedef struct Driver {
	const char *name;

	/* Whatever it returns but STATUS_SUCCESS undoes the process, and is the caller's answer. */
	NTSTATUS(*create_process)
	(const void *self, const DriverCallbacks *callbacks, GpuProcess *gpu_process,
	 Failure *failure);

	/* Once for each process that was made; its ranges are still there. May be NULL. */
	void (*destroy_process)(const void *self, GpuProcess *gpu_process);
} Driver;

#endif
