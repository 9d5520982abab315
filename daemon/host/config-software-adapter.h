/* SPDX-License-Identifier: MIT */
#ifndef HOST_CONFIG_SOFTWARE_ADAPTER_H
#define HOST_CONFIG_SOFTWARE_ADAPTER_H

#include "failure.h"
#include "json.h"
#include "software-driver.h"

/*
 * The configuration's "softwareAdapter": what its driver reserves in each process.
 *
 *   reservations         array of objects, in the order in which they are made in each process:
 *       sizeInBytes, alignment, baseAddress, allowUserModeMapping
 *                        as of io.vaild.Gpu.ReserveGpuVirtualAddressRange
 *   systemReservations   the same for the adapter's system process
 *
 * Returns true, or false with a sentence in failure->message that begins with the key at fault: one
 * that is not there, and also one that could not be reserved.
 */
bool config_read_software_adapter(const JsonValue *value, SoftwareAdapterSettings *ret_settings,
				  Failure *failure);

/* Whether that can be made within the limits that came out in the end. */
bool config_check_software_adapter(const SoftwareAdapterSettings *settings, const Limits *limits,
				   Failure *failure);

#endif
