/* SPDX-License-Identifier: MIT */
/*
 * Lets a test control the clock of this vaild. $VAILD_CLOCK names a file with one 64-bit number,
 * the microseconds since the start. Only the test changes it, so that the timeouts of the daemon
 * expire when the test says so, independent of the speed of the machine. Without $VAILD_CLOCK,
 * vaild uses the system's clock.
 *
 * The two functions replace those of the C library in the daemon and in its libraries, such as
 * libevent.
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
#define CLOCKS   12 /* greater than all clock ids of Linux */
#define SLICE_MS 10 /* interval at which a wait reads the test's clock */

static const volatile uint64_t *passed; /* NULL without $VAILD_CLOCK */
static struct timespec starts[CLOCKS];

/* Runs before the constructors of the sanitizers, which read the clock. */
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

/* Waits until the timeout has passed on the test's clock, which it reads every SLICE_MS. */
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
