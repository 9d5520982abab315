/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/fd-fetcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "proto/fd-util.h"

/*
 * Fds that a child looks at before it lets the daemon run if that waits for the CPU. That takes
 * 50 us.
 */
#define FDS_PER_SLICE 16

/* --- the child ------------------------------------------------------------------------------- */

/* Reads the number of the character device that the fd has open. Returns false for other files. */
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

/* error: of the fetch, if fd is negative. */
static Lookup examine(int fd, int error, dev_t *ret_device)
{
	if (fd >= 0)
		return fd_device(fd, ret_device) ? LOOKUP_FOUND : LOOKUP_ABSENT;
	if (errno_is_exhaustion(error))
		return LOOKUP_EXHAUSTED;
	return error == EPERM ? LOOKUP_UNREADABLE : LOOKUP_ABSENT;
}

static void wake(FetchedFds *fds)
{
	syscall(SYS_futex, &fds->seen, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/*
 * Stores what the fd is, before its close can hang. Wakes the other process if it has something to
 * do. Another child may have been started, and have overtaken this one.
 */
static void publish(FetchedFds *fds, unsigned int position, Lookup lookup, dev_t device)
{
	unsigned int expected = position;

	atomic_store(&fds->items[position].device, device);
	atomic_store(&fds->items[position].lookup, lookup);
	if (!atomic_compare_exchange_strong(&fds->seen, &expected, position + 1))
		_exit(EXIT_SUCCESS);
	if (lookup != LOOKUP_ABSENT || position + 1 == fds->count)
		wake(fds);
}

static _Noreturn void fetch(const FdFetcher *fetcher, pid_t parent)
{
	FetchedFds *fds = fetcher->fds;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	if (fetcher->process->enter_child)
		fetcher->process->enter_child();
	for (unsigned int i = atomic_load(&fds->seen); i < fds->count; i++) {
		if (atomic_load(&fds->is_over))
			break;
		dev_t device = 0;
		int fd = pidfd_getfd(fetcher->process->pidfd, fds->numbers[i], 0);
		Lookup lookup = examine(fd, errno, &device);

		publish(fds, i, lookup, device);
		fd_close(&fd);
		if ((i + 1) % FDS_PER_SLICE == 0)
			sched_yield();
	}
	_exit(EXIT_SUCCESS);
}

/* --- the process that waits ------------------------------------------------------------------ */

bool fd_fetcher_init(FdFetcher *fetcher, const SearchedProcess *process)
{
	FetchedFds *fds =
		mmap(NULL, sizeof(*fds), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*fetcher = (FdFetcher){ .process = process, .fds = fds == MAP_FAILED ? NULL : fds };
	return fetcher->fds;
}

static bool start_child(FdFetcher *fetcher)
{
	const pid_t parent = getpid();
	pid_t child = fork();

	if (child == 0)
		fetch(fetcher, parent);
	fetcher->started++;
	return child > 0;
}

/* Each child gets twice as long as the one before it, because a busy machine can delay it. */
static struct timespec patience(const FdFetcher *fetcher)
{
	unsigned int milliseconds = LIMIT_CLOSE_MILLISECONDS << (fetcher->started - 1);

	return (struct timespec){
		.tv_sec = milliseconds / 1000,
		.tv_nsec = milliseconds % 1000 * 1000000L,
	};
}

bool fd_fetcher_wait(FdFetcher *fetcher, unsigned int seen)
{
	FetchedFds *fds = fetcher->fds;

	if (fetcher->started == 0 && !start_child(fetcher))
		return false;
	while (atomic_load(&fds->seen) == seen) {
		struct timespec timeout = patience(fetcher);
		long result = syscall(SYS_futex, &fds->seen, FUTEX_WAIT, seen, &timeout, NULL, 0);
		bool is_late = result < 0 && errno == ETIMEDOUT && atomic_load(&fds->seen) == seen;

		if (is_late && (fetcher->started == FETCHERS_MAX || !start_child(fetcher)))
			return false;
	}
	return true;
}

void fd_fetcher_deinit(FdFetcher *fetcher)
{
	if (!fetcher->fds)
		return;
	atomic_store(&fetcher->fds->is_over, true);
	munmap(fetcher->fds, sizeof(*fetcher->fds));
	fetcher->fds = NULL;
}
