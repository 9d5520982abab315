/* SPDX-License-Identifier: MIT */
/* Checks which kind each real fd is recognised as, and that examining it never blocks. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "daemon/host/fd-info.h"
#include "proto/fd-util.h"

#define SEALS_OF_SIZE (F_SEAL_SHRINK | F_SEAL_GROW)
#define SIZE          8192

/* In the headers of Linux 6.1, but not in Debian 12's glibc. */
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

static FdInfo info_of(int fd)
{
	MemfdIdentity own;
	FdInfo info;

	cr_assert_eq(fd_info_init(&own), 0);
	cr_assert_eq(fd_info_read(&FS_ROOTS_DEFAULT, &own, fd, &info), 0);
	return info;
}

/* Expects the fd to be of a kind that cannot be shared, and closes it. */
static void expect_unshareable(const char *what, FdKind kind, int fd)
{
	cr_assert_geq(fd, 0, "%s: %s", what, strerror(errno));
	FdInfo info = info_of(fd);
	cr_assert_eq(info.kind, kind, "%s", what);
	cr_assert_eq(info.size, 0, "%s", what);
	cr_assert(!info.is_writable, "%s", what);
	cr_assert(!info.can_be_sealed, "%s", what);
	cr_assert(!fd_size_is_sealed(&info), "%s", what);
	cr_assert(!fd_access_is_enforced(&info), "%s", what);
	close(fd);
}

static void expect_other(const char *what, int fd)
{
	expect_unshareable(what, FD_OTHER, fd);
}

static int make_memfd(unsigned int flags, off_t size, int seals)
{
	int memfd = memfd_create("test", MFD_CLOEXEC | flags);

	cr_assert_geq(memfd, 0);
	cr_assert_eq(ftruncate(memfd, size), 0);
	if (seals != 0)
		cr_assert_eq(fcntl(memfd, F_ADD_SEALS, seals), 0);
	return memfd;
}

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

Test(fd_info, a_memfd)
{
	_cleanup_close_ int memfd = make_memfd(0, SIZE, 0);
	_cleanup_close_ int same = dup(memfd);
	_cleanup_close_ int another = make_memfd(0, SIZE, 0);
	FdInfo info = info_of(memfd);
	FdInfo info_of_same = info_of(same);
	FdInfo info_of_another = info_of(another);

	cr_assert_eq(info.kind, FD_MEMFD);
	cr_assert_eq(info.size, SIZE);
	cr_assert(info.is_writable);
	cr_assert_eq(info.device, info_of_same.device);
	cr_assert_eq(info.inode, info_of_same.inode);
	cr_assert_eq(info.device, info_of_another.device);
	cr_assert_neq(info.inode, info_of_another.inode);
}

Test(fd_info, seals)
{
	static const struct {
		const char *name;
		unsigned int flags;
		int seals;
		bool can_be_sealed, size_is_sealed, access_is_enforced;
	} rows[] = {
		{ "no flags, as QEMU's", 0, 0, false, false, false },
		{ "sealable", MFD_ALLOW_SEALING, 0, true, false, false },
		{ "cannot shrink", MFD_ALLOW_SEALING, F_SEAL_SHRINK, true, false, false },
		{ "cannot grow", MFD_ALLOW_SEALING, F_SEAL_GROW, true, false, false },
		{ "fixed size", MFD_ALLOW_SEALING, SEALS_OF_SIZE, true, true, false },
		{ "fixed size and seals", MFD_ALLOW_SEALING, SEALS_OF_SIZE | F_SEAL_SEAL, false,
		  true, false },
		{ "all seals except F_SEAL_SEAL", MFD_ALLOW_SEALING, SEALS_OF_SIZE | F_SEAL_WRITE,
		  true, true, false },
		{ "all seals except the size", MFD_ALLOW_SEALING, F_SEAL_WRITE | F_SEAL_SEAL, false,
		  false, false },
		{ "all seals except F_SEAL_GROW", MFD_ALLOW_SEALING,
		  F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL, false, false, false },
		{ "all seals except F_SEAL_SHRINK", MFD_ALLOW_SEALING,
		  F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL, false, false, false },
		{ "all seals", MFD_ALLOW_SEALING, SEALS_OF_SIZE | F_SEAL_WRITE | F_SEAL_SEAL, false,
		  true, true },
		{ "all seals, with existing writers", MFD_ALLOW_SEALING,
		  SEALS_OF_SIZE | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL, false, true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_close_ int memfd = make_memfd(rows[i].flags, SIZE, rows[i].seals);
		FdInfo info = info_of(memfd);

		cr_assert_eq(info.kind, FD_MEMFD, "%s", rows[i].name);
		cr_assert_eq(info.can_be_sealed, rows[i].can_be_sealed, "%s", rows[i].name);
		cr_assert_eq(fd_size_is_sealed(&info), rows[i].size_is_sealed, "%s", rows[i].name);
		cr_assert_eq(fd_access_is_enforced(&info), rows[i].access_is_enforced, "%s",
			     rows[i].name);
	}
}

/* The size of a dma-buf is fixed, but its seals are meaningless, so access is not enforced. */
Test(fd_info, dmabuf_size_and_access)
{
	FdInfo info = {
		.kind = FD_DMABUF,
		.size_is_sealed = true,
		.writes_are_sealed = true,
	};

	cr_assert(fd_size_is_sealed(&info));
	cr_assert(!fd_access_is_enforced(&info));
	info.kind = FD_SYNC_FILE;
	cr_assert(!fd_size_is_sealed(&info));
	cr_assert(!fd_access_is_enforced(&info));
}

Test(fd_info, sizes)
{
	static const off_t sizes[] = { 0, 1, 4095, 4096, INT64_C(1) << 32, INT64_C(5) << 40 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_close_ int memfd = make_memfd(0, sizes[i], 0);

		cr_assert_eq(info_of(memfd).size, (uint64_t)sizes[i]);
		cr_assert_eq(lseek(memfd, 0, SEEK_CUR), 0, "the offset is unchanged");
	}
}

Test(fd_info, access_mode_of_a_memfd)
{
	_cleanup_close_ int memfd = make_memfd(0, SIZE, 0);
	_cleanup_close_ int for_reading = reopen(memfd, O_RDONLY);
	_cleanup_close_ int for_both = reopen(memfd, O_RDWR | O_APPEND);
	FdInfo info = info_of(for_reading);

	cr_assert_eq(info.kind, FD_MEMFD);
	cr_assert_eq(info.size, SIZE);
	cr_assert(!info.is_writable);
	cr_assert(info_of(for_both).is_writable);
	expect_other("a memfd opened write-only", reopen(memfd, O_WRONLY));
	expect_other("a memfd opened with O_PATH", reopen(memfd, O_PATH));
}

Test(fd_info, a_hugetlb_memfd)
{
	int memfd = memfd_create("test", MFD_CLOEXEC | MFD_HUGETLB);

	if (memfd < 0)
		cr_skip("a hugetlb memfd: %s", strerror(errno));
	expect_other("a hugetlb memfd", memfd);
}

Test(fd_info, secret_memory)
{
	int memory = (int)syscall(SYS_memfd_secret, O_CLOEXEC);

	if (memory < 0)
		cr_skip("secret memory: %s", strerror(errno));
	expect_other("secret memory", memory);
}

/* It is on the file system of memfds, and can be opened as a file through map_files. */
Test(fd_info, sysv_shared_memory)
{
	char path[64];
	int segment = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);

	if (segment < 0)
		cr_skip("SysV shared memory: %s", strerror(errno));
	char *memory = shmat(segment, NULL, 0);
	shmctl(segment, IPC_RMID, NULL);
	cr_assert_neq((intptr_t)memory, -1);
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)memory,
		 (unsigned long)memory + SIZE);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		cr_skip("SysV shared memory as a file: %s", strerror(errno));
	expect_other("SysV shared memory", fd);
	shmdt(memory);
}

Test(fd_info, fds_of_other_kinds)
{
	int ends[2];
	sigset_t no_signals;

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	expect_other("a pipe's reading end", ends[0]);
	expect_other("a pipe's writing end", ends[1]);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	expect_unshareable("a socket", FD_SOCKET, ends[0]);
	expect_unshareable("its peer", FD_SOCKET, ends[1]);
	expect_unshareable("a UDP socket", FD_SOCKET, socket(AF_INET, SOCK_DGRAM, 0));
	expect_other("an eventfd", eventfd(0, 0));
	expect_other("a timerfd", timerfd_create(CLOCK_MONOTONIC, 0));
	expect_other("a pidfd", pidfd_open(getpid(), 0));
	expect_other("an epoll", epoll_create1(0));
	expect_other("an inotify", inotify_init1(0));
	sigemptyset(&no_signals);
	expect_other("a signalfd", signalfd(-1, &no_signals, 0));
}

Test(fd_info, files)
{
	expect_other("a folder", open("/", O_RDONLY | O_DIRECTORY));
	expect_other("/dev/null", open("/dev/null", O_RDWR));
	expect_other("/dev/zero", open("/dev/zero", O_RDWR));
	expect_other("/dev/ptmx", open("/dev/ptmx", O_RDWR | O_NOCTTY));
	expect_other("a file of /proc", open("/proc/self/status", O_RDONLY));
	expect_other("a namespace", open("/proc/self/ns/user", O_RDONLY));
	expect_other("the program", open("/proc/self/exe", O_RDONLY));
	expect_other("the program, O_PATH", open("/proc/self/exe", O_PATH));
	expect_other("a file without a name", open("/tmp", O_TMPFILE | O_RDWR, 0600));
	expect_other("a file in /dev/shm", open("/dev/shm", O_TMPFILE | O_RDWR, 0600));
}

/*
 * The names equal those of memfds except for the directory; test-name-is-not-a-type.sh forges names
 * without one.
 */
Test(fd_info, files_with_names_of_memfds)
{
	static const char *const folders[] = { "/tmp", "/dev/shm" };

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/memfd:%d", folders[i], getpid());
		int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		cr_assert_geq(file, 0);
		_cleanup_close_ int again = dup(file);
		expect_other("a file named like a memfd", file);
		cr_assert_eq(unlink(path), 0);
		expect_other("a deleted file named like a memfd", TAKE_FD(again));
	}
}

/* Nests directories until the path is too long for the kernel to report. */
Test(fd_info, a_name_that_is_too_long)
{
	char root[] = "/dev/shm/fd-info-XXXXXX", name[251], command[128];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_assert(mkdtemp(root));
	int folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int depth = 0; depth < 20; depth++) {
		_cleanup_close_ int parent = folder;

		cr_assert_eq(mkdirat(parent, name, 0700), 0);
		folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cr_assert_geq(folder, 0);
	}
	_cleanup_close_ int file = openat(folder, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	expect_other("a folder", folder);
	expect_other("a file", TAKE_FD(file));
	snprintf(command, sizeof(command), "rm -r %s", root);
	cr_assert_eq(system(command), 0);
}

Test(fd_info, a_closed_fd)
{
	MemfdIdentity own;
	FdInfo info = { .inode = 7 };

	cr_assert_eq(fd_info_init(&own), 0);
	cr_assert_eq(fd_info_read(&FS_ROOTS_DEFAULT, &own, 999, &info), -EBADF);
	cr_assert_eq(fd_info_read(&FS_ROOTS_DEFAULT, &own, -1, &info), -EBADF);
	cr_assert_eq(info.inode, 7, "untouched on failure");
	cr_assert_eq(fd_reopen(&FS_ROOTS_DEFAULT, 999, false), -ENOENT);
}

Test(fd_info, missing_proc)
{
	const FsRoots roots = { .proc = "/does-not-exist", .sys = "/sys" };
	_cleanup_close_ int memfd = make_memfd(0, SIZE, 0);
	MemfdIdentity own;
	FdInfo info = { .inode = 7 };

	cr_assert_eq(fd_info_init(&own), 0);
	cr_assert_eq(fd_info_read(&roots, &own, memfd, &info), -ENOENT);
	cr_assert_eq(info.inode, 7, "untouched on failure");
}

Test(fd_info, a_sync_file)
{
	/* SW_SYNC_IOC_CREATE_FENCE and its parameter, from the kernel's sw_sync.c. */
	struct {
		uint32_t value;
		char name[32];
		int32_t fence;
	} parameters = { .value = 1 };
	_cleanup_close_ int timeline = open("/sys/kernel/debug/sync/sw_sync", O_RDWR | O_CLOEXEC);

	if (timeline < 0)
		cr_skip("a sync_file: /sys/kernel/debug/sync/sw_sync: %s", strerror(errno));
	cr_assert_eq(ioctl(timeline, _IOWR('W', 0, parameters), &parameters), 0);
	_cleanup_close_ int fence = parameters.fence;
	FdInfo info = info_of(fence);
	cr_assert_eq(info.kind, FD_SYNC_FILE);
	cr_assert_eq(info.size, 0);
	cr_assert(!info.is_writable);
}

Test(fd_info, a_dmabuf)
{
	_cleanup_close_ int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);

	if (device < 0)
		cr_skip("a dma-buf: /dev/udmabuf: %s", strerror(errno));
	_cleanup_close_ int memfd = make_memfd(MFD_ALLOW_SEALING, SIZE, F_SEAL_SHRINK);
	struct udmabuf_create parameters = {
		.memfd = (uint32_t)memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = SIZE,
	};
	_cleanup_close_ int dmabuf = ioctl(device, UDMABUF_CREATE, &parameters);
	cr_assert_geq(dmabuf, 0);
	FdInfo info = info_of(dmabuf);
	cr_assert_eq(info.kind, FD_DMABUF);
	cr_assert_eq(info.size, SIZE);
	cr_assert(info.is_writable);
	cr_assert(!info.can_be_sealed);
	cr_assert_neq(info.inode, 0);
}

Test(fd_reopen, has_its_own_offset_and_flags)
{
	_cleanup_close_ int memfd = make_memfd(0, SIZE, 0);

	cr_assert_eq(lseek(memfd, 100, SEEK_SET), 100);
	cr_assert_eq(fcntl(memfd, F_SETFL, O_APPEND | O_NONBLOCK), 0);
	for (int read_write = 0; read_write < 2; read_write++) {
		_cleanup_close_ int opened = fd_reopen(&FS_ROOTS_DEFAULT, memfd, read_write);
		int flags = fcntl(opened, F_GETFL);

		cr_assert_geq(opened, 0);
		cr_assert_eq(flags & O_ACCMODE, read_write ? O_RDWR : O_RDONLY);
		cr_assert_eq(flags & (O_APPEND | O_NONBLOCK), 0);
		cr_assert(fcntl(opened, F_GETFD) & FD_CLOEXEC);
		cr_assert_eq(lseek(opened, 0, SEEK_CUR), 0);
		cr_assert_eq(info_of(opened).inode, info_of(memfd).inode);
	}
	cr_assert_eq(lseek(memfd, 0, SEEK_CUR), 100);
}

Test(fd_reopen, obeys_the_mode)
{
	/*
	 * Root bypasses file modes, so become another user. This makes the process undumpable,
	 * which closes /proc/self to it until PR_SET_DUMPABLE.
	 */
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	cr_assert_eq(prctl(PR_SET_DUMPABLE, 1), 0);
	_cleanup_close_ int memfd = make_memfd(0, SIZE, 0);
	_cleanup_close_ int allowed = fd_reopen(&FS_ROOTS_DEFAULT, memfd, true);
	cr_assert_geq(allowed, 0);
	cr_assert_eq(fchmod(memfd, 0400), 0);
	_cleanup_close_ int for_reading = fd_reopen(&FS_ROOTS_DEFAULT, memfd, false);
	cr_assert_geq(for_reading, 0);
	cr_assert_eq(fd_reopen(&FS_ROOTS_DEFAULT, memfd, true), -EACCES);
	cr_assert_eq(fchmod(memfd, 0), 0);
	cr_assert_eq(fd_reopen(&FS_ROOTS_DEFAULT, memfd, false), -EACCES);
	cr_assert_eq(info_of(memfd).kind, FD_MEMFD);
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
}

/* A blocking open() would wait for the lease owner: lease-break-time, 45 seconds by default. */
Test(fd_reopen, does_not_wait_for_a_lease)
{
	_cleanup_close_ int memfd = make_memfd(0, SIZE, 0);

	cr_assert_neq(signal(SIGIO, SIG_IGN), SIG_ERR); /* notifies the lease owner */
	if (fcntl(memfd, F_SETLEASE, F_RDLCK) < 0)
		cr_skip("a lease on a memfd: %s", strerror(errno));
	cr_assert_eq(info_of(memfd).kind, FD_MEMFD);
	cr_assert_eq(fd_reopen(&FS_ROOTS_DEFAULT, memfd, true), -EAGAIN);
	cr_assert_eq(fcntl(memfd, F_SETLEASE, F_UNLCK), 0);
	_cleanup_close_ int opened = fd_reopen(&FS_ROOTS_DEFAULT, memfd, true);
	cr_assert_geq(opened, 0);
}

/*
 * A thread blocked in write(), because a userfaultfd never provides the page to write. It holds the
 * memfd's inode lock and the lock of its file offset until the userfaultfd is closed.
 */
typedef struct HungWriter {
	int memfd;
	int faults; /* the userfaultfd */
	char *page;
	pthread_t thread;
} HungWriter;

static void *write_missing_page(void *context)
{
	HungWriter *writer = context;

	return write(writer->memfd, writer->page, 1) == 1 ? writer : NULL;
}

/* Returns false if the kernel does not support or permit userfaultfd. */
static bool hung_writer_start(HungWriter *writer, int memfd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffd_msg fault;

	*writer =
		(HungWriter){ .memfd = memfd, .faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC) };
	if (writer->faults < 0)
		return false;
	cr_assert_eq(ioctl(writer->faults, UFFDIO_API, &api), 0);
	writer->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(writer->page, MAP_FAILED);
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)writer->page, .len = 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	cr_assert_eq(ioctl(writer->faults, UFFDIO_REGISTER, &range), 0);
	cr_assert_eq(pthread_create(&writer->thread, NULL, write_missing_page, writer), 0);
	cr_assert_eq(read(writer->faults, &fault, sizeof(fault)), sizeof(fault));
	return true;
}

static void hung_writer_end(HungWriter *writer)
{
	close(writer->faults);
	pthread_join(writer->thread, NULL);
	munmap(writer->page, 4096);
}

Test(fd_info, do_not_wait_for_a_writer)
{
	_cleanup_close_ int memfd = make_memfd(0, SIZE, 0);
	_cleanup_close_ int again = reopen(memfd, O_RDWR);
	HungWriter writer;

	if (!hung_writer_start(&writer, again))
		cr_skip("a writer that hangs: userfaultfd: %s", strerror(errno));
	cr_assert_eq(info_of(again).kind, FD_MEMFD);
	cr_assert_eq(info_of(again).size, SIZE);
	_cleanup_close_ int opened = fd_reopen(&FS_ROOTS_DEFAULT, again, true);
	cr_assert_geq(opened, 0);
	hung_writer_end(&writer);
}
