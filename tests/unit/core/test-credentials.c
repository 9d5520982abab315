/* SPDX-License-Identifier: MIT */
/*
 * Checks the comparison of privileges field by field: if exactly one field differs, the result
 * names that field.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/credentials.h"
#include "tests/support/fake-host.h"

TestSuite(credentials);

static Credentials make(void)
{
	gid_t *ids = malloc(4 * sizeof(*ids));
	Credentials credentials = {
		.user_namespace = { .device = 4, .inode = 7 },
		.permitted = 0x5,
		.effective = 0x1,
		.label = strdup("unconfined"),
		.stacked_labels = strdup("one two"),
	};

	memcpy(ids, (gid_t[]){ 44, 27, 1000 }, 3 * sizeof(*ids));
	for (int kind = 0; kind < ID_MAX; kind++)
		credentials.uids[kind] = credentials.gids[kind] = 1000;
	credentials.groups = groups_take(ids, 3, 1000);
	return credentials;
}

static void set_groups(Credentials *credentials, size_t count, const gid_t *groups, gid_t primary)
{
	gid_t *ids = malloc((count + 1) * sizeof(*ids));

	if (count > 0)
		memcpy(ids, groups, count * sizeof(*ids));
	groups_deinit(&credentials->groups);
	credentials->groups = groups_take(ids, count, primary);
}

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = value ? strdup(value) : NULL;
}

/*
 * Changes exactly one field. Returns the difference expected if the display client is a process,
 * and stores in *user the one expected if it is a user.
 */
static Difference change(Credentials *c, int field, Difference *user)
{
	*user = DIFFERENCE_NONE;
	switch (field) {
	case 0:
		c->user_namespace.inode++;
		return *user = DIFFERENCE_USER_NAMESPACE;
	case 1:
		c->user_namespace.device++;
		return *user = DIFFERENCE_USER_NAMESPACE;
	case 2 ... 5:
		c->uids[field - 2] = 0;
		return *user = DIFFERENCE_UID;
	case 6 ... 9:
		c->gids[field - 6] = 0;
		return *user = DIFFERENCE_GID;
	case 10: /* one group more */
		set_groups(c, 3, (gid_t[]){ 27, 44, 45 }, 1000);
		return *user = DIFFERENCE_GROUPS;
	case 11: /* one group less */
		set_groups(c, 1, (gid_t[]){ 27 }, 1000);
		return *user = DIFFERENCE_GROUPS;
	case 12: /* a different group */
		set_groups(c, 2, (gid_t[]){ 27, 45 }, 1000);
		return *user = DIFFERENCE_GROUPS;
	case 13: /* only the primary group */
		set_groups(c, 0, NULL, 1000);
		return *user = DIFFERENCE_GROUPS;
	case 14:
		c->permitted |= 0x8;
		*user = DIFFERENCE_CAPABILITIES;
		return DIFFERENCE_CAPABILITIES;
	case 15:
		c->permitted = 0x1;
		*user = DIFFERENCE_CAPABILITIES;
		return DIFFERENCE_CAPABILITIES;
	case 16:
		c->effective = 0x5;
		*user = DIFFERENCE_CAPABILITIES;
		return DIFFERENCE_CAPABILITIES;
	case 17:
		c->effective = 0;
		*user = DIFFERENCE_CAPABILITIES;
		return DIFFERENCE_CAPABILITIES;
	case 18:
		set_text(&c->label, "confined");
		return DIFFERENCE_LABEL;
	case 19:
		set_text(&c->label, "");
		return DIFFERENCE_LABEL;
	case 20:
		set_text(&c->stacked_labels, "one");
		return DIFFERENCE_LABEL;
	case 21:
		set_text(&c->label, NULL);
		return DIFFERENCE_UNREADABLE;
	case 22:
		set_text(&c->stacked_labels, NULL);
		return DIFFERENCE_UNREADABLE;
	default:
		return DIFFERENCE_MAX;
	}
}

Test(credentials, one_field_differs_and_is_named)
{
	Credentials client = make();

	cr_assert_eq(credentials_compare(&client, &client), DIFFERENCE_NONE);
	for (int field = 0; field < 23; field++)
		for (int swapped = 0; swapped < 2; swapped++) {
			Credentials caller = make();
			Difference ignored, expected = change(&caller, field, &ignored);

			cr_assert_lt(expected, DIFFERENCE_MAX);
			cr_assert_eq(swapped ? credentials_compare(&client, &caller)
					     : credentials_compare(&caller, &client),
				     expected, "field %d, swapped %d", field, swapped);
			credentials_deinit(&caller);
		}
	credentials_deinit(&client);
}

Test(credentials, a_user_as_client_compares_no_labels)
{
	Credentials user = make();

	user.permitted = user.effective = 0;
	set_text(&user.label, "");
	set_text(&user.stacked_labels, "");
	for (int field = -1; field < 23; field++) {
		Credentials caller = make();
		Difference expected = DIFFERENCE_NONE;

		caller.permitted = caller.effective = 0;
		change(&caller, field, &expected);
		/* Only the last row that removes capabilities leaves none at all. */
		if (field == 17)
			expected = DIFFERENCE_NONE;
		cr_assert_eq(credentials_compare_user(&caller, &user), expected, "field %d", field);
		credentials_deinit(&caller);
	}
	credentials_deinit(&user);
}

Test(credentials, wake_alarm_is_ignored_only_for_users)
{
	Credentials client = make(), caller = make();

	client.permitted = client.effective = caller.permitted = caller.effective = 0;
	for (int bit = 0; bit < 64; bit++)
		for (int which = 1; which < 4; which++) {
			uint64_t capability = UINT64_C(1) << bit;

			caller.permitted = which & 1 ? capability : 0;
			caller.effective = which & 2 ? capability : 0;
			cr_assert_eq(credentials_compare_user(&caller, &client),
				     bit == 35 ? DIFFERENCE_NONE : DIFFERENCE_CAPABILITIES);
			cr_assert_eq(credentials_compare(&caller, &client),
				     DIFFERENCE_CAPABILITIES);
		}
	credentials_deinit(&client);
	credentials_deinit(&caller);
}

/* The ids 65534 and -1 do not even match themselves. */
Test(credentials, unmapped_ids_match_nothing)
{
	static const uint32_t odd[] = { 65534, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		for (int field = 0; field < 2 * ID_MAX + 1; field++) {
			Credentials both = make();
			Difference expected = DIFFERENCE_GROUPS;

			both.permitted = both.effective = 0;
			if (field < ID_MAX) {
				both.uids[field] = odd[i];
				expected = DIFFERENCE_UID;
			} else if (field < 2 * ID_MAX) {
				both.gids[field - ID_MAX] = odd[i];
				expected = DIFFERENCE_GID;
			} else {
				set_groups(&both, 1, &odd[i], 1000);
			}
			cr_assert_not(credentials_are_mapped(&both));
			cr_assert_eq(credentials_compare(&both, &both), expected, "%u in %d",
				     odd[i], field);
			cr_assert_eq(credentials_compare_user(&both, &both), expected);
			credentials_deinit(&both);
		}
	Credentials mapped = make();
	cr_assert(credentials_are_mapped(&mapped));
	credentials_deinit(&mapped);
}

static ConnectionCredentials connect_as(const Credentials *credentials)
{
	ConnectionCredentials made, borrowed = {
		.uid = credentials->uids[ID_EFFECTIVE],
		.gid = credentials->gids[ID_EFFECTIVE],
		.groups = credentials->groups,
		.label = credentials->label,
	};

	cr_assert(connection_credentials_copy(&borrowed, &made));
	return made;
}

Test(credentials, comparison_with_connection_credentials)
{
	Credentials client = make();

	for (int field = 0; field < 12; field++)
		for (int with_label = 0; with_label < 2; with_label++) {
			Credentials now = make();
			Difference expected = DIFFERENCE_NONE;
			ConnectionCredentials caller;

			if (field == 1)
				now.uids[ID_EFFECTIVE] = 0, expected = DIFFERENCE_UID;
			else if (field == 2)
				now.gids[ID_EFFECTIVE] = 0, expected = DIFFERENCE_GID;
			else if (field == 3)
				set_groups(&now, 3, (gid_t[]){ 27, 44, 45 }, 1000),
					expected = DIFFERENCE_GROUPS;
			else if (field == 4)
				set_groups(&now, 0, NULL, 1000), expected = DIFFERENCE_GROUPS;
			else if (field == 5)
				set_text(&now.label, "confined"),
					expected = with_label ? DIFFERENCE_LABEL : DIFFERENCE_NONE;
			else if (field == 6) /* the kernel records no label for connections */
				set_text(&now.label, NULL);
			else if (field == 7) /* a connection records only effective ids */
				now.uids[ID_REAL] = now.uids[ID_SAVED] = 0;
			caller = connect_as(&now);
			cr_assert_eq(connection_credentials_compare(&caller, &client, with_label),
				     expected, "field %d, with label %d", field, with_label);
			connection_credentials_deinit(&caller);
			credentials_deinit(&now);
		}
	credentials_deinit(&client);
}

Test(credentials, an_unmapped_connection_matches_nothing)
{
	static const uint32_t odd[] = { 65534, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		for (int field = 0; field < 3; field++) {
			Credentials client = make();

			if (field == 0)
				client.uids[ID_EFFECTIVE] = odd[i];
			else if (field == 1)
				client.gids[ID_EFFECTIVE] = odd[i];
			else
				set_groups(&client, 1, &odd[i], 1000);
			ConnectionCredentials caller = connect_as(&client);
			cr_assert_neq(connection_credentials_compare(&caller, &client, true),
				      DIFFERENCE_NONE, "%u in %d", odd[i], field);
			connection_credentials_deinit(&caller);
			credentials_deinit(&client);
		}
}

Test(credentials, groups_are_a_set_including_the_primary)
{
	gid_t *ids = malloc(7 * sizeof(*ids));

	memcpy(ids, (gid_t[]){ 9, 3, 9, 1, 3, 3 }, 6 * sizeof(*ids));
	Groups groups = groups_take(ids, 6, 5);
	cr_assert_eq(groups.count, 4u);
	cr_assert_eq(memcmp(groups.ids, (gid_t[]){ 1, 3, 5, 9 }, 4 * sizeof(gid_t)), 0);
	for (gid_t gid = 0; gid < 12; gid++)
		cr_assert_eq(groups_contain(&groups, gid),
			     gid == 1 || gid == 3 || gid == 5 || gid == 9);
	groups_deinit(&groups);
	cr_assert_not(groups_contain(&groups, 5), "an empty set");
	groups = groups_take(malloc(sizeof(gid_t)), 0, UINT32_MAX);
	cr_assert_eq(groups.count, 1u);
	groups_deinit(&groups);
}

Test(credentials, a_copy_is_equal_and_independent)
{
	Credentials original = make(), copy;
	ConnectionCredentials connection = connect_as(&original), second;

	cr_assert(credentials_copy(&original, &copy));
	cr_assert_eq(credentials_compare(&copy, &original), DIFFERENCE_NONE);
	cr_assert(connection_credentials_copy(&connection, &second));
	cr_assert_eq(connection_credentials_compare(&second, &original, true), DIFFERENCE_NONE);
	credentials_deinit(&original);
	connection_credentials_deinit(&connection);
	cr_assert_str_eq(copy.label, "unconfined");
	cr_assert_str_eq(second.label, "unconfined");
	cr_assert_eq(second.groups.count, 3u);
	credentials_deinit(&copy);
	connection_credentials_deinit(&second);
	credentials_deinit(&copy); /* a second time has no effect */
}

Test(credentials, own_processes_have_equal_uids_and_no_more_capabilities)
{
	for (int field = 0; field < 23; field++) {
		Credentials owner = make(), process = make();
		Difference ignored;
		/*
		 * Uids and namespace must be equal, and no capability added; the rest may differ.
		 */
		bool own = field >= 6 && field != 14;

		change(&process, field, &ignored);
		cr_assert_eq(credentials_are_own(&process, &owner), own, "field %d", field);
		credentials_deinit(&owner);
		credentials_deinit(&process);
	}
}

Test(credentials, each_difference_has_a_distinct_name)
{
	cr_assert_null(difference_name(DIFFERENCE_NONE));
	for (int a = DIFFERENCE_USER_NAMESPACE; a < DIFFERENCE_MAX; a++)
		for (int b = a + 1; b < DIFFERENCE_MAX; b++)
			cr_assert_str_neq(difference_name((Difference)a),
					  difference_name((Difference)b));
}
