/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/user-namespace.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "proto/fd-util.h"

/* PROC_USER_INIT_INO of the kernel's proc_ns.h. It has never changed. */
#define INITIAL_INODE UINT64_C(0xEFFFFFFD)

bool user_namespace_own(const FsRoots *roots, UserNamespace *ret)
{
	char path[256];
	struct stat status;

	snprintf(path, sizeof(path), "%s/self/ns/user", roots->proc);
	if (stat(path, &status) < 0)
		return false;
	*ret = (UserNamespace){ .device = status.st_dev, .inode = status.st_ino };
	return true;
}

bool user_namespace_is_initial(const UserNamespace *user_namespace)
{
	return user_namespace->inode == INITIAL_INODE;
}

static bool fd_is_namespace(int fd, const UserNamespace *user_namespace)
{
	struct stat status;

	return fstat(fd, &status) == 0 && status.st_dev == user_namespace->device &&
	       status.st_ino == user_namespace->inode;
}

int user_namespace_owner(int folder, const UserNamespace *own, uid_t *ret_owner)
{
	_cleanup_close_ int current = openat(folder, "ns/user", O_RDONLY | O_CLOEXEC);

	while (current >= 0) {
		_cleanup_close_ int parent = ioctl(current, NS_GET_PARENT);

		if (parent < 0)
			return -errno;
		if (fd_is_namespace(parent, own))
			return ioctl(current, NS_GET_OWNER_UID, ret_owner) < 0 ? -errno : 0;
		fd_close(&current);
		current = TAKE_FD(parent);
	}
	return -errno;
}
