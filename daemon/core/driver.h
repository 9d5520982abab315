/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_DRIVER_H
#define DAEMON_CORE_DRIVER_H

#include "daemon/core/failure.h"
#include "daemon/core/va/address-space.h"

typedef struct Broker Broker;
typedef struct GpuProcess GpuProcess;

/*
 * The interface of drivers inside the daemon. The driver takes part in the creation of each GPU
 * process on its adapter, like DxgkDdiCreateProcess: the process is CREATING while create_process
 * runs, and only then can the driver reserve address ranges.
 *
 * A driver can also be a connection that has registered an adapter. Its calls have the same
 * effects.
 */

/* Functions that the manager offers to drivers, like DXGKRNL_INTERFACE. */
typedef struct DriverCallbacks {
	Broker *broker;

	/* DXGKCB_RESERVEGPUVIRTUALADDRESSRANGE; see gpu_process_reserve_for_driver(). */
	NTSTATUS(*reserve_gpu_virtual_address_range)
	(Broker *broker, GpuProcess *gpu_process, const DriverReservation *reservation,
	 uint64_t *ret_address, Failure *failure);
} DriverCallbacks;

typedef struct Driver {
	const char *name;

	/*
	 * Takes part in the creation of a process. Any status other than STATUS_SUCCESS discards
	 * the process, and is returned to the caller.
	 */
	NTSTATUS(*create_process)
	(const void *self, const DriverCallbacks *callbacks, GpuProcess *gpu_process,
	 Failure *failure);

	/* Called once for each created process, while its ranges still exist. May be NULL. */
	void (*destroy_process)(const void *self, GpuProcess *gpu_process);
} Driver;

#endif
