/* SPDX-License-Identifier: MIT */
/* The number of a display channel in the arguments of the program that gets it. */
#include <criterion/criterion.h>

#include "client/vail-view/channel-arguments.h"
#include "proto/macros.h"

Test(channel_arguments, each_place_gets_the_number)
{
	char *arguments[] = { "{}", "--fd={}", "{}{}", "", "{", "a}{}{", "}{", NULL };
	const char *expected[] = { "{}", "--fd=31", "3131", "", "{", "a}31{", "}{" };
	char **filled = channel_arguments_new(arguments, 31);

	cr_assert_not_null(filled);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		cr_assert_str_eq(filled[i], expected[i]);
	cr_assert_null(filled[ARRAY_SIZE(expected)]);
	channel_arguments_free(filled);
}

Test(channel_arguments, none_is_freed)
{
	channel_arguments_free(NULL);
}
