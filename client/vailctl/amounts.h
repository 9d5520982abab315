/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_AMOUNTS_H
#define CLIENT_VAILCTL_AMOUNTS_H

#include <stdint.h>
#include <time.h>

/* Ages, points in time, sizes and percentages as people read them. */

/* Room for each text. */
#define AMOUNT_TEXT 48

/* Writes an age in its largest unit, rounded down, like "3 min" or "1 day". Returns text. */
const char *age_text(uint64_t seconds, char text[AMOUNT_TEXT]);

/*
 * Writes a point in time and its age, like "2026-11-30 08:22:05 (3 min ago)". Returns text.
 *
 * when: seconds since 1970; shown in the local time zone.
 */
const char *since_text(time_t when, uint64_t age_in_seconds, char text[AMOUNT_TEXT]);

/*
 * Writes a size in the largest unit of which it has at least one, with one decimal below 10 units,
 * rounded to the nearest, like "16 MiB" or "7.9 MiB". Returns text.
 */
const char *size_text(uint64_t bytes, char text[AMOUNT_TEXT]);

/*
 * Writes used as a percentage of maximum, rounded down, so that only a full limit has 100 %. A use
 * below one percent is "<1 %". A maximum of 0 is full. Returns text.
 */
const char *percent_text(uint64_t used, uint64_t maximum, char text[AMOUNT_TEXT]);

/* Returns the percentage that percent_text() shows; 0 for "<1 %". */
uint64_t percent_of(uint64_t used, uint64_t maximum);

#endif
