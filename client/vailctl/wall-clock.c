/* SPDX-License-Identifier: MIT */
#include "client/vailctl/wall-clock.h"

#include <string.h>

time_t wall_clock_now(void)
{
	return time(NULL);
}

time_t wall_clock_of(double since)
{
	struct timespec booted, now;

	/* Both with their fractions, so that one event has the same second in each output. */
	clock_gettime(CLOCK_BOOTTIME, &booted);
	timespec_get(&now, TIME_UTC);
	double age = (double)booted.tv_sec + (double)booted.tv_nsec / 1e9 - since;
	return (time_t)((double)now.tv_sec + (double)now.tv_nsec / 1e9 - age);
}

const char *wall_clock_date(time_t when, char text[WALL_CLOCK_TEXT])
{
	struct tm local;

	if (!localtime_r(&when, &local) ||
	    strftime(text, WALL_CLOCK_TEXT, "%Y-%m-%d %H:%M:%S", &local) == 0)
		strcpy(text, "-");
	return text;
}

const char *wall_clock_time(time_t when, char text[WALL_CLOCK_TEXT])
{
	struct tm local;

	if (!localtime_r(&when, &local) || strftime(text, WALL_CLOCK_TEXT, "%H:%M:%S", &local) == 0)
		strcpy(text, "-");
	return text;
}
