/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DISCOVERY_GPU_DEVICE_H
#define DAEMON_DISCOVERY_GPU_DEVICE_H

#include <stdbool.h>

#include "daemon/core/adapter-device.h"

/*
 * Recognises GPU devices from the texts in /sys: names of folders, targets of links, and
 * attributes. Reads no file. A text that is absent is NULL, and an attribute may end in a newline.
 *
 * A device is identified by its PCI address or its path, never by the number of a node, because the
 * next device may get that number.
 */

/* Size of a path below /sys/devices, with its NUL. */
#define DEVICE_PATH_SIZE 512

/* A DRM node: /sys/class/drm/card0 or renderD128. */
typedef struct GpuNode {
	char name[DEVICE_NODE_SIZE];
	char path[DEVICE_PATH_SIZE]; /* of its device, below /sys/devices */
	char location[DEVICE_LOCATION_SIZE];
	bool is_pci;
} GpuNode;

/*
 * Recognises a DRM node by the name and the target of its link in /sys/class/drm. Returns false for
 * connectors and everything else.
 */
bool gpu_node_parse(const char *name, const char *link, GpuNode *ret);

/* The texts in /sys about the device of a node. */
typedef struct GpuDeviceFacts {
	const char *driver;          /* target of the link "driver" */
	const char *virtio_driver;   /* that of the virtio device that it carries, if any */
	const char *vendor;          /* "0x8086" */
	const char *total_functions; /* sriov_totalvfs */
} GpuDeviceFacts;

/* Size of an adapter's name, with its NUL. */
#define GPU_NAME_SIZE (DEVICE_LOCATION_SIZE + 32)

/*
 * Adds the driver and the virtual functions to the device, and writes a name for people, which is
 * as unique as the location: "Intel GPU 0000:00:02.0".
 */
void gpu_device_describe(const GpuDeviceFacts *facts, AdapterDevice *device,
			 char ret_name[GPU_NAME_SIZE]);

/* The kinds of character devices, by the target of their link in /sys/dev/char. */
typedef enum GpuCharDeviceKind {
	CHAR_DEVICE_OTHER,
	CHAR_DEVICE_GPU,         /* a DRM node; name is its device's location */
	CHAR_DEVICE_VFIO_GROUP,  /* /dev/vfio/N; name is N, the number of the IOMMU group */
	CHAR_DEVICE_VFIO_DEVICE, /* /dev/vfio/devices/vfioN; name is the function's */
} GpuCharDeviceKind;

typedef struct GpuCharDevice {
	GpuCharDeviceKind kind;
	char name[DEVICE_LOCATION_SIZE];
} GpuCharDevice;

GpuCharDevice gpu_char_device_parse(const char *link);

/* The texts in /sys about a function that VFIO gives to a process. */
typedef struct GpuFunctionFacts {
	const char *name;      /* in the IOMMU group: a PCI address, or the UUID of an mdev */
	const char *mdev_link; /* target of /sys/bus/mdev/devices/NAME */
	const char *mdev_type; /* target of its link "mdev_type" */
	const char *physfn;    /* target of the function's link "physfn" */
	const char *pci_class; /* "0x030000", of the function or of the mdev's parent */
	const char *vgpu_type; /* nvidia/current_vgpu_type */
} GpuFunctionFacts;

/*
 * Recognises the function. Returns false if it is neither, if it has vanished, or if it is only a
 * bridge, which shares the group with the functions behind it.
 */
bool gpu_function_classify(const GpuFunctionFacts *facts, HeldGpu *ret);

/* Tests for the name of a virtio device, such as "virtio0". */
bool gpu_is_virtio_device(const char *text);

/* Tests for a PCI address, such as "0000:00:02.0". */
bool gpu_is_pci_address(const char *text);

#endif
