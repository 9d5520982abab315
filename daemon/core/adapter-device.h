/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_ADAPTER_DEVICE_H
#define DAEMON_CORE_ADAPTER_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/limit.h"

/*
 * A GPU device of the host as the kernel describes it, and the functions of such devices that a
 * process has open. Texts are printable ASCII, and end in NUL.
 */

/* Sizes of the texts, with their NUL. A device with longer texts is left out. */
#define DEVICE_LOCATION_SIZE 160
#define DEVICE_DRIVER_SIZE   64
#define DEVICE_NODE_SIZE     24
#define DEVICE_PROFILE_SIZE  64

/* DRM nodes of one device: usually a primary and a render node. */
#define DEVICE_NODES_MAX 4

typedef struct AdapterDevice {
	/*
	 * The PCI address, or the path below /sys/devices. It stays the same when the driver is
	 * loaded again, unlike the numbers of the nodes.
	 */
	char location[DEVICE_LOCATION_SIZE];
	bool is_pci;
	char driver[DEVICE_DRIVER_SIZE]; /* of the kernel; empty if none is known */
	char nodes[DEVICE_NODES_MAX][DEVICE_NODE_SIZE];
	size_t node_count;
	uint64_t virtual_functions; /* the most that the device can have */
} AdapterDevice;

typedef enum HeldGpuKind {
	HELD_GPU_PARAVIRTUAL,      /* a DRM or NVIDIA node of the host */
	HELD_GPU_VIRTUAL_FUNCTION, /* an SR-IOV function, through VFIO */
	HELD_GPU_MDEV,             /* a mediated device, through VFIO */
	HELD_GPU_PASSTHROUGH,      /* a whole device, through VFIO */
	HELD_GPU_KIND_MAX,
} HeldGpuKind;

/* A device or function that a process has open. Fixed in size, because the examiner sends it. */
typedef struct HeldGpu {
	uint32_t kind;                       /* a HeldGpuKind */
	uint32_t pci_class;                  /* 24 bits; 0 if unknown or not on PCI */
	char function[DEVICE_LOCATION_SIZE]; /* its PCI address, UUID or location */
	char parent[DEVICE_LOCATION_SIZE];   /* location of the device it is a part of, or empty */
	char profile[DEVICE_PROFILE_SIZE];   /* its type, or empty */
} HeldGpu;

/* The devices and functions that one process has open. */
typedef struct HeldGpus {
	HeldGpu items[LIMIT_HELD_GPUS];
	size_t count;
	bool is_complete; /* false if the process may have more */
} HeldGpus;

#endif
