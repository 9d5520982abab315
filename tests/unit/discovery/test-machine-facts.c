/* SPDX-License-Identifier: MIT */
/* Tests which machines of systemd-machined are VMs, and by what name and leader. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/discovery/machine-table.h"
#include "proto/macros.h"

static const uint8_t id[16] = { 0xaf, 0x0d, 0xcd, 0x1a, 0xa0, 0xfd, 0x59, 0xa0,
				0x99, 0x8e, 0xca, 0xd0, 0xc3, 0x83, 0x4a, 0x2c };
static const uint8_t nil[17];

/* The facts of a machine, in the order of the structure. */
#define VM(leader) (&(MachineFacts){ "vm", id, sizeof(id), (leader), 0, 0 })

Test(machine_facts, a_machine_with_an_id_and_a_leader_is_a_vm)
{
	const MachineFacts facts = { "vm", id, sizeof(id), 200, 5, 0 };
	FoundMachine machine;
	char guid[GUID_TEXT_LENGTH + 1];

	cr_assert_eq(machine_recognise(&facts, &machine), MACHINE_IS_VM);
	cr_assert_str_eq(guid_format(&machine.guid, guid), "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c");
	cr_assert_eq(machine.leader, 200);
	cr_assert_eq(machine.created, 5u);
}

Test(machine_facts, other_machines_are_left_alone)
{
	static const struct {
		MachineFacts facts;
		MachineVerdict verdict;
	} cases[] = {
		{ { NULL, id, 16, 200, 0, 0 }, MACHINE_IS_OTHER },
		{ { "container", id, 16, 200, 0, 0 }, MACHINE_IS_OTHER },
		{ { "vms", id, 16, 200, 0, 0 }, MACHINE_IS_OTHER },
		{ { "vm", id, 16, 200, 0, 1000 }, MACHINE_IS_USERS },
		{ { "vm", NULL, 0, 200, 0, 0 }, MACHINE_HAS_NO_ID },
		{ { "vm", id, 15, 200, 0, 0 }, MACHINE_HAS_NO_ID },
		{ { "vm", nil, 17, 200, 0, 0 }, MACHINE_HAS_NO_ID },
		{ { "vm", nil, 16, 200, 0, 0 }, MACHINE_HAS_NO_ID },
		{ { "vm", id, 16, 0, 0, 0 }, MACHINE_HAS_NO_LEADER },
		{ { "vm", id, 16, 1, 0, 0 }, MACHINE_HAS_NO_LEADER },
		{ { "vm", id, 16, 0x80000000, 0, 0 }, MACHINE_HAS_NO_LEADER },
	};
	FoundMachine machine = { .leader = 7 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert_eq(machine_recognise(&cases[i].facts, &machine), cases[i].verdict,
			     "case %zu", i);
		cr_assert_eq(machine.leader, 7, "case %zu changes the result", i);
		cr_assert_gt(strlen(machine_verdict_text(cases[i].verdict)), 0u);
	}
}

Test(machine_facts, the_domains_own_part_of_the_name_is_shown)
{
	static const char *const cases[][2] = {
		{ "qemu-1-guest", "guest" },
		{ "qemu-12-a-2-b", "a-2-b" },
		{ "qemu-1-qemu-2-x", "qemu-2-x" },
		{ "qemu-1-", "qemu-1-" },
		{ "qemu--guest", "qemu--guest" },
		{ "qemu-x-guest", "qemu-x-guest" },
		{ "qemu-1guest", "qemu-1guest" },
		{ "guest", "guest" },
		{ "qemu-", "qemu-" },
		{ "qemu", "qemu" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_str_eq(machine_own_name(cases[i][0]), cases[i][1]);
}

Test(machine_facts, names_have_no_character_that_a_terminal_acts_on)
{
	char longest[MACHINE_NAME_SIZE + 1];

	memset(longest, 'a', sizeof(longest));
	longest[MACHINE_NAME_SIZE] = '\0';
	cr_assert_not(machine_name_is_valid(longest));
	longest[MACHINE_NAME_SIZE - 1] = '\0';
	cr_assert(machine_name_is_valid(longest));
	cr_assert(machine_name_is_valid("Guest_2.example-1"));
	cr_assert_not(machine_name_is_valid(""));
	cr_assert_not(machine_name_is_valid("a\033[2J"));
	cr_assert_not(machine_name_is_valid("a b"));
	cr_assert_not(machine_name_is_valid("gu\303\266st"));
}

/* The leader ran when the machine was created. A process that is younger has only its pid. */
Test(machine_facts, a_younger_process_is_not_the_leader)
{
	const FoundMachine machine = { .created = 10000000 };
	const FoundMachine undated = { .created = 0 };
	const uint64_t now = 15000000;

	cr_assert(machine_leader_is_old_enough(&machine, 6000000, now));
	cr_assert(machine_leader_is_old_enough(&machine, 5000000, now));
	cr_assert(machine_leader_is_old_enough(&machine, 4990000, now)); /* of one clock tick */
	cr_assert_not(machine_leader_is_old_enough(&machine, 4900000, now));
	cr_assert_not(machine_leader_is_old_enough(&machine, 0, now));
	cr_assert(machine_leader_is_old_enough(&undated, 0, now));
	cr_assert(machine_leader_is_old_enough(&machine, 0, 9000000));
}

/* --- the table ------------------------------------------------------------------------------- */

static MachineTable table;

static void set_up(void)
{
	machine_table_init(&table);
}

static void tear_down(void)
{
	machine_table_deinit(&table);
}

TestSuite(machine_table, .init = set_up, .fini = tear_down);

static void list(const char *name, const char *class)
{
	machine_table_begin(&table);
	machine_table_list(&table, name, class, "/machine/x");
	machine_table_end(&table);
}

static KnownMachine *only(void)
{
	KnownMachine *machine = machine_table_first(&table);

	cr_assert_not_null(machine);
	cr_assert_null(machine_table_next(machine));
	return machine;
}

Test(machine_table, only_vms_are_asked_and_each_once)
{
	list("box", "container");
	cr_assert_null(machine_table_ask(&table));
	cr_assert_eq(only()->verdict, MACHINE_IS_OTHER);
	list("guest", "vm");
	cr_assert_eq(machine_table_ask(&table), only());
	cr_assert_null(machine_table_ask(&table));
	cr_assert_not(machine_table_is_complete(&table));
	machine_table_answer(&table, "guest", VM(200));
	cr_assert(machine_table_is_complete(&table));
	list("guest", "vm");
	cr_assert_null(machine_table_ask(&table));
	cr_assert_eq(machine_table_find(&table, &only()->found.guid), only());
}

Test(machine_table, an_answer_that_is_outdated_is_asked_again)
{
	list("guest", "vm");
	machine_table_ask(&table);
	machine_table_renewed(&table, "guest");
	machine_table_answer(&table, "guest", VM(200));
	cr_assert_not(only()->is_answered);
	cr_assert_eq(machine_table_ask(&table), only());
	machine_table_answer(&table, "guest", VM(300));
	cr_assert_eq(only()->found.leader, 300);
	machine_table_outdated(&table);
	cr_assert_eq(machine_table_ask(&table), only());
	machine_table_answer(&table, "guest", NULL);
	cr_assert_eq(only()->found.leader, 300, "what was known stays if machined refuses");
}

Test(machine_table, odd_names_are_left_alone_and_shown_safely)
{
	list("gu\033[2Jest", "vm");
	cr_assert_null(machine_table_ask(&table));
	cr_assert_eq(only()->verdict, MACHINE_HAS_ODD_NAME);
	cr_assert_str_eq(only()->name, "gu??2Jest");
}

Test(machine_table, a_machine_is_mentioned_again_only_if_the_reason_changes)
{
	list("guest", "vm");
	machine_table_ask(&table);
	machine_table_answer(&table, "guest", VM(0));
	only()->is_mentioned = true;
	machine_table_outdated(&table);
	machine_table_ask(&table);
	machine_table_answer(&table, "guest", VM(0));
	cr_assert(only()->is_mentioned);
	machine_table_outdated(&table);
	machine_table_ask(&table);
	machine_table_answer(&table, "guest", &(MachineFacts){ "vm", NULL, 0, 200, 0, 0 });
	cr_assert_not(only()->is_mentioned);
}

Test(machine_table, a_flood_of_machines_has_a_bound)
{
	char name[32];

	machine_table_begin(&table);
	for (int i = 0; i < MACHINES_MAX + 3; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		machine_table_list(&table, name, "vm", "/machine/x");
	}
	machine_table_end(&table);
	cr_assert_eq(table.count, (size_t)MACHINES_MAX);
	cr_assert_eq(table.left_out, 3u);
	list("guest", "vm");
	cr_assert_eq(table.count, 1u);
	cr_assert_eq(table.left_out, 0u);
}

Test(machine_table, containers_take_no_place_of_a_vm)
{
	char name[32];

	machine_table_begin(&table);
	for (int i = 0; i < MACHINES_MAX + 3; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		machine_table_list(&table, name, "container", "/machine/x");
	}
	machine_table_list(&table, "guest", "vm", "/machine/x");
	machine_table_end(&table);
	cr_assert_eq(table.left_out, 0u);
	cr_assert_str_eq(machine_table_ask(&table)->name, "guest");
	cr_assert_lt(table.count, (size_t)MACHINES_MAX);
}

Test(machine_table, a_name_may_become_that_of_a_container_and_of_a_vm_again)
{
	Guid guid;

	for (int i = 0; i < 3; i++) {
		list("guest", "vm");
		machine_table_ask(&table);
		machine_table_answer(&table, "guest", VM(200));
		guid = only()->found.guid;
		cr_assert_eq(machine_table_find(&table, &guid), only());
		list("guest", "container");
		cr_assert_eq(only()->verdict, MACHINE_IS_OTHER);
		cr_assert_eq(table.others, 1u);
		cr_assert_null(machine_table_find(&table, &guid));
	}
}

/* The first one by name counts if several have the GUID, in whatever order they come. */
Test(machine_table, machines_are_found_by_guid)
{
	static const char *const names[] = { "b", "a", "c" };
	Guid guid;

	memcpy(guid.bytes, id, sizeof(id));
	machine_table_begin(&table);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		machine_table_list(&table, names[i], "vm", "/machine/x");
	machine_table_end(&table);
	while (machine_table_ask(&table))
		;
	cr_assert_null(machine_table_find(&table, &guid));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		machine_table_answer(&table, names[i], VM(200));
	cr_assert_str_eq(machine_table_find(&table, &guid)->name, "a");
	machine_table_outdated(&table);
	while (machine_table_ask(&table))
		;
	machine_table_answer(&table, "a", VM(0));
	cr_assert_str_eq(machine_table_find(&table, &guid)->name, "b");
	machine_table_begin(&table);
	machine_table_list(&table, "c", "vm", "/machine/x");
	machine_table_end(&table);
	cr_assert_str_eq(machine_table_find(&table, &guid)->name, "c");
	guid.bytes[15] ^= 1;
	cr_assert_null(machine_table_find(&table, &guid));
}
