/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_CLOCK_H
#define CLIENT_LIBVAIL_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Returns the time on CLOCK_MONOTONIC in milliseconds. */
static inline int64_t monotonic_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
