/* SPDX-License-Identifier: MIT */
#ifndef API_STATISTICS_H
#define API_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vail-status.h"

/* What the daemon counts about itself, and what it has to remark. Pure: whoever knows, tells it. */

#define STATISTICS_METHODS_MAX  64
#define STATISTICS_STATUSES_MAX 20
#define STATISTICS_REMARKS_MAX  32

typedef struct Remark {
	char subject[96];
	char message[240];
} Remark;

typedef struct Statistics {
	int pid;
	uint64_t started_at; /* microseconds on CLOCK_BOOTTIME */
	bool under_systemd;
	uint64_t restored; /* records that were brought back at start */
	uint64_t dropped;  /* and those that were not, since what they speak of is no more */
	uint64_t requests[STATISTICS_METHODS_MAX][STATISTICS_STATUSES_MAX];
	Remark remarks[STATISTICS_REMARKS_MAX]; /* the first so many */
	size_t remark_count;
} Statistics;

/* A request of the method, by its row, was answered. */
void statistics_count(Statistics *statistics, size_t method, NTSTATUS status);

void statistics_remark(Statistics *statistics, const char *subject, const char *message);

#endif
