/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_LOCAL_WALL_CLOCK_H
#define DAEMON_FLEET_LOCAL_WALL_CLOCK_H

#include <stdint.h>

/*
 * Dates for people, in UTC. An administrator can set this clock, so no decision may depend on it.
 * Everything else uses boot_clock().
 */

#define DATE_SIZE 32

/* Formats the date before that many seconds, like "2026-11-30T18:35:09Z". Returns text. */
char *date_for_people(double seconds_ago, char text[static DATE_SIZE]);

/* Returns milliseconds on CLOCK_BOOTTIME. */
uint64_t boot_clock(void);

#endif
