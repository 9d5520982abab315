/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_STATISTICS_H
#define DAEMON_API_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/vail-status.h"

/* Counters and remarks for GetStatus and GetMetrics, filled in by the rest of the daemon. */

#define STATISTICS_METHODS_MAX  64
#define STATISTICS_STATUSES_MAX 20
#define STATISTICS_REMARKS_MAX  32

/* Size of the text about a mistake in the configuration. */
#define STATISTICS_CONFIGURATION_SIZE 640

/* Size of the text about the GPU devices of the host. */
#define STATISTICS_DEVICES_SIZE 240

/* Size of the text about the VMs that systemd-machined knows. */
#define STATISTICS_MACHINES_SIZE 240

typedef struct Remark {
	char subject[96];
	char message[240];
} Remark;

typedef struct Statistics {
	int pid;
	uint64_t started_at; /* microseconds on CLOCK_BOOTTIME */
	bool under_systemd;
	uint64_t restored; /* persisted records restored at the start */
	uint64_t dropped;  /* persisted records that the start could not restore */
	uint64_t requests[STATISTICS_METHODS_MAX][STATISTICS_STATUSES_MAX];
	/* Predicate of a sentence about the configuration, until it is corrected; empty if right.
	 */
	char configuration[STATISTICS_CONFIGURATION_SIZE];
	/* Predicate of a sentence about the GPU devices of the host; empty if they could be read.
	 */
	char devices[STATISTICS_DEVICES_SIZE];
	/* Predicate of a sentence about the VMs of systemd-machined; empty if they are all known.
	 */
	char machines[STATISTICS_MACHINES_SIZE];
	Remark remarks[STATISTICS_REMARKS_MAX]; /* the first ones; later ones are lost */
	size_t remark_count;
} Statistics;

/* Counts a reply with this status; method is the index of its row in the method table. */
void statistics_count(Statistics *statistics, size_t method, NTSTATUS status);

/* Adds a remark for operators, unless there are STATISTICS_REMARKS_MAX already. */
void statistics_remark(Statistics *statistics, const char *subject, const char *message);

#endif
