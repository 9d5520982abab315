/* SPDX-License-Identifier: MIT */
/*
 * Gives this vaild the clock of a test. $VAILD_CLOCK names a file of one 64-bit number, the
 * microseconds that have passed. The number changes only when the test writes a larger one, so a
 * timeout of the daemon ends when the test says so, on a slow machine as on a fast one. Without
 * $VAILD_CLOCK the clock is the system's.
 *
 * The two functions take the place of the C library's in the daemon and in the libraries that it is
 * linked with, libevent among them.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
#define CLOCKS   12 /* more than there are that Linux numbers */
#define SLICE_MS 10 /* how late a wait sees that the time has changed */

static const volatile uint64_t *passed; /* NULL without $VAILD_CLOCK */
static struct timespec starts[CLOCKS];

/* Before the sanitizers' own constructors, which ask for the time. */
static __attribute__((constructor(101))) void share_clock(void)
{
	const char *path = getenv("VAILD_CLOCK");
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (!path)
		return;
	for (clockid_t id = 0; id < CLOCKS; id++)
		syscall(SYS_clock_gettime, id, &starts[id]);
	void *page = mmap(NULL, sizeof(*passed), PROT_READ, MAP_SHARED, file, 0);
	if (page == MAP_FAILED)
		err(1, "%s", path);
	close(file);
	passed = page;
}

EXPORTED int clock_gettime(clockid_t id, struct timespec *ret)
{
	if (!passed || id < 0 || id >= CLOCKS)
		return (int)syscall(SYS_clock_gettime, id, ret);
	uint64_t microseconds = *passed;
	*ret = starts[id];
	ret->tv_sec += (time_t)(microseconds / 1000000);
	ret->tv_nsec += (long)(microseconds % 1000000) * 1000;
	if (ret->tv_nsec >= 1000000000) {
		ret->tv_sec++;
		ret->tv_nsec -= 1000000000;
	}
	return 0;
}

/* Waits as long as the test's clock says, and looks at it every SLICE_MS. */
EXPORTED int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
	uint64_t end = passed ? *passed + UINT64_C(1000) * (unsigned int)timeout : 0;

	if (!passed || timeout <= 0)
		return (int)syscall(SYS_epoll_wait, epoll, events, count, timeout);
	for (;;) {
		int ready = (int)syscall(SYS_epoll_wait, epoll, events, count, SLICE_MS);

		if (ready != 0 || *passed >= end)
			return ready;
	}
}
