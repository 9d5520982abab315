/* SPDX-License-Identifier: MIT */
/* Whether vail-view takes the privileges of a process for those of its user after a login. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "client/vail-view/own-login.h"
#include "proto/macros.h"

TestSuite(own_login);

/* Tests a process with these lines in its status. The user has the uid 1000 and the gid 100. */
static bool is_plain(const char *uids, const char *gids, const char *capabilities)
{
	OwnPrivileges privileges = { 0 };
	char status[512];

	snprintf(status, sizeof(status),
		 "Name:\tUid:\nUid:\t%s\nGid:\t%s\nCapInh:\t0\nCapPrm:\t%s\nCapEff:\t%s\n", uids,
		 gids, capabilities, capabilities);
	return own_privileges_parse(status, &privileges) &&
	       own_privileges_are_plain(&privileges, 1000, 100);
}

Test(own_login, a_process_of_a_login_is_plain)
{
	static const char uids[] = "1000\t1000\t1000\t1000", gids[] = "100\t100\t100\t100";

	cr_assert(is_plain(uids, gids, "0000000000000000"));
	cr_assert(is_plain(uids, gids, "0000000800000000"), "CAP_WAKE_ALARM is of a session");
}

Test(own_login, capabilities_and_other_ids_are_more_than_a_login_has)
{
	static const char uids[] = "1000\t1000\t1000\t1000", gids[] = "100\t100\t100\t100";

	cr_assert_not(is_plain(uids, gids, "000001ffffffffff"), "those of root");
	cr_assert_not(is_plain(uids, gids, "0000000000000400"), "one");
	cr_assert_not(is_plain("1000\t0\t1000\t1000", gids, "0"));
	cr_assert_not(is_plain("1000\t1000\t1000\t0", gids, "0"));
	cr_assert_not(is_plain(uids, "100\t100\t5\t100", "0"));
}

Test(own_login, a_status_that_lacks_a_line_is_refused)
{
	static const char *const texts[] = {
		"",
		"Name:\tx\nUid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nCapPrm:\t0\n",
		"Name:\tx\nUid:\t1\t1\t1\nGid:\t1\t1\t1\t1\nCapPrm:\t0\nCapEff:\t0\n",
	};
	OwnPrivileges privileges;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_assert_not(own_privileges_parse(texts[i], &privileges), "%s", texts[i]);
}
