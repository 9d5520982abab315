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

#define NOBODY 0

/* The test's users are not root. */
static void note(unsigned int number, uid_t one, uid_t other)
{
	uid_t users[] = { one, other };

	memcpy(vm.guid.bytes, &number, sizeof(number));
	vm.users = users;
	vm.user_count = (size_t)(one != NOBODY) + (other != NOBODY);
	viewers_note(&viewers, &facts);
}

static bool contain(unsigned int number, uid_t uid)
{
	Guid guid = { 0 };

	memcpy(guid.bytes, &number, sizeof(number));
	return viewers_contain(&viewers, &guid, uid);
}

Test(fleet_viewers, users_are_found_by_uid)
{
	note(1, 1000, 1001);
	cr_assert(contain(1, 1000));
	cr_assert(contain(1, 1001));
	cr_assert_not(contain(1, 1002));
	cr_assert_not(contain(2, 1000));
}

Test(fleet_viewers, the_last_users_count)
{
	note(1, 1000, NOBODY);
	note(1, 1000, NOBODY);
	cr_assert_eq(viewers.count, 1);
	note(1, 1001, NOBODY);
	cr_assert_not(contain(1, 1000));
	cr_assert(contain(1, 1001));
	note(1, NOBODY, NOBODY);
	cr_assert_not(contain(1, 1001));
}

Test(fleet_viewers, the_vm_that_was_seen_first_is_forgotten_first)
{
	for (unsigned int i = 0; i < VIEWERS_VMS_MAX; i++)
		note(i, 1000, NOBODY);
	note(0, 1000, NOBODY);
	note(VIEWERS_VMS_MAX, 1000, NOBODY);
	cr_assert_eq(viewers.count, VIEWERS_VMS_MAX);
	cr_assert(contain(0, 1000));
	cr_assert_not(contain(1, 1000));
}

#define HOST "01000000000000000000000000000000"

/* The name of a VM is the one that the fleet shows, and only the user's own VMs are looked at. */
Test(fleet_viewers, a_name_is_found_among_the_users_vms)
{
	FleetIndex index;
	HostId self;

	cr_assert(host_id_parse(HOST, &self));
	cr_assert(fleet_index_init(&index, &self));
	fleet_index_put(&index, "vms/01000000-0000-0000-0000-000000000000/" HOST,
			"{\"name\":\"web\"}", 1, 1);
	fleet_index_put(&index, "where/02000000-0000-0000-0000-000000000000",
			"{\"virtualMachineName\":\"mail\"}", 2, 1);
	note(0x01, 1000, NOBODY);
	note(0x02, 1001, NOBODY);
	cr_assert(viewers_contain_name(&viewers, &index, "web", 1000));
	cr_assert_not(viewers_contain_name(&viewers, &index, "web", 1001));
	cr_assert(viewers_contain_name(&viewers, &index, "mail", 1001));
	cr_assert_not(viewers_contain_name(&viewers, &index, "", 1000));
	cr_assert_not(viewers_contain_name(&viewers, &index, "none", 1000));
	fleet_index_deinit(&index);
}
