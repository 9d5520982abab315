/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_METRICS_H
#define DAEMON_API_METRICS_H

#include "daemon/api/service.h"
#include "proto/buffer.h"

/* Appends the daemon's metrics as OpenMetrics text with a NUL. Returns false if out of memory. */
bool metrics_write(Buffer *out, Service *service);

#endif
