/* SPDX-License-Identifier: MIT */
/* Tests which names are suggested for misspelt ones. */
#include <criterion/criterion.h>

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
