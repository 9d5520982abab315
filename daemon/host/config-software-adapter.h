/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_CONFIG_SOFTWARE_ADAPTER_H
#define DAEMON_HOST_CONFIG_SOFTWARE_ADAPTER_H

#include "daemon/core/failure.h"
#include "daemon/core/software-driver.h"
#include "proto/json-table.h"

/*
 * The key "softwareAdapter" of the configuration: the address ranges that the software adapter's
 * driver reserves in each process.
 *
 *   reservations         array of objects, reserved in this order in each process:
 *       sizeInBytes, alignment, baseAddress, allowUserModeMapping
 *                        as of io.vaild.Gpu.ReserveGpuVirtualAddressRange
 *   systemReservations   the same for the adapter's system process
 */

/* Decodes the object into a zeroed SoftwareAdapterSettings. */
extern const JsonTable config_software_adapter_table;

/* Decodes an item of one of its arrays. */
extern const JsonTable config_reservation_table;

/*
 * Checks that all ranges can be reserved within the limits. Returns false, with a failure message
 * that begins with the reservation at fault, if they cannot.
 */
bool config_check_software_adapter(const SoftwareAdapterSettings *settings, const Limits *limits,
				   Failure *failure);

#endif
