/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DISCOVERY_GPU_INVENTORY_H
#define DAEMON_DISCOVERY_GPU_INVENTORY_H

#include "daemon/discovery/gpu-device.h"

/* The GPU devices that were found at one time, in the order of their locations. Reads no file. */

typedef struct FoundGpu {
	AdapterDevice device;
	char path[DEVICE_PATH_SIZE]; /* below /sys/devices */
	char name[GPU_NAME_SIZE];    /* for people; empty until the device is described */
	int error;                   /* a negative errno if it could not be looked at, else 0 */
} FoundGpu;

typedef struct GpuInventory {
	FoundGpu *items;
	size_t count;
	size_t capacity;
	size_t left_out; /* devices beyond LIMIT_FOUND_ADAPTERS */
} GpuInventory;

#define GPU_INVENTORY_INIT ((GpuInventory){ 0 })

void gpu_inventory_deinit(GpuInventory *inventory);

/*
 * Adds a node, in any order. Call gpu_inventory_finish() after the last one. Returns false if out
 * of memory.
 */
bool gpu_inventory_add(GpuInventory *inventory, const GpuNode *node);

/* Joins the nodes of each device, sorts the devices, and leaves out those beyond the limit. */
void gpu_inventory_finish(GpuInventory *inventory);

/* Returns the device at the location, or NULL. */
const FoundGpu *gpu_inventory_find(const GpuInventory *inventory, const char *location);

#endif
