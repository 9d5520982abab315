/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_LIMIT_REPORT_H
#define DAEMON_API_LIMIT_REPORT_H

#include "daemon/api/methods.h"

/*
 * Writes the member "limits" of GetStatus: the use of each limit, counted as the refusal of
 * STATUS_QUOTA_EXCEEDED counts it. Operators get the use of everybody, others their own.
 */
void limit_report_write(Request *request);

#endif
