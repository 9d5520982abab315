/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_CLOCK_H
#define CLIENT_VAIL_VIEW_CLOCK_H

#include <stdint.h>

/* Returns the time on CLOCK_MONOTONIC in milliseconds. */
int64_t now_milliseconds(void);

#endif
