/* SPDX-License-Identifier: MIT */
#include "daemon/api/statistics.h"

#include <stdio.h>

#include "proto/status.h"

void statistics_count(Statistics *statistics, size_t method, NTSTATUS status)
{
	size_t index = status_index(status);

	if (method < STATISTICS_METHODS_MAX && index < STATISTICS_STATUSES_MAX)
		statistics->requests[method][index]++;
}

void statistics_remark(Statistics *statistics, const char *subject, const char *message)
{
	if (statistics->remark_count == STATISTICS_REMARKS_MAX)
		return;
	Remark *remark = &statistics->remarks[statistics->remark_count++];
	snprintf(remark->subject, sizeof(remark->subject), "%s", subject);
	snprintf(remark->message, sizeof(remark->message), "%s", message);
}
