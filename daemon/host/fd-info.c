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

int descriptor_facts_init(MemfdIdentity *ret)
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

typedef struct DescriptorPath {
	char text[256];
} DescriptorPath;

static DescriptorPath path_of(const Roots *roots, int descriptor)
{
	DescriptorPath path;

	snprintf(path.text, sizeof(path.text), "%s/self/fd/%d", roots->proc, descriptor);
	return path;
}

/*
 * Reads the beginning of the link text. Stores an empty text if the kernel reports that the name is
 * too long. Returns 0 or a negative errno.
 */
static int read_link_text(const Roots *roots, int descriptor, char ret_text[static LINK_TEXT_SIZE])
{
	DescriptorPath path = path_of(roots, descriptor);
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
static void look_at_sealable(const MemfdIdentity *own, int descriptor, const char *link_text,
			     int seals, DescriptorFacts *facts)
{
	struct stat status;

	/*
	 * SysV shared memory is on the same file system, but has other names. A file on a mounted
	 * tmpfs can have this name, but is on another file system.
	 */
	if (!begins_with(link_text, "/memfd:"))
		return;
	if (fstat(descriptor, &status) < 0 || !S_ISREG(status.st_mode) ||
	    status.st_dev != own->device)
		return;
	facts->kind = DESCRIPTOR_MEMFD;
	facts->device = status.st_dev;
	facts->inode = status.st_ino;
	facts->size = (uint64_t)status.st_size;
	facts->can_be_sealed = !(seals & F_SEAL_SEAL);
	facts->size_is_sealed = seals & F_SEAL_SHRINK && seals & F_SEAL_GROW;
	facts->writes_are_sealed = seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
}

/* Returns true for the kinds of files that a file system mounted by a user can contain. */
static bool may_be_mounted_by_a_user(int descriptor)
{
	loff_t bytes;

	return ioctl(descriptor, FIOQSIZE, &bytes) == 0 || errno != ENOTTY ||
	       fcntl(descriptor, F_GETPIPE_SZ) >= 0;
}

static void look_at_dmabuf(int descriptor, DescriptorFacts *facts)
{
	struct statfs file_system;
	struct stat status;

	if (may_be_mounted_by_a_user(descriptor) || fstatfs(descriptor, &file_system) < 0 ||
	    file_system.f_type != DMABUF_FILE_SYSTEM || fstat(descriptor, &status) < 0)
		return;
	off_t size = lseek(descriptor, 0, SEEK_END);
	if (size < 0)
		return;
	facts->kind = DESCRIPTOR_DMABUF;
	facts->device = status.st_dev;
	facts->inode = status.st_ino;
	facts->size = (uint64_t)size;
}

static void look_at_sync_file(int descriptor, DescriptorFacts *facts)
{
	struct sync_file_info info = {
		0
	}; /* without room for fences it returns only their number */

	if (ioctl(descriptor, SYNC_IOC_FILE_INFO, &info) == 0)
		facts->kind = DESCRIPTOR_SYNC_FILE;
}

/*
 * Examines an fd that is open at least for reading. Fills in *facts if it can be shared; otherwise
 * leaves it unchanged. Returns 0 or a negative errno.
 */
static int look_at(const Roots *roots, const MemfdIdentity *own, int descriptor,
		   DescriptorFacts *facts)
{
	char link_text[LINK_TEXT_SIZE];
	int error = read_link_text(roots, descriptor, link_text);

	if (error < 0)
		return error;
	int seals = fcntl(descriptor, F_GET_SEALS);
	if (seals >= 0)
		look_at_sealable(own, descriptor, link_text, seals, facts);
	else if (begins_with(link_text, "/dmabuf:"))
		look_at_dmabuf(descriptor, facts);
	else if (strcmp(link_text, "anon_inode:sync_file") == 0)
		look_at_sync_file(descriptor, facts);
	return 0;
}

int descriptor_facts_read(const Roots *roots, const MemfdIdentity *own, int descriptor,
			  DescriptorFacts *ret)
{
	DescriptorFacts facts = { .kind = DESCRIPTOR_OTHER };
	int flags = fcntl(descriptor, F_GETFL);
	int access = flags & O_ACCMODE;
	int error = 0;

	if (flags < 0)
		return -errno;
	if (!(flags & O_PATH) && (access == O_RDONLY || access == O_RDWR))
		error = look_at(roots, own, descriptor, &facts);
	if (error < 0)
		return error;
	facts.is_writable = facts.kind != DESCRIPTOR_OTHER && access == O_RDWR;
	*ret = facts;
	return 0;
}

int descriptor_reopen(const Roots *roots, int descriptor, bool read_write)
{
	DescriptorPath path = path_of(roots, descriptor);
	int access = read_write ? O_RDWR : O_RDONLY;
	/* Without O_NONBLOCK, open() would wait for the owner of a lease for up to 45 seconds. */
	_cleanup_close_ int opened = open(path.text, access | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (opened < 0 || fcntl(opened, F_SETFL, 0) < 0)
		return -errno;
	return TAKE_DESCRIPTOR(opened);
}
