/* SPDX-License-Identifier: MIT */
/* The names of users in place of their uids. */
#include <criterion/criterion.h>

#include "client/common/user-name.h"

/* A uid that no user of the machine has. */
#define NAMELESS 3999999999u

Test(user_name, a_user_has_a_name)
{
	char text[USER_NAME_SIZE];

	cr_expect_str_eq(user_name(0, text), "root");
	cr_expect_str_eq(user_name_and_uid(0, text), "root (uid 0)");
}

Test(user_name, a_user_without_a_name_has_a_number)
{
	char text[USER_NAME_SIZE];

	cr_expect_str_eq(user_name(NAMELESS, text), "3999999999");
	cr_expect_str_eq(user_name_and_uid(NAMELESS, text), "uid 3999999999");
	cr_expect_str_eq(user_name_and_uid(0, text), "root (uid 0)");
}

/* -1 is no user. Larger numbers come only from a broken vaild. */
Test(user_name, numbers_that_are_no_uids_stay)
{
	char text[USER_NAME_SIZE];

	cr_expect_str_eq(user_name(UINT32_MAX, text), "4294967295");
	cr_expect_str_eq(user_name((uint64_t)1 << 32, text), "4294967296");
}
