/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_LOCAL_GPU_TYPES_H
#define DAEMON_FLEET_LOCAL_GPU_TYPES_H

#include "daemon/fleet/model/value.h"

/*
 * Reads which types of mediated devices a GPU device offers, and how many more of each are
 * possible, from /sys. A device without mediated devices has no types. Returns false if out of
 * memory.
 */
bool gpu_types_read(const char *pci_address, FleetGpu *gpu);

/* The same below another folder than /sys/bus/pci/devices. */
bool gpu_types_read_at(const char *devices, const char *pci_address, FleetGpu *gpu);

#endif
