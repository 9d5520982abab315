/* SPDX-License-Identifier: MIT */
#include "client/common/self-register.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DRM_MAJOR    226
#define NVIDIA_MAJOR 195

/* Tests for an fd of a GPU device. vaild does not count one that was opened with O_PATH. */
static bool is_gpu_device(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) &&
	       (major(status.st_rdev) == DRM_MAJOR || major(status.st_rdev) == NVIDIA_MAJOR) &&
	       !(fcntl(fd, F_GETFL) & O_PATH);
}

/* Tests whether this process has a GPU device open, which vaild takes for a graphics context. */
static bool has_gpu_device(void)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;
	bool is_found = false;

	if (!folder)
		return false;
	while (!is_found && (entry = readdir(folder)))
		is_found = is_gpu_device(atoi(entry->d_name));
	closedir(folder);
	return is_found;
}

NTSTATUS self_register(struct vail *vail, const char *guid, char context[static VAIL_HANDLE_SIZE],
		       bool always)
{
	NTSTATUS status = STATUS_INVALID_DISPOSITION; /* no graphics context */

	if (*context || (!always && has_gpu_device()))
		status = vail_register_process(vail, guid);
	if (status != STATUS_INVALID_DISPOSITION)
		return status;
	status = vail_create_context(vail, NULL, context, NULL);
	return status == STATUS_SUCCESS ? vail_register_process(vail, guid) : status;
}
