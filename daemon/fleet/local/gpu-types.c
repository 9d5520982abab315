/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/local/gpu-types.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/fd-util.h"

/* Reads the number of possible devices of a type. Returns 0 if it cannot be read. */
static uint64_t read_free(int types, const char *name)
{
	char path[FLEET_TEXT_MAX + 32], text[32] = "";

	snprintf(path, sizeof(path), "%s/available_instances", name);
	_cleanup_close_ int file = openat(types, path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return 0;
	ssize_t size = read(file, text, sizeof(text) - 1);
	text[size > 0 ? size : 0] = '\0';
	return strtoul(text, NULL, 10);
}

static bool add_type(FleetGpu *gpu, const char *name, uint64_t free)
{
	FleetGpuType *type = &gpu->types[gpu->type_count];

	type->name = fleet_text_copy(name);
	type->free = free;
	gpu->type_count++;
	return type->name != NULL;
}

bool gpu_types_read_at(const char *devices, const char *pci_address, FleetGpu *gpu)
{
	char path[4096];
	struct dirent *entry;
	bool has_memory = true;

	if (pci_address[0] == '\0' || strchr(pci_address, '/'))
		return true;
	snprintf(path, sizeof(path), "%s/%s/mdev_supported_types", devices, pci_address);
	DIR *types = opendir(path);
	if (!types)
		return true;
	gpu->types = calloc(FLEET_ITEMS_MAX, sizeof(*gpu->types));
	has_memory = gpu->types != NULL;
	while (has_memory && gpu->type_count < FLEET_ITEMS_MAX && (entry = readdir(types)))
		if (entry->d_name[0] != '.')
			has_memory = add_type(gpu, entry->d_name,
					      read_free(dirfd(types), entry->d_name));
	closedir(types);
	return has_memory;
}

bool gpu_types_read(const char *pci_address, FleetGpu *gpu)
{
	return gpu_types_read_at("/sys/bus/pci/devices", pci_address, gpu);
}
