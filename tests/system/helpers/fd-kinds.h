/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SYSTEM_HELPERS_FD_KINDS_H
#define TESTS_SYSTEM_HELPERS_FD_KINDS_H

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "tests/support/helper.h"

/*
 * One fd of each kind that any process can make, all harmless to the receiver. Memory has the size
 * of an image of 64 by 32 pixels with 32 bits each.
 */

#define KIND_MEMORY_SIZE 8192
#define KIND_HUGE_PAGE   (2 << 20)
#define KIND_SEALS       (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

typedef struct FdKind {
	const char *name;
	int (*make)(void); /* returns -1 with errno if this machine has no such kind */
} FdKind;

static inline int kind_memory(unsigned int flags, int seals, off_t size)
{
	int memory = memfd_create("vail-test", MFD_CLOEXEC | flags);

	if (memory >= 0 && ftruncate(memory, size) == 0 &&
	    (seals == 0 || fcntl(memory, F_ADD_SEALS, seals) == 0))
		return memory;
	return -1;
}

/* --- memory that can be shared --------------------------------------------------------------- */

static inline int kind_sealed(void)
{
	return kind_memory(MFD_ALLOW_SEALING, KIND_SEALS, KIND_MEMORY_SIZE);
}

/* Makes memory as QEMU does for scanouts: F_SEAL_SEAL is its only seal. */
static inline int kind_scanout(void)
{
	return kind_memory(0, 0, KIND_MEMORY_SIZE);
}

/* --- memory that cannot be shared ------------------------------------------------------------ */

static inline int kind_sealable(void)
{
	return kind_memory(MFD_ALLOW_SEALING, F_SEAL_SHRINK | F_SEAL_GROW, KIND_MEMORY_SIZE);
}

static inline int kind_empty(void)
{
	return kind_memory(0, 0, 0);
}

static inline int kind_huge(void)
{
	return kind_memory(MFD_HUGETLB, 0, KIND_HUGE_PAGE);
}

static inline int kind_secret(void)
{
	return (int)syscall(SYS_memfd_secret, O_CLOEXEC);
}

static inline int kind_forbidden(void)
{
	int memory = kind_sealed();

	return memory >= 0 && fchmod(memory, 0600) == 0 ? memory : -1;
}

static inline int kind_reopened(int flags)
{
	char path[40];
	int memory = kind_sealed();

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	int opened = open(path, flags | O_CLOEXEC);
	close(memory);
	return opened;
}

static inline int kind_read_only(void)
{
	return kind_reopened(O_RDONLY);
}

static inline int kind_write_only(void)
{
	return kind_reopened(O_WRONLY);
}

static inline int kind_path(void)
{
	return kind_reopened(O_PATH);
}

/* --- other kinds ----------------------------------------------------------------------------- */

static inline int kind_first_of(int result, const int pair[2])
{
	if (result < 0)
		return -1;
	close(pair[1]);
	return pair[0];
}

static inline int kind_socket(void)
{
	int pair[2];

	return kind_first_of(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), pair);
}

static inline int kind_pipe(void)
{
	int pair[2];

	return kind_first_of(pipe2(pair, O_CLOEXEC), pair);
}

static inline int kind_epoll(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

static inline int kind_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC);
}

static inline int kind_timerfd(void)
{
	return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static inline int kind_inotify(void)
{
	return inotify_init1(IN_CLOEXEC);
}

static inline int kind_pidfd(void)
{
	return pidfd_open(getpid(), 0);
}

static inline int kind_namespace(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static inline int kind_directory(void)
{
	return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline int kind_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static inline int kind_device(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* The first FD_KINDS_SHAREABLE kinds can be shared. */
static const FdKind fd_kinds[] = {
	{ "sealed", kind_sealed },
	{ "scanout", kind_scanout },
	{ "sealable", kind_sealable },
	{ "empty", kind_empty },
	{ "huge", kind_huge },
	{ "secret", kind_secret },
	{ "forbidden", kind_forbidden },
	{ "read-only", kind_read_only },
	{ "write-only", kind_write_only },
	{ "path", kind_path },
	{ "socket", kind_socket },
	{ "pipe", kind_pipe },
	{ "epoll", kind_epoll },
	{ "eventfd", kind_eventfd },
	{ "timerfd", kind_timerfd },
	{ "inotify", kind_inotify },
	{ "pidfd", kind_pidfd },
	{ "namespace", kind_namespace },
	{ "directory", kind_directory },
	{ "file", kind_file },
	{ "device", kind_device },
};

#define FD_KINDS           (sizeof(fd_kinds) / sizeof(fd_kinds[0]))
#define FD_KINDS_SHAREABLE 2

#endif
