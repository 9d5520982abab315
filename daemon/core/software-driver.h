/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_SOFTWARE_DRIVER_H
#define DAEMON_CORE_SOFTWARE_DRIVER_H

#include "daemon/core/driver.h"
#include "daemon/core/limit.h"

/* The driver of the software adapter. It makes the configured reservations in each process. */

typedef struct ConfiguredReservations {
	size_t count;
	DriverReservation items[LIMIT_CONFIGURED_RESERVATIONS];
} ConfiguredReservations;

typedef struct SoftwareAdapterSettings {
	ConfiguredReservations of_processes;
	ConfiguredReservations of_system_process;
} SoftwareAdapterSettings;

/* Expects a SoftwareAdapterSettings as self. */
extern const Driver software_driver;

/* 48 address bits, four levels of nine bits. */
extern const GpuMmu software_mmu;

/*
 * Checks that a first process could be created with these reservations and limits. is_system
 * selects the system process, which the daemon pays for. Returns STATUS_SUCCESS, or the failure of
 * the reservation at *ret_index.
 */
NTSTATUS software_driver_check(const ConfiguredReservations *reservations, const Limits *limits,
			       bool is_system, size_t *ret_index, Failure *failure);

#endif
