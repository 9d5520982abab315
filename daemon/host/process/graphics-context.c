/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/graphics-context.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/core/limit.h"
#include "daemon/host/process/file-read.h"
#include "proto/fd-util.h"

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

/* Number of fds in one step of a search. */
#define FDS_PER_STEP 16

/* The numbers of most devices are fixed. For the others, /sys is read once per search. */
static bool device_is_context(ContextSearch *search, dev_t device)
{
	static const DynamicDevices none = { 0 };

	if (graphics_context_of_device(&none, device, &search->kind))
		return true;
	if (!search->dynamic_is_known)
		search->dynamic = dynamic_devices_read(&search->process->table->roots);
	search->dynamic_is_known = true;
	return graphics_context_of_device(&search->dynamic, device, &search->kind);
}

/* Fetches fd number from the process, examines it, and passes it to the closer. */
static Lookup examine(ContextSearch *search, int number)
{
	int fd = pidfd_getfd(search->process->pidfd, number, 0);
	dev_t device;

	if (fd < 0 && errno_is_exhaustion(errno))
		return LOOKUP_EXHAUSTED;
	if (fd < 0)
		return errno == EPERM ? LOOKUP_UNREADABLE : LOOKUP_ABSENT;
	bool found = fd_device(fd, &device) && device_is_context(search, device);
	fd_closer_close(search->closer, search->user, fd);
	return found ? LOOKUP_FOUND : LOOKUP_ABSENT;
}

/* Ends the search with this result, unless the process has ended meanwhile. */
static bool search_end(ContextSearch *search, Lookup lookup)
{
	context_search_cancel(search);
	if (lookup != LOOKUP_EXHAUSTED && !host_process_is_alive(search->process))
		lookup = LOOKUP_GONE;
	search->lookup = lookup;
	return true;
}

/* Opens the list of the process's fds. Returns NULL with errno set on failure. */
static DIR *open_fd_list(const HostProcess *process)
{
	_cleanup_close_ int folder = host_process_open_folder(process);

	if (folder < 0) {
		errno = -folder;
		return NULL;
	}
	_cleanup_close_ int list = openat(folder, "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = list < 0 ? NULL : fdopendir(list);
	if (directory)
		list = -1; /* owned by directory */
	return directory;
}

void context_search_begin(ContextSearch *search, const HostProcess *process, FdCloser *closer,
			  PeerUser *user)
{
	*search = (ContextSearch){ .process = process, .closer = closer, .user = user };
	if (fd_closer_is_full(user))
		errno = EMFILE;
	else
		search->fds = open_fd_list(process);
	if (!search->fds)
		search_end(search,
			   errno_is_exhaustion(errno) ? LOOKUP_EXHAUSTED : LOOKUP_UNREADABLE);
}

bool context_search_step(ContextSearch *search)
{
	const struct dirent *entry;

	for (unsigned int i = 0; search->fds && i < FDS_PER_STEP; i++) {
		if (search->examined == LIMIT_FDS_EXAMINED || !(entry = readdir(search->fds)))
			return search_end(search, LOOKUP_ABSENT);
		if (entry->d_name[0] == '.')
			continue;
		search->examined++;
		Lookup lookup = examine(search, atoi(entry->d_name));
		if (lookup != LOOKUP_ABSENT)
			return search_end(search, lookup);
	}
	return !search->fds;
}

void context_search_cancel(ContextSearch *search)
{
	if (search->fds)
		closedir(search->fds);
	search->fds = NULL;
}
