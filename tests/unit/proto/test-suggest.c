/* SPDX-License-Identifier: MIT */
/* Tests which names are suggested for misspelt ones. */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/macros.h"
#include "proto/suggest.h"

static const char *const names[] = {
	"operatorGroup", "allowUserMachines", "limits", "softwareAdapter", "list", "show",
};

static const struct {
	const char *typed;
	const char *nearest; /* NULL for none */
} cases[] = {
	{ "operatorGroup", "operatorGroup" },
	{ "operator", "operatorGroup" },
	{ "operatorgroup", "operatorGroup" },
	{ "OPERATOR_GROUP", "operatorGroup" },
	{ "operator-group", "operatorGroup" },
	{ "operatorGroups", "operatorGroup" },
	{ "operatroGroup", "operatorGroup" },
	{ "opGroup", NULL },
	{ "limit", "limits" },
	{ "lmits", "limits" },
	{ "allowMachines", "allowUserMachines" },
	{ "lits", "list" },
	{ "sow", "show" },
	{ "pears", NULL },
	{ "l", NULL },
	{ "", NULL },
	{ "--", NULL },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
};

Test(suggest, the_nearest_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *nearest = suggest_nearest(cases[i].typed, names, ARRAY_SIZE(names));

		if (cases[i].nearest)
			cr_assert(nearest && strcmp(nearest, cases[i].nearest) == 0, "%s: %s",
				  cases[i].typed, nearest ? nearest : "nothing");
		else
			cr_assert_null(nearest, "%s: %s", cases[i].typed, nearest);
	}
	cr_assert_null(suggest_nearest("limits", names, 0));
}

Test(suggest, distances)
{
	cr_assert_eq(suggest_distance("", ""), 0u);
	cr_assert_eq(suggest_distance("", "abc"), 3u);
	cr_assert_eq(suggest_distance("abc", ""), 3u);
	cr_assert_eq(suggest_distance("abcd", "abdc"), 1u, "an exchange counts once");
	cr_assert_eq(suggest_distance("kitten", "sitting"), 3u);
	cr_assert_eq(suggest_distance("A_b-C", "abc"), 0u);
}

/* ---- Words of a command line ---- */

static const char *const commands[] = {
	"list", "describe", "registrations", "objects", NULL, "watch", "register",
	"exec", "vm",       "vgpu",          "release",
};

static void expect_suggestion(const char *word, const char *expected)
{
	const char *found = suggest_nearest(word, commands, ARRAY_SIZE(commands));

	cr_assert_eq(!found, !expected, "%s: %s", word, found ? found : "none");
	if (expected)
		cr_assert_str_eq(found, expected, "%s", word);
}

Test(suggest, each_kind_of_mistake_is_forgiven)
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

Test(suggest, a_short_word_may_have_one_mistake_and_a_longer_one_two)
{
	expect_suggestion("vn", "vm");
	expect_suggestion("xx", NULL);
	expect_suggestion("wxyz", NULL);
	expect_suggestion("wxych", "watch");
	expect_suggestion("nonsense", NULL);
	expect_suggestion("x", NULL);
	expect_suggestion("", NULL);
}

Test(suggest, the_beginning_of_a_choice_is_near)
{
	expect_suggestion("desc", "describe");
	expect_suggestion("regis", "register");
	expect_suggestion("rele", "release");
}

Test(suggest, the_nearest_choice_wins_and_of_equal_ones_the_first)
{
	static const char *const choices[] = { "adapters", "adapter", "aaa", "aab" };

	cr_assert_str_eq(suggest_nearest("adaptr", choices, 4), "adapter");
	cr_assert_str_eq(suggest_nearest("aac", choices, 4), "aaa");
}

Test(suggest, a_name_is_never_suggested_for_its_opposite)
{
	static const char *const choices[] = { "register", "legend", "no-pager", "assign", "name" };

	cr_assert_null(suggest_nearest("unregister", choices, 5));
	cr_assert_null(suggest_nearest("unregistr", choices, 5));
	cr_assert_null(suggest_nearest("no-legend", choices, 5));
	cr_assert_null(suggest_nearest("pager", choices, 5));
	cr_assert_null(suggest_nearest("UnAssign", choices, 5));
	cr_assert_str_eq(suggest_nearest("nome", choices, 5), "name", "a mistake is no negation");
	cr_assert_str_eq(suggest_nearest("no-pgaer", choices, 5), "no-pager");
}

Test(suggest, a_very_long_word_has_none)
{
	char word[10000];

	memset(word, 'l', sizeof(word));
	word[sizeof(word) - 1] = '\0';
	expect_suggestion(word, NULL);
	cr_assert_null(suggest_nearest("list", commands, 0));
}
