/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DISCOVERY_DEVICE_ADAPTERS_H
#define DAEMON_DISCOVERY_DEVICE_ADAPTERS_H

#include "daemon/core/broker.h"

/* Lists the GPU devices of the host as adapters. */

/* The result of a look at the host. */
typedef struct DeviceAdapters {
	size_t added;
	size_t removed;
	size_t left_out;  /* devices beyond LIMIT_FOUND_ADAPTERS */
	bool has_no_room; /* out of memory, so some devices are not listed */
} DeviceAdapters;

/*
 * Reads the devices from sysfs, adds an adapter for each new one, and ends those of devices that
 * are gone or have another driver. Takes about 20 microseconds for each device. Returns 0, or a
 * negative errno if sysfs cannot be read; the adapters are then as before.
 */
int device_adapters_update(Broker *broker, const char *sysfs, DeviceAdapters *ret);

#endif
