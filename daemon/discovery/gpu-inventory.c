/* SPDX-License-Identifier: MIT */
#include "daemon/discovery/gpu-inventory.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/limit.h"

void gpu_inventory_deinit(GpuInventory *inventory)
{
	free(inventory->items);
	*inventory = GPU_INVENTORY_INIT;
}

static bool make_room(GpuInventory *inventory)
{
	size_t capacity = inventory->capacity > 0 ? inventory->capacity * 2 : 8;

	if (inventory->count < inventory->capacity)
		return true;
	FoundGpu *items = reallocarray(inventory->items, capacity, sizeof(*items));
	if (!items)
		return false;
	inventory->items = items;
	inventory->capacity = capacity;
	return true;
}

bool gpu_inventory_add(GpuInventory *inventory, const GpuNode *node)
{
	if (!make_room(inventory))
		return false;
	FoundGpu *gpu = &inventory->items[inventory->count++];
	*gpu = (FoundGpu){
		.device = { .is_pci = node->is_pci, .node_count = 1 },
	};
	strcpy(gpu->device.location, node->location);
	strcpy(gpu->device.nodes[0], node->name);
	strcpy(gpu->path, node->path);
	return true;
}

static int compare_locations(const void *left, const void *right)
{
	const FoundGpu *a = left, *b = right;

	return strcmp(a->device.location, b->device.location);
}

static int compare_gpus(const void *left, const void *right)
{
	const FoundGpu *a = left, *b = right;
	int order = compare_locations(left, right);

	return order != 0 ? order : strcmp(a->device.nodes[0], b->device.nodes[0]);
}

static void add_node(AdapterDevice *device, const char *node)
{
	if (device->node_count < DEVICE_NODES_MAX)
		strcpy(device->nodes[device->node_count++], node);
}

void gpu_inventory_finish(GpuInventory *inventory)
{
	size_t count = 0;

	if (inventory->count == 0)
		return;
	qsort(inventory->items, inventory->count, sizeof(*inventory->items), compare_gpus);
	for (size_t i = 1; i < inventory->count; i++) {
		FoundGpu *last = &inventory->items[count], *gpu = &inventory->items[i];

		if (compare_locations(last, gpu) == 0)
			add_node(&last->device, gpu->device.nodes[0]);
		else
			inventory->items[++count] = *gpu;
	}
	inventory->count = count + 1;
	if (inventory->count <= LIMIT_FOUND_ADAPTERS)
		return;
	inventory->left_out = inventory->count - LIMIT_FOUND_ADAPTERS;
	inventory->count = LIMIT_FOUND_ADAPTERS;
}

const FoundGpu *gpu_inventory_find(const GpuInventory *inventory, const char *location)
{
	FoundGpu key = { 0 };

	if (inventory->count == 0 || strlen(location) >= sizeof(key.device.location))
		return NULL;
	strcpy(key.device.location, location);
	return bsearch(&key, inventory->items, inventory->count, sizeof(*inventory->items),
		       compare_locations);
}
