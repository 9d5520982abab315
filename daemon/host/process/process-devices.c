/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/process-devices.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/fd-util.h"

/* Lists the fds of the process. Returns false if it has none, or more than are looked at. */
static bool list_fds(DIR *folder, FetchedFds *fds)
{
	const struct dirent *entry;

	fds->count = 0;
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		if (fds->count == LIMIT_FDS_EXAMINED)
			return false;
		fds->numbers[fds->count++] = atoi(entry->d_name);
	}
	return fds->count > 0;
}

/* Visits those that are devices, as soon as they have been seen. */
static Lookup visit_all(FdFetcher *fetcher, DeviceVisitor visit, void *context)
{
	FetchedFds *fds = fetcher->fds;

	for (unsigned int i = 0; i < fds->count; i++) {
		if (!fd_fetcher_wait(fetcher, i))
			return LOOKUP_EXHAUSTED;
		Lookup lookup = atomic_load(&fds->items[i].lookup);
		if (lookup == LOOKUP_FOUND)
			lookup = visit(context, atomic_load(&fds->items[i].device));
		if (lookup != LOOKUP_ABSENT)
			return lookup;
	}
	return LOOKUP_ABSENT;
}

Lookup process_devices_visit(const FsRoots *roots, const SearchedProcess *process,
			     DeviceVisitor visit, void *context, bool *ret_is_complete)
{
	FdFetcher fetcher;
	char path[256];

	*ret_is_complete = false;
	snprintf(path, sizeof(path), "%s/%d/fdinfo", roots->proc, (int)process->pid);
	DIR *folder = opendir(path);
	if (!folder)
		return errno_is_exhaustion(errno) ? LOOKUP_EXHAUSTED : LOOKUP_UNREADABLE;
	bool is_ready = fd_fetcher_init(&fetcher, process);
	if (is_ready)
		*ret_is_complete = list_fds(folder, fetcher.fds);
	closedir(folder);
	Lookup lookup = is_ready ? visit_all(&fetcher, visit, context) : LOOKUP_EXHAUSTED;
	fd_fetcher_deinit(&fetcher);
	/* Another process may have had the pid while it was read. */
	if (lookup != LOOKUP_EXHAUSTED && fd_poll(process->pidfd, POLLIN) != 0)
		return LOOKUP_GONE;
	return lookup;
}
