/* SPDX-License-Identifier: MIT */
#include "daemon/host/fd-info.h"

#include <fcntl.h>
#include <linux/sync_file.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "proto/fd-util.h"

/* DMA_BUF_MAGIC of linux/magic.h; missing from some headers. */
#define DMABUF_FILE_SYSTEM 0x444d4142

/* Missing from Debian 12's headers. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/*
 * Long enough to tell the kinds apart, plus one byte, so that a longer text does not compare equal.
 */
#define LINK_TEXT_SIZE sizeof("anon_inode:sync_file?")

int fd_info_init(MemfdIdentity *ret)
{
	struct stat status;
	/* If vm.memfd_noexec is set, the flag may be required; kernels before 6.3 reject it. */
	_cleanup_close_ int memfd = memfd_create("vaild", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (memfd < 0 && errno == EINVAL)
		memfd = memfd_create("vaild", MFD_CLOEXEC);
	if (memfd < 0 || fstat(memfd, &status) < 0)
		return -errno;
	*ret = (MemfdIdentity){ .device = status.st_dev };
	return 0;
}

typedef struct FdPath {
	char text[256];
} FdPath;

static FdPath path_of(const FsRoots *roots, int fd)
{
	FdPath path;

	snprintf(path.text, sizeof(path.text), "%s/self/fd/%d", roots->proc, fd);
	return path;
}

/*
 * Reads the beginning of the link text. Stores an empty text if the kernel reports that the name is
 * too long. Returns 0 or a negative errno.
 */
static int read_link_text(const FsRoots *roots, int fd, char ret_text[static LINK_TEXT_SIZE])
{
	FdPath path = path_of(roots, fd);
	ssize_t length = readlink(path.text, ret_text, LINK_TEXT_SIZE - 1);

	if (length < 0 && errno != ENAMETOOLONG)
		return -errno;
	ret_text[length < 0 ? 0 : length] = '\0';
	return 0;
}

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Examines a file that has seals, which is on tmpfs or hugetlbfs. */
static void look_at_sealable(const MemfdIdentity *own, int fd, const char *link_text, int seals,
			     FdInfo *facts)
{
	struct stat status;

	/*
	 * SysV shared memory is on the same file system, but has other names. A file on a mounted
	 * tmpfs can have this name, but is on another file system.
	 */
	if (!begins_with(link_text, "/memfd:"))
		return;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_dev != own->device)
		return;
	facts->kind = FD_MEMFD;
	facts->device = status.st_dev;
	facts->inode = status.st_ino;
	facts->size = (uint64_t)status.st_size;
	facts->can_be_sealed = !(seals & F_SEAL_SEAL);
	facts->size_is_sealed = seals & F_SEAL_SHRINK && seals & F_SEAL_GROW;
	facts->writes_are_sealed = seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
}

/* Returns true for the kinds of files that a file system mounted by a user can contain. */
static bool may_be_mounted_by_a_user(int fd)
{
	loff_t bytes;

	return ioctl(fd, FIOQSIZE, &bytes) == 0 || errno != ENOTTY || fcntl(fd, F_GETPIPE_SZ) >= 0;
}

static void look_at_dmabuf(int fd, FdInfo *facts)
{
	struct statfs file_system;
	struct stat status;

	if (may_be_mounted_by_a_user(fd) || fstatfs(fd, &file_system) < 0 ||
	    file_system.f_type != DMABUF_FILE_SYSTEM || fstat(fd, &status) < 0)
		return;
	off_t size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		return;
	facts->kind = FD_DMABUF;
	facts->device = status.st_dev;
	facts->inode = status.st_ino;
	facts->size = (uint64_t)size;
}

static void look_at_sync_file(int fd, FdInfo *facts)
{
	struct sync_file_info info = {
		0
	}; /* without room for fences it returns only their number */

	if (ioctl(fd, SYNC_IOC_FILE_INFO, &info) == 0)
		facts->kind = FD_SYNC_FILE;
}

/* Examines a socket, of which the daemon stores its own ones. */
static void look_at_socket(int fd, FdInfo *facts)
{
	struct stat status;

	if (fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode))
		return;
	facts->kind = FD_SOCKET;
	facts->device = status.st_dev;
	facts->inode = status.st_ino;
}

/*
 * Examines an fd that is open at least for reading. Fills in *facts if it can be shared; otherwise
 * leaves it unchanged. Returns 0 or a negative errno.
 */
static int look_at(const FsRoots *roots, const MemfdIdentity *own, int fd, FdInfo *facts)
{
	char link_text[LINK_TEXT_SIZE];
	int error = read_link_text(roots, fd, link_text);

	if (error < 0)
		return error;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals >= 0)
		look_at_sealable(own, fd, link_text, seals, facts);
	else if (begins_with(link_text, "/dmabuf:"))
		look_at_dmabuf(fd, facts);
	else if (strcmp(link_text, "anon_inode:sync_file") == 0)
		look_at_sync_file(fd, facts);
	else if (begins_with(link_text, "socket:["))
		look_at_socket(fd, facts);
	return 0;
}

int fd_info_read(const FsRoots *roots, const MemfdIdentity *own, int fd, FdInfo *ret)
{
	FdInfo facts = { .kind = FD_OTHER };
	int flags = fcntl(fd, F_GETFL);
	int access = flags & O_ACCMODE;
	int error = 0;

	if (flags < 0)
		return -errno;
	if (!(flags & O_PATH) && (access == O_RDONLY || access == O_RDWR))
		error = look_at(roots, own, fd, &facts);
	if (error < 0)
		return error;
	facts.is_writable = facts.kind != FD_OTHER && facts.kind != FD_SOCKET && access == O_RDWR;
	*ret = facts;
	return 0;
}

int fd_reopen(const FsRoots *roots, int fd, bool read_write)
{
	FdPath path = path_of(roots, fd);
	int access = read_write ? O_RDWR : O_RDONLY;
	/* Without O_NONBLOCK, open() would wait for the owner of a lease for up to 45 seconds. */
	_cleanup_close_ int opened = open(path.text, access | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (opened < 0 || fcntl(opened, F_SETFL, 0) < 0)
		return -errno;
	return TAKE_FD(opened);
}
