/* SPDX-License-Identifier: MIT */
/*
 * A name is no identity, and a GUID is none either: where allowUserMachines is set, users give both
 * to their VMs as they like. A drop-in of the administrator must not open a user's VM to others,
 * nor lure others into a user's VM. So it applies to the VMs of operators, or of the user whom it
 * names.
 */
#include <criterion/criterion.h>

#include "tests/support/drop-in-fixture.h"

static HostFixture fixture;
static FakeHost *fake_host;
static DropIns drop_ins;

static void set_up(void)
{
	fixture = host_fixture_new_quiet();
	fake_host = fixture.fake_host;
	fake_host->service.settings.allow_user_machines = true;
	drop_ins = DROP_INS_INIT;
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
	drop_ins_deinit(&drop_ins);
}

TestSuite(drop_ins_need_a_known_registrar, .init = set_up, .fini = tear_down);

#define ALICE "\"displayClients\":[{\"user\":\"alice\"}],\"agent\":{\"user\":\"alice\"}"

static void set(const char *text)
{
	set_drop_ins(fake_host, &drop_ins, &text, 1);
}

/* Registers the VM "prod-1", whose VMM is the caller's own process. */
static void add_vm(Caller *caller)
{
	cr_assert_str_eq(call(fake_host, caller, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"prod-1\"}"),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(call(fake_host, caller, ASSIGN, NAMES_A), "STATUS_SUCCESS");
}

static bool alice_may_register(void)
{
	const char *status = call(fake_host, fixture.client, REGISTER, NAMES_A);

	cr_assert(strcmp(status, "STATUS_SUCCESS") == 0 ||
		  strcmp(status, "STATUS_ACCESS_DENIED") == 0);
	return strcmp(status, "STATUS_SUCCESS") == 0;
}

static bool alice_is_agent(void)
{
	call(fake_host, fixture.admin, DESCRIBE, NAMES_A);
	return reply_value(fake_host, "virtualMachine.agent") != NULL;
}

static const char *const texts[] = {
	"{\"namePattern\":\"prod-*\"," ALICE "}",
	"{\"name\":\"prod-1\"," ALICE "}",
	"{\"virtualMachineGuid\":\"" GUID_A "\"," ALICE "}",
};

Test(drop_ins_need_a_known_registrar, the_vm_of_a_user_stays_as_the_user_left_it)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		set(texts[i]);
		add_vm(fixture.stranger);
		cr_assert_not(alice_may_register(), "%s", texts[i]);
		cr_assert_not(alice_is_agent(), "%s", texts[i]);
		set(texts[i]); /* a reload */
		cr_assert_not(alice_may_register(), "%s", texts[i]);
		call(fake_host, fixture.stranger, UPDATE_MACHINE,
		     "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"prod-1\"}");
		cr_assert_not(alice_may_register(), "%s", texts[i]);
		fake_host_restart(fake_host);
		cr_assert_not(alice_may_register(), "%s", texts[i]);
		tear_down();
		set_up();
	}
}

Test(drop_ins_need_a_known_registrar, the_vm_of_an_operator_follows_them)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		set(texts[i]);
		add_vm(fixture.admin);
		cr_assert(alice_may_register(), "%s", texts[i]);
		cr_assert(alice_is_agent(), "%s", texts[i]);
		tear_down();
		set_up();
	}
}

Test(drop_ins_need_a_known_registrar, a_named_registrar_must_be_the_one)
{
	set("{\"name\":\"prod-1\",\"registeredBy\":\"alice\"," ALICE "}");
	add_vm(fixture.stranger);
	cr_assert_not(alice_may_register());
	set("{\"name\":\"prod-1\",\"registeredBy\":\"bob\"," ALICE "}");
	cr_assert(alice_may_register());
	set("{\"name\":\"prod-1\",\"registeredBy\":\"root\"," ALICE "}");
	cr_assert_not(alice_may_register());
}
