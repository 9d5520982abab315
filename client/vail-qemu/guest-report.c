/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/guest-report.h"

#include <stddef.h>

bool guest_report_is_due(const GuestReport *report, int64_t now)
{
	return report->state != report->told && now >= report->again_at;
}

int guest_report_timeout(const GuestReport *report, int64_t now)
{
	if (report->state == report->told || report->again_at == 0)
		return -1;
	return report->again_at > now ? (int)(report->again_at - now) : 0;
}

void guest_report_answered(GuestReport *report, NTSTATUS status, int64_t now)
{
	if (status == STATUS_SUCCESS || status == STATUS_ACCESS_DENIED) {
		report->told = report->state;
		report->again_at = 0;
	} else {
		report->again_at = now + GUEST_REPORT_PAUSE;
	}
}

void guest_report_begin(GuestReport *report)
{
	report->told = NULL;
	report->again_at = 0;
}
