/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_GUEST_REPORT_H
#define CLIENT_VAIL_QEMU_GUEST_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <vail-status.h>

/* The pause after a report that has failed, in milliseconds. */
#define GUEST_REPORT_PAUSE 1000

/* The report of the guest's state to vaild. States are as in VailMachine. */
typedef struct GuestReport {
	const char *state; /* the current one; NULL if it is unknown */
	const char *told;  /* the one that vaild has answered; NULL for none */
	int64_t again_at;  /* milliseconds: the end of the pause; 0 without one */
} GuestReport;

/* Tests whether vaild lacks the state, and no pause is left. now: in milliseconds. */
bool guest_report_is_due(const GuestReport *report, int64_t now);

/* Returns the milliseconds that are left of a pause, or -1 if vaild has the state or no pause is.
 */
int guest_report_timeout(const GuestReport *report, int64_t now);

/*
 * Notes vaild's answer to a report of the state. A refusal of the user is final. After any other
 * failure the report is due again when the pause ends.
 */
void guest_report_answered(GuestReport *report, NTSTATUS status, int64_t now);

/* Forgets what vaild has answered, because vaild has forgotten the state. */
void guest_report_begin(GuestReport *report);

#endif
