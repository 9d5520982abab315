/* SPDX-License-Identifier: MIT */
#include "limit.h"

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
	},
	.in_all = {
		[LIMIT_CONNECTIONS] = 10000,
		[LIMIT_REGISTRATIONS] = 16384,
		[LIMIT_CONTEXTS] = 16384,
		[LIMIT_GPU_PROCESSES] = 16384,
		[LIMIT_VIRTUAL_MACHINES] = 4096,
		[LIMIT_VIRTUAL_GPUS] = 4096,
		[LIMIT_QUARANTINES] = 4096,
		[LIMIT_WATCHES] = 4096,
	},
};

static const struct {
	const char *per_uid;
	const char *in_all;
} names[] = {
	[LIMIT_CONNECTIONS] = { "connectionsPerUid", "connections" },
	[LIMIT_REGISTRATIONS] = { "registrationsPerUid", "registrations" },
	[LIMIT_CONTEXTS] = { "contextsPerUid", "contexts" },
	[LIMIT_GPU_PROCESSES] = { "gpuProcessesPerUid", "gpuProcesses" },
	[LIMIT_VIRTUAL_MACHINES] = { "virtualMachinesPerUid", "virtualMachines" },
	[LIMIT_VIRTUAL_GPUS] = { "virtualGpusPerUid", "virtualGpus" },
	[LIMIT_QUARANTINES] = { "quarantinesPerUid", "quarantines" },
	[LIMIT_WATCHES] = { "watchesPerUid", "watches" },
};

_Static_assert(sizeof(names) / sizeof(names[0]) == LIMIT_MAX, "each limit has its names");

const char *limit_name(LimitKind kind, bool per_uid)
{
	return per_uid ? names[kind].per_uid : names[kind].in_all;
}
