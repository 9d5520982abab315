/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/local/wall-clock.h"

#include <time.h>

char *date_for_people(double seconds_ago, char text[static DATE_SIZE])
{
	time_t then = time(NULL) - (time_t)(seconds_ago > 0 ? seconds_ago : 0);
	struct tm parts;

	if (!gmtime_r(&then, &parts) ||
	    strftime(text, DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		text[0] = '\0';
	return text;
}

uint64_t boot_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
