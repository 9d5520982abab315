/* SPDX-License-Identifier: MIT */
#include "client/vailctl/amounts.h"

#include <inttypes.h>
#include <stdio.h>

#include "client/vailctl/wall-clock.h"
#include "proto/macros.h"

#define MINUTE 60
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

const char *age_text(uint64_t seconds, char text[AMOUNT_TEXT])
{
	if (seconds < MINUTE)
		snprintf(text, AMOUNT_TEXT, "%" PRIu64 " s", seconds);
	else if (seconds < HOUR)
		snprintf(text, AMOUNT_TEXT, "%" PRIu64 " min", seconds / MINUTE);
	else if (seconds < DAY)
		snprintf(text, AMOUNT_TEXT, "%" PRIu64 " h", seconds / HOUR);
	else
		snprintf(text, AMOUNT_TEXT, "%" PRIu64 " day%s", seconds / DAY,
			 seconds < 2 * DAY ? "" : "s");
	return text;
}

const char *since_text(time_t when, uint64_t age_in_seconds, char text[AMOUNT_TEXT])
{
	char date[WALL_CLOCK_TEXT], age[AMOUNT_TEXT];

	snprintf(text, AMOUNT_TEXT, "%.19s (%.20s ago)", wall_clock_date(when, date),
		 age_text(age_in_seconds, age));
	return text;
}

const char *size_text(uint64_t bytes, char text[AMOUNT_TEXT])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned int unit = 0;

	while (unit + 1 < ARRAY_SIZE(units) && bytes >> (10 * unit) >= 1024)
		unit++;
	uint64_t one = UINT64_C(1) << (10 * unit), whole = bytes / one, rest = bytes % one;
	/* Tenths are counted in 1024ths of a unit, so that no product overflows. */
	uint64_t tenths = unit > 0 ? whole * 10 + (rest / (one / 1024) * 10 + 512) / 1024 : 0;

	if (unit > 0 && tenths < 100 && tenths % 10 > 0)
		snprintf(text, AMOUNT_TEXT, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10,
			 units[unit]);
	else if (unit > 0 && tenths < 100)
		snprintf(text, AMOUNT_TEXT, "%" PRIu64 " %s", tenths / 10, units[unit]);
	else
		snprintf(text, AMOUNT_TEXT, "%" PRIu64 " %s", whole + (unit > 0 && rest >= one / 2),
			 units[unit]);
	return text;
}

uint64_t percent_of(uint64_t used, uint64_t maximum)
{
	if (used >= maximum)
		return maximum > 0 ? (uint64_t)((long double)used * 100 / (long double)maximum)
				   : 100;
	/* Below 100 even where the division rounds. */
	uint64_t percent = (uint64_t)((long double)used * 100 / (long double)maximum);

	return percent < 100 ? percent : 99;
}

const char *percent_text(uint64_t used, uint64_t maximum, char text[AMOUNT_TEXT])
{
	uint64_t percent = percent_of(used, maximum);

	if (percent == 0 && used > 0)
		snprintf(text, AMOUNT_TEXT, "<1 %%");
	else
		snprintf(text, AMOUNT_TEXT, "%" PRIu64 " %%", percent);
	return text;
}
