/* SPDX-License-Identifier: MIT */
/*
 * Lets a test move the clocks of a program while it runs. $JUMP_CLOCK names a file with two 64-bit
 * numbers: the seconds to add to CLOCK_BOOTTIME, as after a suspend, and those to add to
 * CLOCK_REALTIME, as when somebody sets the clock.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

static const volatile int64_t *jumps;

static __attribute__((constructor)) void share_jumps(void)
{
	const char *path = getenv("JUMP_CLOCK");
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *page = mmap(NULL, 2 * sizeof(*jumps), PROT_READ, MAP_SHARED, file, 0);

	if (page == MAP_FAILED)
		err(1, "JUMP_CLOCK=%s", path ? path : "");
	close(file);
	jumps = page;
}

EXPORTED int clock_gettime(clockid_t id, struct timespec *ret)
{
	int result = (int)syscall(SYS_clock_gettime, id, ret);

	if (result == 0 && jumps && id == CLOCK_BOOTTIME)
		ret->tv_sec += (time_t)jumps[0];
	if (result == 0 && jumps && id == CLOCK_REALTIME)
		ret->tv_sec += (time_t)jumps[1];
	return result;
}

EXPORTED time_t time(time_t *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}
