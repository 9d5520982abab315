/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/held-gpus.h"

#include "daemon/discovery/device-reader.h"
#include "daemon/host/process/process-devices.h"
#include "proto/macros.h"

typedef struct HeldSearch {
	const FsRoots *roots;
	HeldGpus *held;
	dev_t read[LIMIT_FDS_EXAMINED]; /* devices that were read */
	size_t read_count;
} HeldSearch;

/* Notes that the device is read. Returns false if it was before. */
static bool note_device(HeldSearch *search, dev_t device)
{
	for (size_t i = 0; i < search->read_count; i++)
		if (search->read[i] == device)
			return false;
	if (search->read_count < ARRAY_SIZE(search->read))
		search->read[search->read_count++] = device;
	return true;
}

static Lookup add_device(void *context, dev_t device)
{
	HeldSearch *search = context;

	/* Reading an IOMMU group takes long, and a process can have many fds of it. */
	if (note_device(search, device))
		device_read_held(search->roots->sys, device, search->held);
	return LOOKUP_ABSENT;
}

Lookup held_gpus_find(const FsRoots *roots, const SearchedProcess *process, HeldGpus *ret)
{
	HeldSearch search;
	bool is_complete;

	search.roots = roots;
	search.held = ret;
	search.read_count = 0;
	ret->count = 0;
	ret->is_complete = true;
	Lookup lookup = process_devices_visit(roots, process, add_device, &search, &is_complete);
	ret->is_complete &= is_complete;
	if (lookup != LOOKUP_ABSENT)
		return lookup;
	if (ret->count > 0)
		return LOOKUP_FOUND;
	return ret->is_complete ? LOOKUP_ABSENT : LOOKUP_UNREADABLE;
}
