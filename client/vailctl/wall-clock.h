/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_WALL_CLOCK_H
#define CLIENT_VAILCTL_WALL_CLOCK_H

#include <time.h>

/*
 * Dates and times for people, in the local time zone. An administrator can set this clock, so
 * nothing but output may depend on it.
 */

/* Room for each text. */
#define WALL_CLOCK_TEXT 32

/* Returns the time now, in seconds since 1970. */
time_t wall_clock_now(void);

/* Returns the time of an event in seconds since 1970. since: its time on CLOCK_BOOTTIME, in
 * seconds. */
time_t wall_clock_of(double since);

/* Write a date and time like "2026-11-30 08:22:05", or a time like "08:22:05"; "-" if it has none.
 */
const char *wall_clock_date(time_t when, char text[WALL_CLOCK_TEXT]);
const char *wall_clock_time(time_t when, char text[WALL_CLOCK_TEXT]);

#endif
