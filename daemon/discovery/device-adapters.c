/* SPDX-License-Identifier: MIT */
#include "daemon/discovery/device-adapters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/discovery/device-reader.h"

/* Tests whether the device has the driver that it had. Its nodes may differ. */
static bool is_same_device(const Adapter *adapter, const FoundGpu *gpu)
{
	return strcmp(adapter->device->driver, gpu->device.driver) == 0;
}

/*
 * Ends the adapters of lost devices and updates the others. Marks the devices of the latter. An
 * adapter stays as it is if its device could not be looked at.
 */
static void update_listed(Broker *broker, const GpuInventory *inventory, bool *is_listed,
			  DeviceAdapters *result)
{
	uint64_t cursor = 0;
	Adapter *adapter;

	while ((adapter = adapter_after(broker, cursor))) {
		cursor = adapter->entity.serial;
		if (!adapter->device)
			continue;
		const FoundGpu *gpu = gpu_inventory_find(inventory, adapter->device->location);
		if (gpu && (gpu->error < 0 || is_same_device(adapter, gpu))) {
			if (gpu->error == 0)
				*adapter->device = gpu->device;
			is_listed[gpu - inventory->items] = true;
		} else {
			adapter_end(broker, adapter, END_ADAPTER_REMOVED);
			result->removed++;
		}
	}
}

static bool add(Broker *broker, const FoundGpu *gpu)
{
	Adapter *adapter;
	Failure failure;

	if (adapter_prepare_found(broker, gpu->name, &gpu->device, &adapter, &failure) !=
	    STATUS_SUCCESS)
		return false;
	adapter_commit(broker, adapter);
	return true;
}

static void list(Broker *broker, const GpuInventory *inventory, bool *is_listed,
		 DeviceAdapters *result)
{
	update_listed(broker, inventory, is_listed, result);
	for (size_t i = 0; i < inventory->count; i++) {
		int error = inventory->items[i].error;

		if (error < 0) {
			result->error = result->unreadable++ > 0 ? result->error : error;
			continue;
		}
		if (is_listed[i])
			continue;
		if (add(broker, &inventory->items[i]))
			result->added++;
		else
			result->has_no_room = true;
	}
	result->left_out = inventory->left_out;
}

int device_adapters_update(Broker *broker, const char *sysfs, DeviceAdapters *ret)
{
	_cleanup_(gpu_inventory_deinit) GpuInventory inventory;
	DeviceAdapters result = { 0 };
	int error = device_read_gpus(sysfs, &inventory);

	if (error < 0)
		return error;
	_cleanup_free_ bool *is_listed = calloc(inventory.count + 1, sizeof(*is_listed));
	if (!is_listed)
		return -ENOMEM;
	list(broker, &inventory, is_listed, &result);
	*ret = result;
	return 0;
}
