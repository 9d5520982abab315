/* SPDX-License-Identifier: MIT */
/* The users that may ask where a VM is: the display clients that it has or had on this host. */
#include <criterion/criterion.h>
#include <string.h>

#include "daemon/fleet/model/viewers.h"
#include "proto/macros.h"

static Viewers viewers;
static FleetLocalVm vm;
static const FleetFacts facts = { .is_known = true, .vms = &vm, .vm_count = 1 };

static void begin(void)
{
	viewers_init(&viewers);
	vm = (FleetLocalVm){ .user_count = 0 };
}

static void end(void)
{
	viewers_deinit(&viewers);
}

TestSuite(fleet_viewers, .init = begin, .fini = end);

static void note(unsigned int number, char *one, char *other)
{
	char *users[] = { one, other };

	memcpy(vm.guid.bytes, &number, sizeof(number));
	vm.users = users;
	vm.user_count = (size_t)(one != NULL) + (other != NULL);
	viewers_note(&viewers, &facts);
}

static bool contain(unsigned int number, const char *uid, const char *name)
{
	Guid guid = { 0 };

	memcpy(guid.bytes, &number, sizeof(number));
	return viewers_contain(&viewers, &guid, uid, name);
}

Test(fleet_viewers, users_are_found_by_name_and_uid)
{
	note(1, "alice", "1001");
	cr_assert(contain(1, "1000", "alice"));
	cr_assert(contain(1, "1001", "bob"));
	cr_assert(contain(1, "1001", NULL));
	cr_assert_not(contain(1, "1000", NULL));
	cr_assert_not(contain(1, "1002", "carol"));
	cr_assert_not(contain(2, "1000", "alice"));
}

Test(fleet_viewers, the_last_users_count)
{
	note(1, "alice", NULL);
	note(1, "alice", NULL);
	cr_assert_eq(viewers.count, 1);
	note(1, "bob", NULL);
	cr_assert_not(contain(1, "1000", "alice"));
	cr_assert(contain(1, "1001", "bob"));
	note(1, NULL, NULL);
	cr_assert_not(contain(1, "1001", "bob"));
}

Test(fleet_viewers, the_vm_that_was_seen_first_is_forgotten_first)
{
	for (unsigned int i = 0; i < VIEWERS_VMS_MAX; i++)
		note(i, "alice", NULL);
	note(0, "alice", NULL);
	note(VIEWERS_VMS_MAX, "alice", NULL);
	cr_assert_eq(viewers.count, VIEWERS_VMS_MAX);
	cr_assert(contain(0, "1000", "alice"));
	cr_assert_not(contain(1, "1000", "alice"));
}
