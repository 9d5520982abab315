/* SPDX-License-Identifier: MIT */
#include "descriptor-facts.h"

#include <fcntl.h>
#include <linux/sync_file.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "fd-util.h"

/* DMA_BUF_MAGIC of the kernel's magic.h, which not all headers have. */
#define DMABUF_FILE_SYSTEM 0x444d4142

/* Not in Debian 12's headers. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* As much of a link text as tells the kinds apart, and a byte more: "exactly" is decided by it. */
#define LINK_TEXT_SIZE sizeof("anon_inode:sync_file?")

int descriptor_facts_init(MemfdIdentity *ret)
{
	struct stat status;
	/* vm.memfd_noexec may demand the flag, which kernels before 6.3 do not know. */
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

/* How the link text begins; empty where it is longer than the kernel can tell. */
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

/* A file with seals, which is tmpfs's or hugetlbfs's. */
static void look_at_sealable(const MemfdIdentity *own, int descriptor, const char *link_text,
			     int seals, DescriptorFacts *facts)
{
	struct stat status;

	/* The same file system has SysV shared memory, by other names; a mount may have this name,
	 * but is another file system. */
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

/* Whether it may be in a file system of a user's making: all that such a one can have. */
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
	struct sync_file_info info = { 0 }; /* no room for fences: only their number is told */

	if (ioctl(descriptor, SYNC_IOC_FILE_INFO, &info) == 0)
		facts->kind = DESCRIPTOR_SYNC_FILE;
}

/* One that is open for reading, at least. Fills in *facts, or leaves it as it is. */
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
	/* Without O_NONBLOCK the owner of a lease is waited for, 45 seconds long. */
	_cleanup_close_ int opened = open(path.text, access | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (opened < 0 || fcntl(opened, F_SETFL, 0) < 0)
		return -errno;
	return TAKE_DESCRIPTOR(opened);
}
