/* SPDX-License-Identifier: MIT */
/*
 * Lets poll() wait on the clock that a test controls, beside daemon-clock.c. Clients wait with
 * poll(). The daemon's own poll() waits for its child process, which uses the system's clock.
 */
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
#define SLICE_MS 10 /* interval at which a wait reads the test's clock */

static int64_t now_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

EXPORTED int poll(struct pollfd *poll_fds, nfds_t count, int timeout)
{
	if (!getenv("VAILD_CLOCK") || timeout <= 0)
		return (int)syscall(SYS_poll, poll_fds, count, timeout);
	int64_t end = now_milliseconds() + timeout;
	for (;;) {
		int ready = (int)syscall(SYS_poll, poll_fds, count, SLICE_MS);

		if (ready != 0 || now_milliseconds() >= end)
			return ready;
	}
}
