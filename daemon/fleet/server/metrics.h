/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_SERVER_METRICS_H
#define DAEMON_FLEET_SERVER_METRICS_H

#include "daemon/fleet/model/index.h"
#include "proto/buffer.h"

/* The metrics of a vaild-fleet, as OpenMetrics text. */

typedef enum MetricsChange {
	METRICS_PUT,
	METRICS_DELETE,
	METRICS_SWAP,
	METRICS_CHANGE_MAX,
} MetricsChange;

typedef enum MetricsOutcome {
	METRICS_DONE,
	METRICS_LOST,
	METRICS_UNKNOWN,
	METRICS_FAILED,
	METRICS_OUTCOME_MAX,
} MetricsOutcome;

/* The facts that the index does not have. Numbers count since the start. */
typedef struct FleetMetrics {
	bool has_vaild; /* the vaild of this host is there */
	bool has_lease;
	uint64_t leases;
	uint64_t leases_lost;
	uint64_t keepalives;
	uint64_t reached; /* times that etcd was reached */
	uint64_t breaks;  /* times that it was reached no more */
	uint64_t lists;
	uint64_t events;
	uint64_t changes[METRICS_CHANGE_MAX][METRICS_OUTCOME_MAX];
	uint64_t mended; /* changes of own keys by others */
} FleetMetrics;

/*
 * Appends the text, with a NUL. version: of vaild-fleet. now: milliseconds on CLOCK_BOOTTIME. Looks
 * at each entry of the index. Returns false if out of memory; the text is then incomplete.
 */
bool fleet_metrics_write(Buffer *out, const FleetIndex *index, const FleetMetrics *metrics,
			 const char *version, uint64_t now);

#endif
