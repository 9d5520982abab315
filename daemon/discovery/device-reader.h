/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DISCOVERY_DEVICE_READER_H
#define DAEMON_DISCOVERY_DEVICE_READER_H

#include <sys/types.h>

#include "daemon/core/adapter-device.h"
#include "daemon/discovery/gpu-inventory.h"

/*
 * Reads GPU devices from the folder of sysfs, which is /sys or a test's own. Nearly everything is
 * in the targets of links, which no driver has a part in, and the attributes are values that the
 * kernel has in memory. Only device_read_held() reads an attribute that a driver answers.
 */

/*
 * Finds the GPU devices of the host. A host without any has an empty inventory. A device of which a
 * fact cannot be read has an error, and nothing about it but its nodes is known. Returns 0 or a
 * negative errno. The caller deinitialises the inventory in both cases.
 */
int device_read_gpus(const char *sysfs, GpuInventory *ret);

/*
 * Finds what the open character device with this number gives a process: the GPU of a node, or the
 * functions of an IOMMU group. Adds them to held, without repeating any. Clears held->is_complete
 * if there is no room for all, or if a fact about one cannot be read. Call it in a process that may
 * block.
 */
void device_read_held(const char *sysfs, dev_t device, HeldGpus *held);

#endif
