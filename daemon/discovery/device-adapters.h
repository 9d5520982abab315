/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DISCOVERY_DEVICE_ADAPTERS_H
#define DAEMON_DISCOVERY_DEVICE_ADAPTERS_H

#include "daemon/core/broker.h"

/* Lists the GPU devices of the host as adapters. */

/* The result of a look at the host. */
typedef struct DeviceAdapters {
	size_t added;
	size_t removed;
	size_t left_out;   /* devices beyond LIMIT_FOUND_ADAPTERS */
	size_t unreadable; /* devices that could not be looked at; those that were listed still are
			    */
	int error;         /* a negative errno, of the first of these */
	bool has_no_room;  /* out of memory, so some devices are not listed */
} DeviceAdapters;

/*
 * Reads the devices from sysfs. Adds an adapter for each new device. Ends the adapter of a device
 * that has vanished or changed its driver. Takes about 20 microseconds for each device. Returns 0,
 * or a negative errno with the adapters unchanged if it cannot read sysfs.
 */
int device_adapters_update(Broker *broker, const char *sysfs, DeviceAdapters *ret);

#endif
