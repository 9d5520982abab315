/* SPDX-License-Identifier: MIT */
#ifndef API_METRICS_H
#define API_METRICS_H

#include "buffer.h"
#include "service.h"

/* Appends the daemon's metrics as OpenMetrics text with a NUL. Returns false if out of memory. */
bool metrics_write(Buffer *out, Service *service);

#endif
