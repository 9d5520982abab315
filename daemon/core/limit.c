/* SPDX-License-Identifier: MIT */
#include "daemon/core/limit.h"

#include <stddef.h>

const Limits limits_default = {
	.per_uid = {
		[LIMIT_CONNECTIONS] = 512,
		[LIMIT_REGISTRATIONS] = 4096,
		[LIMIT_CONTEXTS] = 1024,
		[LIMIT_GPU_PROCESSES] = 1024,
		[LIMIT_VIRTUAL_MACHINES] = 1024,
		[LIMIT_VIRTUAL_GPUS] = 1024,
		[LIMIT_QUARANTINES] = 4096,
		[LIMIT_WATCHES] = 256,
		[LIMIT_ADAPTERS] = 64,
		[LIMIT_DRIVER_RESERVATIONS] = 65536,
		[LIMIT_USER_RANGES] = 262144,
		[LIMIT_PAGE_TABLE_ENTRIES] = 262144,
		[LIMIT_OBJECTS] = 4096,
		[LIMIT_OBJECT_MEBIBYTES] = 65536,
		[LIMIT_HOLDERS] = 16384,
		[LIMIT_DISPLAYS] = 256,
		[LIMIT_STORE_ENTRIES] = 2048,
	},
	.host_wide = {
		[LIMIT_CONNECTIONS] = 10000,
		[LIMIT_REGISTRATIONS] = 16384,
		[LIMIT_CONTEXTS] = 16384,
		[LIMIT_GPU_PROCESSES] = 16384,
		[LIMIT_VIRTUAL_MACHINES] = 4096,
		[LIMIT_VIRTUAL_GPUS] = 4096,
		[LIMIT_QUARANTINES] = 4096,
		[LIMIT_WATCHES] = 4096,
		[LIMIT_ADAPTERS] = 256,
		[LIMIT_DRIVER_RESERVATIONS] = 262144,
		[LIMIT_USER_RANGES] = 1000000,
		[LIMIT_PAGE_TABLE_ENTRIES] = 1000000,
		[LIMIT_OBJECTS] = 16384,
		[LIMIT_OBJECT_MEBIBYTES] = 262144,
		[LIMIT_HOLDERS] = 65536,
		[LIMIT_DISPLAYS] = 2048,
		[LIMIT_STORE_ENTRIES] = 4096,
	},
	.per_entity = {
		[LIMIT_DRIVER_RESERVATIONS] = 4096,
		[LIMIT_USER_RANGES] = 65536,
		[LIMIT_PAGE_TABLE_ENTRIES] = 65536,
		[LIMIT_OBJECTS] = 1024,
		[LIMIT_OBJECT_MEBIBYTES] = 32768,
		[LIMIT_DISPLAYS] = 64,
	},
};

static const struct {
	const char *per_uid;
	const char *host_wide;
	const char *per_entity;
} names[] = {
	[LIMIT_CONNECTIONS] = { "connectionsPerUid", "connections", NULL },
	[LIMIT_REGISTRATIONS] = { "registrationsPerUid", "registrations", NULL },
	[LIMIT_CONTEXTS] = { "contextsPerUid", "contexts", NULL },
	[LIMIT_GPU_PROCESSES] = { "gpuProcessesPerUid", "gpuProcesses", NULL },
	[LIMIT_VIRTUAL_MACHINES] = { "virtualMachinesPerUid", "virtualMachines", NULL },
	[LIMIT_VIRTUAL_GPUS] = { "virtualGpusPerUid", "virtualGpus", NULL },
	[LIMIT_QUARANTINES] = { "quarantinesPerUid", "quarantines", NULL },
	[LIMIT_WATCHES] = { "watchesPerUid", "watches", NULL },
	[LIMIT_ADAPTERS] = { "adaptersPerUid", "adapters", NULL },
	[LIMIT_DRIVER_RESERVATIONS] = { "driverReservationsPerUid", "driverReservations",
					"driverReservationsPerProcess" },
	[LIMIT_USER_RANGES] = { "userRangesPerUid", "userRanges", "userRangesPerProcess" },
	[LIMIT_OBJECTS] = { "objectsPerUid", "objects", "objectsPerMachine" },
	[LIMIT_OBJECT_MEBIBYTES] = { "objectMebibytesPerUid", "objectMebibytes",
				     "objectMebibytesPerMachine" },
	[LIMIT_HOLDERS] = { "holdersPerUid", "holders", NULL },
	[LIMIT_DISPLAYS] = { "displaysPerUid", "displays", "displaysPerMachine" },
	[LIMIT_STORE_ENTRIES] = { "storeEntriesPerUid", "storeEntries", NULL },
	[LIMIT_PAGE_TABLE_ENTRIES] = { "pageTableEntriesPerUid", "pageTableEntries",
				       "pageTableEntriesPerProcess" },
};

_Static_assert(sizeof(names) / sizeof(names[0]) == LIMIT_MAX, "every limit needs its names");

const char *limit_name(LimitKind kind, bool per_uid)
{
	return per_uid ? names[kind].per_uid : names[kind].host_wide;
}

const char *limit_entity_name(LimitKind kind)
{
	return names[kind].per_entity;
}
