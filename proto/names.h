/* SPDX-License-Identifier: MIT */
#ifndef PROTO_NAMES_H
#define PROTO_NAMES_H

/*
 * The names of enumeration values in messages, for the enumerations that the daemon and libvail
 * both have. Each list expands ROW(VALUE, "name") once per value. daemon/api/names.c and
 * client/libvail/names.c make tables of them for their own enumerations.
 */

/* clang-format off */
#define EVENT_KIND_NAMES(ROW) \
	ROW(CURRENT, "current") \
	ROW(REGISTERED, "registered") \
	ROW(UNREGISTERED, "unregistered") \
	ROW(VIRTUAL_MACHINE_ADDED, "virtualMachineAdded") \
	ROW(VIRTUAL_MACHINE_CHANGED, "virtualMachineChanged") \
	ROW(VIRTUAL_MACHINE_REMOVED, "virtualMachineRemoved") \
	ROW(VIRTUAL_GPU_ASSIGNED, "virtualGpuAssigned") \
	ROW(VIRTUAL_GPU_REMOVED, "virtualGpuRemoved") \
	ROW(QUARANTINED, "quarantined") \
	ROW(QUARANTINE_LIFTED, "quarantineLifted") \
	ROW(ADAPTER_ADDED, "adapterAdded") \
	ROW(ADAPTER_REMOVED, "adapterRemoved") \
	ROW(GPU_PROCESS_REMOVED, "gpuProcessRemoved") \
	ROW(PAGE_TABLE_RESIDENT, "pageTableResident") \
	ROW(SHARED, "shared") \
	ROW(UPDATED, "updated") \
	ROW(UNSHARED, "unshared") \
	ROW(OPENED, "opened") \
	ROW(RELEASED, "released") \
	ROW(DISPLAY_OPENED, "displayOpened") \
	ROW(DISPLAY_CLOSED, "displayClosed")

#define DISPLAY_RIGHT_NAMES(ROW) \
	ROW(VIEW, "view") \
	ROW(INPUT, "input") \
	ROW(CLIPBOARD, "clipboard") \
	ROW(AUDIO_OUTPUT, "audioOutput") \
	ROW(AUDIO_INPUT, "audioInput")

#define OBJECT_TYPE_NAMES(ROW) \
	ROW(RESOURCE, "resource") \
	ROW(FENCE, "fence") \
	ROW(RESOURCE_WITH_FENCE, "resourceWithFence")

#define OBJECT_ACCESS_NAMES(ROW) \
	ROW(READ, "read") \
	ROW(READ_WRITE, "readWrite")

#define OBJECT_FIRST_ROW_NAMES(ROW) \
	ROW(TOP, "top") \
	ROW(BOTTOM, "bottom")

#define MEMORY_KIND_NAMES(ROW) \
	ROW(NONE, "none") \
	ROW(DMABUF, "dmabuf") \
	ROW(MEMFD, "memfd")

#define PROTECTION_NAMES(ROW) \
	ROW(READ, "read") \
	ROW(READ_WRITE, "readWrite") \
	ROW(NO_ACCESS, "noAccess") \
	ROW(ZERO, "zero")

#define RANGE_KIND_NAMES(ROW) \
	ROW(ROOT_ENTRY_ZERO, "rootEntryZero") \
	ROW(DRIVER_RESERVATION, "driverReservation") \
	ROW(USER_RESERVATION, "userReservation") \
	ROW(MAPPING, "mapping")

#define TRANSLATION_STATE_NAMES(ROW) \
	ROW(INVALID, "invalid") \
	ROW(RESERVED, "reserved") \
	ROW(DRIVER_PAGE_TABLE, "driverPageTable") \
	ROW(NOT_RESIDENT, "notResident") \
	ROW(USER_RESERVED, "userReserved") \
	ROW(MAPPED, "mapped")
/* clang-format on */

#endif
