/* SPDX-License-Identifier: MIT */
/*
 * Checks that a process with too many fds, or whose fds cannot be seen, never counts as one that
 * holds no GPU, and that no device is read twice. A fake /sys gives a DRM node the number of
 * /dev/full.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/host/process/held-gpus.h"
#include "tests/unit/discovery/device-tree.h"

static DeviceTree tree;
static FsRoots roots;

static void set_up(void)
{
	tree_init(&tree);
	tree_link(&tree, "dev/char/1:7", "../../devices/faux/vgem/drm/card0");
	roots = (FsRoots){ .proc = "/proc", .sys = tree.path };
}

static void tear_down(void)
{
	tree_deinit(&tree);
}

TestSuite(held_gpus, .init = set_up, .fini = tear_down);

typedef struct Result {
	Lookup lookup;
	HeldGpus held;
} Result;

static Result find(pid_t pid)
{
	Result result = { .lookup = LOOKUP_PENDING };
	SearchedProcess process = { .pid = pid, .pidfd = pidfd_open(pid, 0) };

	cr_assert_geq(process.pidfd, 0);
	result.lookup = held_gpus_find(&roots, &process, &result.held);
	close(process.pidfd);
	return result;
}

/* Opens /dev/full behind this many other fds of a new file. */
static void open_behind(unsigned int count)
{
	const struct rlimit limit = { .rlim_cur = 4096, .rlim_max = 4096 };

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (unsigned int i = 0; i < count; i++)
		cr_assert_geq(fcntl(file, F_DUPFD_CLOEXEC, 0), 0);
	cr_assert_geq(open("/dev/full", O_RDONLY | O_CLOEXEC), 0);
}

Test(held_gpus, process_that_holds_none)
{
	cr_assert_eq(find(getpid()).lookup, LOOKUP_ABSENT);
}

Test(held_gpus, process_that_holds_one)
{
	open_behind(0);
	Result result = find(getpid());
	cr_assert_eq(result.lookup, LOOKUP_FOUND);
	cr_assert_eq(result.held.count, 1u);
	cr_assert_str_eq(result.held.items[0].function, "faux/vgem");
	cr_assert(result.held.is_complete);
}

/* A VMM must not hide a device behind fds that nobody examines. */
Test(held_gpus, device_behind_more_fds_than_are_examined)
{
	open_behind(LIMIT_FDS_EXAMINED + 1);
	cr_assert_eq(find(getpid()).lookup, LOOKUP_UNREADABLE);
}

Test(held_gpus, one_before_and_one_behind_more_fds_than_are_examined)
{
	open_behind(0);
	open_behind(LIMIT_FDS_EXAMINED + 1);
	Result result = find(getpid());
	cr_assert_eq(result.lookup, LOOKUP_FOUND);
	cr_assert_eq(result.held.count, 1u);
	cr_assert_not(result.held.is_complete);
}

/* Makes a VFIO group whose function has an attribute that is read from a FIFO. Returns the FIFO. */
static int make_group(void)
{
	char path[128];

	tree_pci(&tree, "pci0000:00/0000:00:02.1", "vfio-pci", "0x8086", "0x030000");
	tree_group(&tree, 12, "1:5", "pci0000:00/0000:00:02.1"); /* /dev/zero */
	snprintf(path, sizeof(path), "%s/devices/pci0000:00/0000:00:02.1/class", tree.path);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkfifo(path, 0600), 0);
	return open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
}

/* A VMM must not make the search long with many fds of one group. Each read takes
 * the same number of bytes from the FIFO. */
Test(held_gpus, group_with_many_fds_is_read_once)
{
	static const char too_long[8192];
	int fifo = make_group();
	int left = 0, left_by_one = 0;

	cr_assert_geq(open("/dev/zero", O_RDONLY | O_CLOEXEC), 0);
	cr_assert_eq(write(fifo, too_long, sizeof(too_long)), (ssize_t)sizeof(too_long));
	find(getpid());
	ioctl(fifo, FIONREAD, &left_by_one);
	cr_assert_lt(left_by_one, (int)sizeof(too_long));
	for (int i = 0; i < 3; i++) {
		open_behind(0);
		cr_assert_geq(open("/dev/zero", O_RDONLY | O_CLOEXEC), 0);
	}
	cr_assert_eq(find(getpid()).held.count, 1u);
	ioctl(fifo, FIONREAD, &left);
	cr_assert_eq((int)sizeof(too_long) - left, 2 * ((int)sizeof(too_long) - left_by_one));
}

static void *wait_for_ever(void *context)
{
	pause();
	return context;
}

/* A process with the device open whose main thread exits, while another one goes on. */
static _Noreturn void lose_main_thread(void)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* so that a failed test leaves no process */
	if (open("/dev/full", O_RDONLY | O_CLOEXEC) < 0 ||
	    pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
		_exit(1);
	syscall(SYS_exit, 0);
	abort();
}

/* Tests whether /proc says that the process's main thread has exited. */
static bool main_thread_has_exited(pid_t pid)
{
	char path[64], state = '\0';

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = '\0';
	fclose(file);
	return state == 'Z';
}

/* The fds are those of the process's main thread. Without that, none can be seen. */
Test(held_gpus, process_whose_main_thread_has_exited)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0)
		lose_main_thread();
	while (!main_thread_has_exited(pid))
		sched_yield();
	cr_assert_eq(find(pid).lookup, LOOKUP_UNREADABLE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
