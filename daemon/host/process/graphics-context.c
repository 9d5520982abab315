/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/graphics-context.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/core/limit.h"
#include "daemon/host/process/file-read.h"
#include "proto/fd-util.h"

/* Fds that a search examines, in 50 us, before it lets the daemon run if that waits for the CPU. */
#define FDS_PER_SLICE 16

#define DRM_MAJOR            226
#define NVIDIA_MAJOR         195
#define NVIDIA_GPU_MINOR_MAX 253 /* 254 is nvidia-modeset, 255 nvidiactl */

/* Parses "MAJOR:MINOR", the format of the dev files in /sys. Returns 0 if malformed. */
static dev_t parse_device(const char *text)
{
	unsigned int device_major, device_minor;

	if (sscanf(text, "%u:%u", &device_major, &device_minor) != 2)
		return 0;
	return makedev(device_major, device_minor);
}

/*
 * Returns the number of the device with this name in any class of /sys, or 0 if there is no such
 * device.
 */
static dev_t find_device(const FsRoots *roots, const char *name)
{
	char pattern[256];
	glob_t found;
	dev_t device = 0;

	snprintf(pattern, sizeof(pattern), "%s/class/*/%s/dev", roots->sys, name);
	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return 0;
	for (size_t i = 0; i < found.gl_pathc && device == 0; i++) {
		Buffer file;

		if (proc_file_read(AT_FDCWD, found.gl_pathv[i], &file) < 0)
			continue;
		device = parse_device(file.data);
		buffer_deinit(&file);
	}
	globfree(&found);
	return device;
}

DynamicDevices dynamic_devices_read(const FsRoots *roots)
{
	return (DynamicDevices){
		.kfd = find_device(roots, "kfd"),
		.dxg = find_device(roots, "dxg"),
	};
}

bool graphics_context_of_device(const DynamicDevices *dynamic, dev_t device,
				GraphicsContextKind *ret_kind)
{
	if (major(device) == DRM_MAJOR)
		*ret_kind = GRAPHICS_CONTEXT_DRM;
	else if (major(device) == NVIDIA_MAJOR && minor(device) <= NVIDIA_GPU_MINOR_MAX)
		*ret_kind = GRAPHICS_CONTEXT_NVIDIA;
	else if (device != 0 && device == dynamic->kfd)
		*ret_kind = GRAPHICS_CONTEXT_KFD;
	else if (device != 0 && device == dynamic->dxg)
		*ret_kind = GRAPHICS_CONTEXT_DXG;
	else
		return false;
	return true;
}

/*
 * Reads the number of the character device that the fd has open. Returns false for other files, and
 * for O_PATH fds, because they do not open the device: any user can look up a device node.
 */
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

typedef struct ContextSearch {
	const FsRoots *roots;
	int pidfd;
	DynamicDevices dynamic; /* valid if dynamic_is_known */
	bool dynamic_is_known;
	GraphicsContextKind kind; /* the result, if a context was found */
} ContextSearch;

/* The numbers of most devices are fixed. For the others, /sys is read once per search. */
static bool device_is_context(ContextSearch *search, dev_t device)
{
	static const DynamicDevices none = { 0 };

	if (graphics_context_of_device(&none, device, &search->kind))
		return true;
	if (!search->dynamic_is_known)
		search->dynamic = dynamic_devices_read(search->roots);
	search->dynamic_is_known = true;
	return graphics_context_of_device(&search->dynamic, device, &search->kind);
}

/* Fetches fd number from the process and examines it. */
static Lookup examine(ContextSearch *search, int number)
{
	int fd = pidfd_getfd(search->pidfd, number, 0);
	dev_t device;

	if (fd < 0 && errno_is_exhaustion(errno))
		return LOOKUP_EXHAUSTED;
	if (fd < 0)
		return errno == EPERM ? LOOKUP_UNREADABLE : LOOKUP_ABSENT;
	return fd_device(fd, &device) && device_is_context(search, device) ? LOOKUP_FOUND
									   : LOOKUP_ABSENT;
}

static Lookup examine_all(ContextSearch *search, DIR *fds)
{
	const struct dirent *entry;
	unsigned int examined = 0;
	Lookup lookup = LOOKUP_ABSENT;

	while (lookup == LOOKUP_ABSENT && examined < LIMIT_FDS_EXAMINED && (entry = readdir(fds))) {
		if (entry->d_name[0] == '.')
			continue;
		lookup = examine(search, atoi(entry->d_name));
		if (++examined % FDS_PER_SLICE == 0)
			sched_yield();
	}
	return lookup;
}

Lookup graphics_context_find(const FsRoots *roots, pid_t pid, int pidfd,
			     GraphicsContextKind *ret_kind)
{
	ContextSearch search = { .roots = roots, .pidfd = pidfd };
	char path[256];

	snprintf(path, sizeof(path), "%s/%d/fdinfo", roots->proc, (int)pid);
	DIR *fds = opendir(path);
	if (!fds && errno_is_exhaustion(errno))
		return LOOKUP_EXHAUSTED;
	Lookup lookup = fds ? examine_all(&search, fds) : LOOKUP_UNREADABLE;
	if (fds)
		closedir(fds);
	/* Another process may have had the pid while it was read. */
	if (lookup != LOOKUP_EXHAUSTED && fd_poll(pidfd, POLLIN) != 0)
		return LOOKUP_GONE;
	*ret_kind = search.kind;
	return lookup;
}
