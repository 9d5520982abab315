/* SPDX-License-Identifier: MIT */
/* The suggestion for a misspelt word. */
#include <criterion/criterion.h>
#include <string.h>

#include "client/common/suggestion.h"
#include "proto/macros.h"

TestSuite(suggestion);

static const char *const commands[] = {
	"list", "describe", "registrations", "objects", NULL, "watch", "register",
	"exec", "vm",       "vgpu",          "release",
};

static void expect_suggestion(const char *word, const char *expected)
{
	const char *found = suggestion_find(word, commands, ARRAY_SIZE(commands));

	cr_assert_eq(!found, !expected, "%s: %s", word, found ? found : "none");
	if (expected)
		cr_assert_str_eq(found, expected, "%s", word);
}

Test(suggestion, each_kind_of_mistake_is_forgiven)
{
	expect_suggestion("lst", "list");
	expect_suggestion("liist", "list");
	expect_suggestion("lizt", "list");
	expect_suggestion("lsit", "list");
	expect_suggestion("wacth", "watch");
	expect_suggestion("regsiter", "register");
	expect_suggestion("obects", "objects");
	expect_suggestion("dscrbe", "describe");
}

Test(suggestion, a_short_word_may_have_one_mistake_and_a_longer_one_two)
{
	expect_suggestion("vn", "vm");
	expect_suggestion("xx", NULL);
	expect_suggestion("wxyz", NULL);
	expect_suggestion("wxych", "watch");
	expect_suggestion("nonsense", NULL);
	expect_suggestion("x", NULL);
	expect_suggestion("", NULL);
}

Test(suggestion, the_beginning_of_a_choice_is_near)
{
	expect_suggestion("desc", "describe");
	expect_suggestion("regis", "registrations");
	expect_suggestion("rele", "release");
}

Test(suggestion, the_nearest_choice_wins_and_of_equal_ones_the_first)
{
	static const char *const choices[] = { "adapters", "adapter", "aaa", "aab" };

	cr_assert_str_eq(suggestion_find("adaptr", choices, 4), "adapter");
	cr_assert_str_eq(suggestion_find("aac", choices, 4), "aaa");
}

Test(suggestion, a_choice_itself_and_a_very_long_word_have_none)
{
	char word[10000];

	expect_suggestion("list", NULL);
	memset(word, 'l', sizeof(word));
	word[sizeof(word) - 1] = '\0';
	expect_suggestion(word, NULL);
	cr_assert_null(suggestion_find("list", commands, 0));
}
