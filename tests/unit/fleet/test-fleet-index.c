/* SPDX-License-Identifier: MIT */
/* The index after snapshots, changes, late messages and foreign keys. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/model/index.h"
#include "daemon/fleet/model/place.h"
#include "proto/macros.h"

#define VM_1       "01000000-0000-0000-0000-000000000000"
#define VM_2       "02000000-0000-0000-0000-000000000000"
#define HOST_1     "01000000000000000000000000000000"
#define HOST_2     "02000000000000000000000000000000"
#define HOST_3     "03000000000000000000000000000000"
#define HERE(host) "{\"host\":\"" host "\"}"

static FleetIndex index_of;

static void begin(void)
{
	HostId self;

	cr_assert(host_id_parse(HOST_1, &self));
	cr_assert(fleet_index_init(&index_of, &self));
}

static void end(void)
{
	fleet_index_deinit(&index_of);
}

TestSuite(fleet_index, .init = begin, .fini = end);

static void put(const char *key, const char *value, int64_t revision, uint64_t now)
{
	fleet_index_put(&index_of, key, value, revision, now);
}

static const FleetEntry *find(const char *text)
{
	FleetKey key;

	cr_assert(fleet_key_parse(text, &key));
	return fleet_index_find(&index_of, &key);
}

Test(fleet_index, foreign_and_malformed_keys_are_counted)
{
	put("other", "{}", 1, 1);
	put("hosts/x", "{}", 2, 1);
	cr_assert_eq(index_of.ignored, 2);
	put("hosts/" HOST_1, "[]", 3, 1);
	cr_assert_eq(index_of.ignored, 3);
	cr_assert_null(find("hosts/" HOST_1));
}

Test(fleet_index, a_malformed_value_replaces_an_earlier_one)
{
	put("hosts/" HOST_1, "{}", 1, 1);
	put("hosts/" HOST_1, "?", 2, 1);
	cr_assert_null(find("hosts/" HOST_1));
	cr_assert_eq(index_of.counts[FLEET_KEY_HOST], 0);
}

Test(fleet_index, a_malformed_quarantine_is_one)
{
	put("quarantine/" VM_1, "?", 1, 1);
	cr_assert_not_null(find("quarantine/" VM_1));
	cr_assert_str_eq(find("quarantine/" VM_1)->value.quarantine.reason, "");
}

Test(fleet_index, a_malformed_where_names_nobody_and_keeps_its_epoch)
{
	put("where/" VM_1, "?", 7, 1);
	cr_assert(host_id_is_nil(&find("where/" VM_1)->value.where.host));
	cr_assert_eq(find("where/" VM_1)->mod_revision, 7);
}

Test(fleet_index, late_changes_are_ignored)
{
	put("hosts/" HOST_2, "{\"name\":\"new\"}", 5, 1);
	put("hosts/" HOST_2, "{\"name\":\"old\"}", 4, 1);
	cr_assert_str_eq(find("hosts/" HOST_2)->value.host.name, "new");
	fleet_index_delete(&index_of, "hosts/" HOST_2, 4, 1);
	cr_assert_not_null(find("hosts/" HOST_2));
	fleet_index_delete(&index_of, "hosts/" HOST_2, 6, 1);
	cr_assert_null(find("hosts/" HOST_2));
	fleet_index_delete(&index_of, "hosts/" HOST_2, 7, 1);
}

Test(fleet_index, a_snapshot_ends_what_it_lacks)
{
	put("hosts/" HOST_1, "{}", 1, 1);
	put("hosts/" HOST_2, "{}", 2, 1);
	fleet_index_begin_snapshot(&index_of);
	put("hosts/" HOST_2, "{}", 2, 1);
	put("hosts/" HOST_3, "{}", 9, 1);
	fleet_index_end_snapshot(&index_of, 12, 1);
	cr_assert_null(find("hosts/" HOST_1));
	cr_assert_not_null(find("hosts/" HOST_2));
	cr_assert_not_null(find("hosts/" HOST_3));
	cr_assert_eq(index_of.revision, 12);
	cr_assert_eq(index_of.counts[FLEET_KEY_HOST], 2);
}

Test(fleet_index, a_restored_etcd_has_lower_revisions)
{
	put("quarantine/" VM_1, "{\"reason\":\"new\"}", 50, 1);
	fleet_index_begin_snapshot(&index_of);
	put("quarantine/" VM_1, "{\"reason\":\"old\"}", 7, 1);
	fleet_index_end_snapshot(&index_of, 9, 1);
	cr_assert_not_null(find("quarantine/" VM_1));
	cr_assert_str_eq(find("quarantine/" VM_1)->value.quarantine.reason, "old");
	put("quarantine/" VM_1, "{\"reason\":\"older\"}", 6, 1);
	cr_assert_str_eq(find("quarantine/" VM_1)->value.quarantine.reason, "old");
}

Test(fleet_index, keys_of_a_kind_have_a_bound)
{
	char key[64];

	for (unsigned int i = 1; i <= FLEET_ENTRIES_MAX; i++) {
		snprintf(key, sizeof(key), "hosts/%032x", i);
		put(key, "{}", i, 1);
	}
	cr_assert(!index_of.has_overflown);
	put("hosts/" HOST_2, "{}", 100000, 1);
	put("where/" VM_1, HERE(HOST_2), 100001, 1);
	cr_assert_null(find("hosts/" HOST_2));
	cr_assert_not_null(find("where/" VM_1));
	cr_assert(index_of.has_overflown);
	cr_assert_eq(index_of.counts[FLEET_KEY_HOST], FLEET_ENTRIES_MAX);
}

Test(fleet_index, unreachable_since)
{
	put("where/" VM_1, HERE(HOST_2), 1, 100);
	cr_assert_eq(find("where/" VM_1)->unreachable_since, 100);
	put("vms/" VM_1 "/" HOST_2, "{}", 2, 200);
	cr_assert_eq(find("where/" VM_1)->unreachable_since, 0);
	fleet_index_delete(&index_of, "vms/" VM_1 "/" HOST_2, 3, 300);
	cr_assert_eq(find("where/" VM_1)->unreachable_since, 300);
	put("vms/" VM_1 "/" HOST_3, "{}", 4, 400);
	cr_assert_eq(find("where/" VM_1)->unreachable_since, 300);
	put("where/" VM_1, HERE(HOST_3), 5, 500);
	cr_assert_eq(find("where/" VM_1)->unreachable_since, 0);
}

Test(fleet_index, unreachable_since_survives_a_snapshot)
{
	put("where/" VM_1, HERE(HOST_2), 1, 100);
	fleet_index_begin_snapshot(&index_of);
	put("where/" VM_1, HERE(HOST_2), 1, 900);
	fleet_index_end_snapshot(&index_of, 5, 900);
	cr_assert_eq(find("where/" VM_1)->unreachable_since, 100);
}

Test(fleet_index, another_unreachable_host_begins_its_own_time)
{
	put("where/" VM_1, HERE(HOST_2), 1, 100);
	put("where/" VM_1, HERE(HOST_3), 2, 200);
	cr_assert_eq(find("where/" VM_1)->unreachable_since, 200);
}

static size_t count_own(void)
{
	const FleetEntry *entry;
	size_t count = 0;

	TAILQ_FOREACH (entry, &index_of.own, own)
		count++;
	return count;
}

Test(fleet_index, own_keys)
{
	put("hosts/" HOST_1, "{}", 1, 1);
	put("hosts/" HOST_2, "{}", 2, 1);
	put("vms/" VM_1 "/" HOST_1, "{}", 3, 1);
	put("vms/" VM_1 "/" HOST_2, "{}", 4, 1);
	put("gpus/" HOST_1 "/a", "{}", 5, 1);
	put("where/" VM_1, HERE(HOST_1), 6, 1);
	put("where/" VM_2, HERE(HOST_2), 7, 1);
	put("quarantine/" VM_1, "{}", 8, 1);
	cr_assert_eq(count_own(), 4);
	put("where/" VM_1, HERE(HOST_2), 9, 1);
	cr_assert_eq(count_own(), 3);
}

Test(fleet_index, reach)
{
	cr_assert(!fleet_index_is_current(&index_of));
	fleet_index_reach(&index_of, true, NULL, 5);
	cr_assert(fleet_index_is_current(&index_of));
	fleet_index_reach(&index_of, false, "no endpoint answers", 9);
	cr_assert(!fleet_index_is_current(&index_of));
	cr_assert_str_eq(index_of.why, "no endpoint answers");
	cr_assert_eq(index_of.since, 9);
}

Test(fleet_index, names)
{
	Guid vm, expected;

	put("vms/" VM_1 "/" HOST_1, "{\"name\":\"web\"}", 1, 1);
	put("vms/" VM_1 "/" HOST_2, "{\"name\":\"web\"}", 2, 1);
	put("where/" VM_1, "{\"virtualMachineName\":\"web\"}", 3, 1);
	put("where/" VM_2, "{\"virtualMachineName\":\"gone\"}", 4, 1);
	cr_assert_eq(fleet_index_find_name(&index_of, "web", &vm), 1);
	cr_assert(guid_parse(VM_1, &expected));
	cr_assert_eq(guid_compare(&vm, &expected), 0);
	cr_assert_eq(fleet_index_find_name(&index_of, "gone", &vm), 1);
	cr_assert_eq(fleet_index_find_name(&index_of, "", &vm), 0);
	cr_assert_eq(fleet_index_find_name(&index_of, "we", &vm), 0);
	put("vms/" VM_2 "/" HOST_2, "{\"name\":\"web\"}", 5, 1);
	cr_assert_eq(fleet_index_find_name(&index_of, "web", &vm), 2);
}

/* --- place ----------------------------------------------------------------------------------- */

#define SOFTWARE "{\"source\":\"software\",\"capacity\":4096,\"takesAnyType\":true}"
#define CLIENT   "{\"source\":\"client\",\"capacity\":64,\"takesAnyType\":true}"

Test(fleet_index, place)
{
	static const struct {
		const char *name;
		uint64_t free;
		const char *why_not;
	} expected[] = {
		{ "most", 5, NULL },
		{ "a-few", 2, NULL },
		{ "b-few", 2, NULL },
		{ "mixed", 1, NULL },
		{ "away", 0, "vaild is away" },
		{ "bare", 0, "it has no GPU" },
		{ "busy", 0, "all its vGPUs of this type are in use" },
		{ "full", 0, "all its vGPUs of this type are in use" },
		{ "other", 0, "none of its GPUs is known to offer this type" },
		{ "software", 0, "it has no GPU" },
	};
	static const char *const keys[][2] = {
		{ "hosts/" HOST_1, "{\"name\":\"b-few\"}" },
		{ "gpus/" HOST_1 "/a", "{\"types\":[{\"name\":\"t\",\"free\":2}]}" },
		{ "hosts/" HOST_2, "{\"name\":\"a-few\"}" },
		{ "gpus/" HOST_2 "/a", "{\"capacity\":3,\"used\":1,\"takesAnyType\":true}" },
		{ "hosts/" HOST_3, "{\"name\":\"most\"}" },
		{ "gpus/" HOST_3 "/a", "{\"types\":[{\"name\":\"t\",\"free\":2}]}" },
		{ "gpus/" HOST_3 "/b", "{\"types\":[{\"name\":\"t\",\"free\":3}]}" },
		{ "hosts/04000000000000000000000000000000",
		  "{\"name\":\"away\",\"vaildIsAway\":true}" },
		{ "gpus/04000000000000000000000000000000/a",
		  "{\"types\":[{\"name\":\"t\",\"free\":9}]}" },
		{ "hosts/05000000000000000000000000000000", "{\"name\":\"bare\"}" },
		{ "hosts/06000000000000000000000000000000", "{\"name\":\"full\"}" },
		{ "gpus/06000000000000000000000000000000/a",
		  "{\"types\":[{\"name\":\"t\",\"free\":0}]}" },
		{ "hosts/07000000000000000000000000000000", "{\"name\":\"other\"}" },
		{ "gpus/07000000000000000000000000000000/a",
		  "{\"types\":[{\"name\":\"u\",\"free\":8}]}" },
		{ "gpus/07000000000000000000000000000000/software", SOFTWARE },
		{ "hosts/09000000000000000000000000000000", "{\"name\":\"software\"}" },
		{ "gpus/09000000000000000000000000000000/software", SOFTWARE },
		/* Devices that name the type count before adapters that take any. */
		{ "hosts/0a000000000000000000000000000000", "{\"name\":\"mixed\"}" },
		{ "gpus/0a000000000000000000000000000000/a",
		  "{\"types\":[{\"name\":\"t\",\"free\":1}]}" },
		{ "gpus/0a000000000000000000000000000000/client-1", CLIENT },
		{ "gpus/0a000000000000000000000000000000/software", SOFTWARE },
		{ "hosts/0b000000000000000000000000000000", "{\"name\":\"busy\"}" },
		{ "gpus/0b000000000000000000000000000000/a",
		  "{\"types\":[{\"name\":\"t\",\"free\":0}]}" },
		{ "gpus/0b000000000000000000000000000000/client-1", CLIENT },
		/* The adapter of a host that has no key any more. */
		{ "gpus/08000000000000000000000000000000/a",
		  "{\"types\":[{\"name\":\"t\",\"free\":8}]}" },
	};
	_cleanup_free_ FleetPlace *places = NULL;
	size_t count;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		put(keys[i][0], keys[i][1], (int64_t)i + 1, 1);
	cr_assert(fleet_place(&index_of, "t", &places, &count));
	cr_assert_eq(count, ARRAY_SIZE(expected));
	for (size_t i = 0; i < count; i++) {
		cr_assert_str_eq(places[i].host->value.host.name, expected[i].name);
		cr_assert_eq(places[i].free, expected[i].free, "%s", expected[i].name);
		cr_assert_eq(places[i].why_not == NULL, expected[i].why_not == NULL);
		if (expected[i].why_not)
			cr_assert_str_eq(places[i].why_not, expected[i].why_not);
	}
}

/* Puts the VMs with these numbers as those of a host. */
static void put_vms(const char *host, unsigned int first, unsigned int last)
{
	for (unsigned int i = first; i <= last; i++) {
		char key[128];

		snprintf(key, sizeof(key), "vms/%08x-0000-0000-0000-000000000000/%s", i, host);
		put(key, "{}", i, 1);
	}
}

Test(fleet_index, one_host_leaves_room_for_the_others)
{
	const unsigned int most = FLEET_ENTRIES_PER_HOST_MAX;

	put("gpus/" HOST_2 "/software", "{}", 1, 1);
	put_vms(HOST_2, 1, most - 1);
	cr_assert_not(index_of.has_crowded);
	put_vms(HOST_2, most, most);
	put("gpus/" HOST_2 "/client-1", "{}", most + 1, 1);
	cr_assert(index_of.has_crowded);
	cr_assert_eq(index_of.counts[FLEET_KEY_VM], most - 1);
	cr_assert_eq(index_of.counts[FLEET_KEY_GPU], 1);
	put_vms(HOST_3, 1, 1);
	cr_assert_eq(index_of.counts[FLEET_KEY_VM], most);
	fleet_index_delete(&index_of, "gpus/" HOST_2 "/software", most + 2, 1);
	put_vms(HOST_2, most, most);
	cr_assert_eq(index_of.counts[FLEET_KEY_VM], most + 1, "a key that goes makes room");
}

/* While etcd was away, the host has got other VMs. */
Test(fleet_index, what_a_snapshot_ends_takes_no_room)
{
	const unsigned int most = FLEET_ENTRIES_PER_HOST_MAX;

	put_vms(HOST_2, 1, most);
	fleet_index_begin_snapshot(&index_of);
	put_vms(HOST_2, most / 2 + 1, most / 2 + most);
	cr_assert_not(index_of.has_crowded);
	put_vms(HOST_2, 2 * most, 2 * most);
	cr_assert(index_of.has_crowded, "the snapshot itself has a bound");
	fleet_index_end_snapshot(&index_of, 2 * most, 1);
	cr_assert_eq(index_of.counts[FLEET_KEY_VM], most);
	put_vms(HOST_2, 2 * most, 2 * most);
	cr_assert_eq(index_of.counts[FLEET_KEY_VM], most);
}

/* A swept entry is no way around the bound. */
Test(fleet_index, keys_that_a_snapshot_shows_again_have_a_bound)
{
	const unsigned int most = FLEET_ENTRIES_PER_HOST_MAX;

	put_vms(HOST_2, 1, most);
	fleet_index_begin_snapshot(&index_of);
	put_vms(HOST_2, most + 1, 2 * most);
	put_vms(HOST_2, 1, most);
	fleet_index_end_snapshot(&index_of, 2 * most, 1);
	cr_assert(index_of.has_crowded);
	cr_assert_eq(index_of.counts[FLEET_KEY_VM], most);
}

Test(fleet_index, what_a_snapshot_ends_takes_no_room_of_its_kind)
{
	char key[64];

	for (unsigned int i = 1; i <= 2 * FLEET_ENTRIES_MAX; i++) {
		if (i == FLEET_ENTRIES_MAX + 1)
			fleet_index_begin_snapshot(&index_of);
		snprintf(key, sizeof(key), "hosts/%032x", i);
		put(key, "{}", i, 1);
	}
	fleet_index_end_snapshot(&index_of, 2 * FLEET_ENTRIES_MAX, 1);
	cr_assert_not(index_of.has_overflown);
	cr_assert_eq(index_of.counts[FLEET_KEY_HOST], FLEET_ENTRIES_MAX);
}

Test(fleet_index, own_keys_always_have_room)
{
	put_vms(HOST_1, 1, FLEET_ENTRIES_PER_HOST_MAX + 1);
	cr_assert_not(index_of.has_crowded);
	cr_assert_eq(index_of.counts[FLEET_KEY_VM], FLEET_ENTRIES_PER_HOST_MAX + 1);
}
