/* SPDX-License-Identifier: MIT */
#include "client/common/dbus-time.h"

#include <limits.h>
#include <stdint.h>
#include <time.h>

int dbus_time_left(sd_bus *bus)
{
	struct timespec now;
	uint64_t at;

	if (sd_bus_get_timeout(bus, &at) < 0 || at == UINT64_MAX)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t passed = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000;
	uint64_t left = at > passed ? (at - passed + 999) / 1000 : 0;
	return left < INT_MAX ? (int)left : INT_MAX;
}
