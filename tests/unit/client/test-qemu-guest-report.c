/* SPDX-License-Identifier: MIT */
/* vail-qemu's reports of the guest's state to vaild. */
#include <criterion/criterion.h>

#include "client/vail-qemu/guest-report.h"

TestSuite(qemu_guest_report);

Test(qemu_guest_report, an_accepted_state_is_reported_once)
{
	GuestReport report = { 0 };

	cr_assert_not(guest_report_is_due(&report, 7));
	report.state = "incoming";
	cr_assert(guest_report_is_due(&report, 7));
	guest_report_answered(&report, STATUS_SUCCESS, 7);
	cr_assert_not(guest_report_is_due(&report, 100000));
	cr_assert_eq(guest_report_timeout(&report, 100000), -1);
	report.state = "running";
	cr_assert(guest_report_is_due(&report, 100000));
}

Test(qemu_guest_report, a_failed_report_is_due_again_after_a_pause)
{
	static const NTSTATUS failures[] = { STATUS_INSUFFICIENT_RESOURCES, STATUS_NOT_FOUND,
					     STATUS_IO_TIMEOUT, STATUS_INVALID_PARAMETER };

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		GuestReport report = { .state = "running" };

		guest_report_answered(&report, failures[i], 7);
		cr_assert_null(report.told);
		cr_assert_not(guest_report_is_due(&report, 7 + GUEST_REPORT_PAUSE - 1));
		cr_assert_eq(guest_report_timeout(&report, 7), GUEST_REPORT_PAUSE);
		cr_assert(guest_report_is_due(&report, 7 + GUEST_REPORT_PAUSE));
		cr_assert_eq(guest_report_timeout(&report, 50000), 0);
		guest_report_answered(&report, STATUS_SUCCESS, 50000);
		cr_assert_not(guest_report_is_due(&report, 100000));
		cr_assert_eq(guest_report_timeout(&report, 100000), -1);
	}
}

Test(qemu_guest_report, a_user_who_may_not_report_is_refused_once)
{
	GuestReport report = { .state = "running" };

	guest_report_answered(&report, STATUS_ACCESS_DENIED, 7);
	cr_assert_not(guest_report_is_due(&report, 100000));
	cr_assert_eq(guest_report_timeout(&report, 100000), -1);
}

Test(qemu_guest_report, a_new_connection_is_due_at_once)
{
	GuestReport report = { .state = "running" };

	guest_report_answered(&report, STATUS_SUCCESS, 7);
	guest_report_begin(&report);
	cr_assert(guest_report_is_due(&report, 8));
	guest_report_answered(&report, STATUS_CONNECTION_DISCONNECTED, 8);
	guest_report_begin(&report);
	cr_assert(guest_report_is_due(&report, 9));
}
