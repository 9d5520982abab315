/* SPDX-License-Identifier: MIT */
#include "client/vailctl/wall-clock.h"

#include <string.h>

time_t wall_clock_now(void)
{
	return time(NULL);
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
