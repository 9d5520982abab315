/* SPDX-License-Identifier: MIT */
#ifndef API_METRICS_H
#define API_METRICS_H

#include "buffer.h"
#include "service.h"

/* Writes the daemon's metrics as OpenMetrics text, and a NUL behind it. False: no memory. */
bool metrics_write(Buffer *out, Service *service);

#endif
