/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/process-devices.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/core/limit.h"
#include "proto/fd-util.h"

/*
 * Fds that a visit examines before it lets the daemon run if that waits for the CPU. That takes
 * 50 us, and longer where the visitor reads sysfs, as for each IOMMU group.
 */
#define FDS_PER_SLICE 16

/* Reads the number of the character device that the fd has open. Returns false for other files. */
static bool fd_device(int fd, dev_t *ret_device)
{
	struct statx status;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || flags & O_PATH)
		return false;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) < 0)
		return false;
	if (!S_ISCHR(status.stx_mode))
		return false;
	*ret_device = makedev(status.stx_rdev_major, status.stx_rdev_minor);
	return true;
}

typedef struct Visit {
	int pidfd;
	DeviceVisitor visit;
	void *context;
	bool is_complete;
} Visit;

/* Fetches fd number from the process and examines it. */
static Lookup examine(const Visit *visit, int number)
{
	int fd = pidfd_getfd(visit->pidfd, number, 0);
	dev_t device;

	if (fd < 0 && errno_is_exhaustion(errno))
		return LOOKUP_EXHAUSTED;
	if (fd < 0)
		return errno == EPERM ? LOOKUP_UNREADABLE : LOOKUP_ABSENT;
	return fd_device(fd, &device) ? visit->visit(visit->context, device) : LOOKUP_ABSENT;
}

static Lookup examine_all(Visit *visit, DIR *fds)
{
	const struct dirent *entry;
	unsigned int examined = 0;
	Lookup lookup = LOOKUP_ABSENT;

	visit->is_complete = false; /* until an fd was seen */
	while (lookup == LOOKUP_ABSENT && (entry = readdir(fds))) {
		if (entry->d_name[0] == '.')
			continue;
		visit->is_complete = examined < LIMIT_FDS_EXAMINED;
		if (!visit->is_complete)
			break;
		lookup = examine(visit, atoi(entry->d_name));
		if (++examined % FDS_PER_SLICE == 0)
			sched_yield();
	}
	return lookup;
}

Lookup process_devices_visit(const FsRoots *roots, pid_t pid, int pidfd, DeviceVisitor visitor,
			     void *context, bool *ret_is_complete)
{
	Visit visit = {
		.pidfd = pidfd,
		.visit = visitor,
		.context = context,
	};
	char path[256];

	snprintf(path, sizeof(path), "%s/%d/fdinfo", roots->proc, (int)pid);
	DIR *fds = opendir(path);
	if (!fds && errno_is_exhaustion(errno))
		return LOOKUP_EXHAUSTED;
	Lookup lookup = fds ? examine_all(&visit, fds) : LOOKUP_UNREADABLE;
	if (fds)
		closedir(fds);
	*ret_is_complete = visit.is_complete;
	/* Another process may have had the pid while it was read. */
	if (lookup != LOOKUP_EXHAUSTED && fd_poll(pidfd, POLLIN) != 0)
		return LOOKUP_GONE;
	return lookup;
}
