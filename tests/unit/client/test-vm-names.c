/* SPDX-License-Identifier: MIT */
/* Tests the texts that stand for VMs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/vailctl/vm-names.h"
#include "proto/macros.h"

TestSuite(vm_names);

#define FIRST  "0b5a4a2e-6f0e-4c55-9d3c-2a8f5f6f1c10"
#define SECOND "7c9e6679-7425-40de-944b-e07fc1f90ae7"
#define THIRD  "7c9e6679-aaaa-40de-944b-e07fc1f90ae7"

static void expect_label(const VmNames *names, const char *guid, const char *expected,
			 size_t expected_tail)
{
	size_t tail;
	_cleanup_free_ char *label = vm_names_label(names, guid, &tail);

	cr_expect_str_eq(label, expected);
	cr_expect_eq(tail, expected_tail, "%s", label);
}

Test(vm_names, label)
{
	_cleanup_(vm_names_deinit) VmNames names = { 0 };

	expect_label(&names, FIRST, FIRST, 36);
	cr_assert(vm_names_set(&names, FIRST, NULL));
	expect_label(&names, FIRST, FIRST, 36);
	cr_assert(vm_names_set(&names, FIRST, "desktop"));
	expect_label(&names, FIRST, "desktop", 0);
	cr_assert(vm_names_set(&names, SECOND, "server"));
	expect_label(&names, SECOND, "server", 0);
	cr_assert(vm_names_set(&names, SECOND, ""));
	expect_label(&names, SECOND, SECOND, 36);
}

Test(vm_names, two_vms_with_one_name)
{
	_cleanup_(vm_names_deinit) VmNames names = { 0 };

	cr_assert(vm_names_set(&names, FIRST, "desktop"));
	cr_assert(vm_names_set(&names, SECOND, "desktop"));
	expect_label(&names, FIRST, "desktop (0b5a4a2e)", strlen(" (0b5a4a2e)"));
	expect_label(&names, SECOND, "desktop (7c9e6679)", strlen(" (7c9e6679)"));
	cr_assert(vm_names_set(&names, THIRD, "desktop"));
	expect_label(&names, THIRD, "desktop (" THIRD ")", strlen(" ()") + 36);
	vm_names_forget(&names, SECOND);
	vm_names_forget(&names, THIRD);
	expect_label(&names, FIRST, "desktop", 0);
}

#define VMS 8

static const char *guid_of(size_t vm, char text[40])
{
	snprintf(text, 40, "%08zx-6f0e-4c55-9d3c-2a8f5f6f1c10", vm);
	return text;
}

/* Checks the label of each VM. name_of: the numbers in their names; 0 for a VM that is unknown. */
static void check_labels(const VmNames *names, const int name_of[VMS], int step)
{
	for (size_t vm = 0; vm < VMS; vm++) {
		size_t tail, same = 0, expected = 36;
		char guid[40];

		for (size_t i = 0; i < VMS; i++)
			same += name_of[i] == name_of[vm];
		if (name_of[vm] > 0)
			expected = same > 1 ? strlen(" (00000000)") : 0;
		_cleanup_free_ char *label = vm_names_label(names, guid_of(vm, guid), &tail);
		cr_assert_eq(tail, expected, "step %d: %s", step, label);
	}
}

/* VMs come, go and change their names. */
Test(vm_names, random_names)
{
	_cleanup_(vm_names_deinit) VmNames names = { 0 };
	int name_of[VMS] = { 0 };
	unsigned int seed = 7;

	for (int step = 0; step < 2000; step++) {
		size_t vm = (size_t)rand_r(&seed) % VMS;
		char guid[40], name[8];

		name_of[vm] = rand_r(&seed) % 5;
		snprintf(name, sizeof(name), "vm%d", name_of[vm]);
		if (name_of[vm] == 0)
			vm_names_forget(&names, guid_of(vm, guid));
		else
			cr_assert(vm_names_set(&names, guid_of(vm, guid), name));
		check_labels(&names, name_of, step);
	}
}

Test(vm_names, a_name_is_no_guid)
{
	_cleanup_(vm_names_deinit) VmNames names = { 0 };

	cr_assert(vm_names_set(&names, FIRST, SECOND));
	expect_label(&names, FIRST, FIRST, 36);
	cr_assert(vm_names_set(&names, FIRST, "{" SECOND "}"));
	expect_label(&names, FIRST, FIRST, 36);
}
