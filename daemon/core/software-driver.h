/* SPDX-License-Identifier: MIT */
#ifndef CORE_SOFTWARE_DRIVER_H
#define CORE_SOFTWARE_DRIVER_H

#include "driver.h"
#include "limit.h"

/*
 * The driver of the software adapter, which is always there: it reserves in each process what the
 * configuration lists.
 */

typedef struct ConfiguredReservations {
	size_t count;
	DriverReservation items[LIMIT_CONFIGURED_RESERVATIONS];
} ConfiguredReservations;

typedef struct SoftwareAdapterSettings {
	ConfiguredReservations of_processes;
	ConfiguredReservations of_system_process;
} SoftwareAdapterSettings;

/* Its self is a SoftwareAdapterSettings. */
extern const Driver software_driver;

/* 48 bits, four levels of nine. */
extern const GpuMmu software_mmu;

/*
 * Whether a process can be made with these within the limits, were it the first. The system process
 * is the daemon's own. Returns STATUS_SUCCESS; otherwise what the one that is at fault, whose index
 * is *ret_index, was refused with.
 */
NTSTATUS software_driver_check(const ConfiguredReservations *reservations, const Limits *limits,
			       bool is_system, size_t *ret_index, Failure *failure);

#endif
