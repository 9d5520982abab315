/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/held-gpus.h"

#include "daemon/discovery/device-reader.h"
#include "daemon/host/process/process-devices.h"

typedef struct HeldSearch {
	const FsRoots *roots;
	HeldGpus *held;
} HeldSearch;

static Lookup add_device(void *context, dev_t device)
{
	const HeldSearch *search = context;

	device_read_held(search->roots->sys, device, search->held);
	return LOOKUP_ABSENT;
}

Lookup held_gpus_find(const FsRoots *roots, pid_t pid, int pidfd, HeldGpus *ret)
{
	HeldSearch search = { .roots = roots, .held = ret };
	bool is_complete;

	ret->count = 0;
	ret->is_complete = true;
	Lookup lookup = process_devices_visit(roots, pid, pidfd, add_device, &search, &is_complete);
	ret->is_complete &= is_complete;
	if (lookup != LOOKUP_ABSENT)
		return lookup;
	if (ret->count > 0)
		return LOOKUP_FOUND;
	return ret->is_complete ? LOOKUP_ABSENT : LOOKUP_UNREADABLE;
}
