/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_DISCOVERY_DEVICE_TREE_H
#define TESTS_UNIT_DISCOVERY_DEVICE_TREE_H

#include "proto/macros.h"

/*
 * A tree like /sys in a temporary folder, made as the kernel's documentation describes it. Paths
 * are relative to the tree; missing folders are made.
 */
typedef struct DeviceTree {
	char path[64];
} DeviceTree;

void tree_init(DeviceTree *tree);
void tree_deinit(DeviceTree *tree);

/* Makes or replaces an attribute. A newline is added, as the kernel does. */
void tree_attribute(const DeviceTree *tree, const char *path, const char *value);

/* Makes a link with this target. */
void tree_link(const DeviceTree *tree, const char *path, const char *target);

/* Makes a DRM node of the device, and its link in class/drm. device: path below devices/. */
void tree_node(const DeviceTree *tree, const char *device, const char *node);
void tree_remove_node(const DeviceTree *tree, const char *node);

/*
 * Makes a PCI device with its driver, vendor and class. device: path below devices/, which ends in
 * its address.
 */
void tree_pci(const DeviceTree *tree, const char *device, const char *driver, const char *vendor,
	      const char *class);

/* Puts a device into an IOMMU group whose VFIO node has this number. */
void tree_group(const DeviceTree *tree, unsigned int group, const char *number, const char *device);

#endif
