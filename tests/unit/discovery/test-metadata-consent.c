/* SPDX-License-Identifier: MIT */
/*
 * Tests which display clients count if libvirt's metadata, requests and drop-ins name some of the
 * same VM, and that the VMM never takes the place of those in the metadata.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/drop-in-fixture.h"

static HostFixture fixture;
static FakeHost *fake_host;
static DropIns drop_ins;

static void set_up(void)
{
	fixture = host_fixture_new_quiet();
	fake_host = fixture.fake_host;
	drop_ins = DROP_INS_INIT;
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
	drop_ins_deinit(&drop_ins);
}

TestSuite(metadata_consent, .init = set_up, .fini = tear_down);

#define SUCCESS "STATUS_SUCCESS"
#define DENIED  "STATUS_ACCESS_DENIED"

#define CLIENTS(user) "\"displayClients\":[{\"user\":\"" user "\"}]"
#define NOBODY        "\"displayClients\":[]"
#define LIBVIRT       ",\"settingsSource\":\"libvirt\""

/* Replaces the drop-ins by one that names the user for the VM. */
#define SET_DROP_IN(user)                                                       \
	set_drop_ins(fake_host, &drop_ins,                                      \
		     (const char *const[]){ "{\"virtualMachineGuid\":\"" GUID_A \
					    "\"," CLIENTS(user) "}" },          \
		     1)
#define REMOVE_DROP_IN() set_drop_ins(fake_host, &drop_ins, NULL, 0)

/*
 * Adds a VM whose VMM is a process of bob. He logs in, so without a named display client he would
 * be it. Returns the VMM.
 */
static FakeProcess *add_vm(const char *members)
{
	FakeProcess *vmm = fake_host_process(fake_host, 500, 1001);

	cr_assert_str_eq(callf(fake_host, fixture.admin, REGISTER_MACHINE,
			       "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":500,%s}",
			       members),
			 SUCCESS);
	cr_assert_str_eq(call(fake_host, fixture.admin, ASSIGN, NAMES_A), SUCCESS);
	return vmm;
}

static void update(const char *members)
{
	cr_assert_str_eq(callf(fake_host, fixture.admin, UPDATE_MACHINE,
			       "{\"virtualMachineGuid\":\"" GUID_A "\",%s}", members),
			 SUCCESS, "%s", members);
}

/* Returns the first display client and where it is named, such as "alice libvirt". */
static const char *clients(void)
{
	static char text[80];

	cr_assert_str_eq(call(fake_host, fixture.admin, DESCRIBE, NAMES_A), SUCCESS);
	snprintf(text, sizeof(text), "%s %s",
		 reply_string(fake_host, "virtualMachine.displayClients[0].user"),
		 reply_string(fake_host, "virtualMachine.displayClientsSource"));
	return text;
}

/* Checks that neither the VMM's user nor the user of the metadata may register. */
static void check_nobody(void)
{
	cr_assert_str_eq(clients(), " nobody");
	cr_assert_str_eq(call(fake_host, fixture.stranger, REGISTER, NAMES_A), DENIED);
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), DENIED);
}

/* --- nobody in place of the metadata --------------------------------------------------------- */

Test(metadata_consent, nobody_takes_their_place_when_a_drop_in_goes)
{
	add_vm(CLIENTS("alice") LIBVIRT);
	SET_DROP_IN("alice");
	SET_DROP_IN("0");
	fake_host_restart(fake_host);
	REMOVE_DROP_IN();
	check_nobody();
	fake_host_restart(fake_host);
	SET_DROP_IN("alice");
	cr_assert_str_eq(clients(), "alice dropIn");
	REMOVE_DROP_IN();
	check_nobody();
	update(CLIENTS("alice") LIBVIRT);
	cr_assert_str_eq(clients(), "alice libvirt");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
}

Test(metadata_consent, nobody_takes_their_place_if_a_drop_in_counted_from_the_start)
{
	SET_DROP_IN("alice");
	add_vm(CLIENTS("alice") LIBVIRT);
	cr_assert_str_eq(clients(), "alice dropIn");
	REMOVE_DROP_IN();
	check_nobody();
}

Test(metadata_consent, nobody_takes_their_place_if_an_update_brought_them)
{
	SET_DROP_IN("alice");
	add_vm("\"name\":\"guest\"");
	update(CLIENTS("alice") LIBVIRT);
	REMOVE_DROP_IN();
	check_nobody();
}

/* A daemon that did not know the member hasMetadata has written the record. */
Test(metadata_consent, nobody_takes_their_place_after_an_upgrade)
{
	static const char member[] = ",\"hasMetadata\":true";
	char text[4096];

	add_vm(CLIENTS("alice") LIBVIRT);
	for (size_t i = 0; i < fake_host->persisted_count; i++) {
		snprintf(text, sizeof(text), "%s", fake_host->persisted[i].text);
		char *at = strstr(text, member);
		if (!at)
			continue;
		memmove(at, at + strlen(member), strlen(at + strlen(member)) + 1);
		fake_host_persist_record(fake_host, fake_host->persisted[i].serial, text,
					 strlen(text));
	}
	fake_host_restart(fake_host);
	SET_DROP_IN("alice");
	REMOVE_DROP_IN();
	check_nobody();
}

Test(metadata_consent, nobody_takes_their_place_after_a_hand_over)
{
	FakeProcess *vmm = add_vm(CLIENTS("alice") LIBVIRT);

	SET_DROP_IN("alice");
	fake_host_process(fake_host, 501, 1001);
	cr_assert_str_eq(call(fake_host, fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":501}"),
			 SUCCESS);
	fake_host_exit(fake_host, vmm);
	REMOVE_DROP_IN();
	check_nobody();
}

Test(metadata_consent, metadata_that_name_nobody_do_not_name_the_vmm)
{
	add_vm(NOBODY LIBVIRT);
	check_nobody();
	update(CLIENTS("alice"));
	update(NOBODY);
	check_nobody();
	update(CLIENTS("alice") LIBVIRT);
	update(NOBODY LIBVIRT);
	check_nobody();
}

/* Otherwise an operator could not give back what vaild takes from the metadata. */
Test(metadata_consent, a_request_for_nobody_gives_the_vm_back_to_the_metadata)
{
	add_vm(CLIENTS("alice") LIBVIRT);
	update(CLIENTS("bob"));
	update(NOBODY);
	check_nobody();
	update(CLIENTS("alice") LIBVIRT);
	cr_assert_str_eq(clients(), "alice libvirt");
}

/* --- metadata and requests ------------------------------------------------------------------- */

/* vail-libvirt reads and updates, and an operator's request may come in between. */
Test(metadata_consent, others_of_a_request_stay)
{
	add_vm(CLIENTS("alice") LIBVIRT);
	update(CLIENTS("bob"));
	update(CLIENTS("alice") LIBVIRT ",\"name\":\"other\"");
	cr_assert_str_eq(clients(), "bob api");
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.name"), "other");
	update(NOBODY LIBVIRT);
	cr_assert_str_eq(clients(), "bob api");
	fake_host_restart(fake_host);
	SET_DROP_IN("alice");
	update(CLIENTS("alice") LIBVIRT);
	cr_assert_str_eq(clients(), "bob api", "a drop-in does not come in by it, either");
	REMOVE_DROP_IN();
	update("\"displayClients\":[{\"user\":\"bob\",\"rights\":[\"input\"]}]" LIBVIRT);
	cr_assert_str_eq(clients(), "bob api", "other rights are others, too");
	cr_assert_str_eq(reply_string(fake_host, "virtualMachine.displayClients[0].rights[1]"), "");
}

Test(metadata_consent, metadata_count_that_change_after_a_request_has_named_the_same)
{
	add_vm(CLIENTS("alice") LIBVIRT);
	update(CLIENTS("alice"));
	cr_assert_str_eq(clients(), "alice api");
	fake_host_restart(fake_host);
	update(CLIENTS("alice"));
	update(CLIENTS("bob") LIBVIRT);
	cr_assert_str_eq(clients(), "bob libvirt");
}

Test(metadata_consent, the_same_in_another_order_are_the_same)
{
	add_vm(CLIENTS("alice") LIBVIRT);
	update("\"displayClients\":[{\"user\":\"bob\"},{\"user\":\"alice\"}]");
	update("\"displayClients\":[{\"user\":\"alice\"},{\"user\":\"bob\"}]" LIBVIRT);
	update(CLIENTS("alice") LIBVIRT);
	cr_assert_str_eq(clients(), "alice libvirt");
}

Test(metadata_consent, metadata_count_that_change_after_they_have_named_the_same)
{
	add_vm(CLIENTS("alice") LIBVIRT);
	update(CLIENTS("bob"));
	update(CLIENTS("bob") LIBVIRT);
	cr_assert_str_eq(clients(), "bob api");
	fake_host_restart(fake_host);
	update(CLIENTS("alice") LIBVIRT);
	cr_assert_str_eq(clients(), "alice libvirt");
}

Test(metadata_consent, a_request_that_names_others_ends_the_agreement)
{
	add_vm(CLIENTS("alice") LIBVIRT);
	update(CLIENTS("alice"));
	update(CLIENTS("bob"));
	update(CLIENTS("alice"));
	update(CLIENTS("bob") LIBVIRT);
	cr_assert_str_eq(clients(), "alice api");
}

Test(metadata_consent, a_drop_in_comes_after_a_request_that_names_the_same_as_the_metadata)
{
	add_vm(CLIENTS("alice") LIBVIRT);
	update(CLIENTS("alice"));
	SET_DROP_IN("0");
	cr_assert_str_eq(clients(), "alice api");
	update(CLIENTS("alice") LIBVIRT);
	cr_assert_str_eq(clients(), "alice api");
	update(CLIENTS("bob") LIBVIRT);
	cr_assert_str_eq(clients(), "0 dropIn", "it comes before metadata that name others");
}

/* Registrations stay when only the source of their display client changes. */
Test(metadata_consent, an_agreement_ends_no_registration)
{
	add_vm(CLIENTS("alice") LIBVIRT);
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
	update(CLIENTS("alice"));
	update(CLIENTS("alice") LIBVIRT);
	call(fake_host, fixture.admin, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(fake_host, "registrations"), 1u);
}

/* --- withdrawal ------------------------------------------------------------------------------ */

static const char *withdraw(void)
{
	return call(fake_host, fixture.admin, UNREGISTER_MACHINE,
		    "{\"virtualMachineGuid\":\"" GUID_A "\"" LIBVIRT "}");
}

Test(metadata_consent, a_withdrawal_ends_a_vm_of_the_metadata)
{
	add_vm(CLIENTS("alice") LIBVIRT);
	cr_assert_str_eq(withdraw(), SUCCESS);
	add_vm(CLIENTS("alice") LIBVIRT);
	update(CLIENTS("alice"));
	cr_assert_str_eq(withdraw(), SUCCESS, "a request has named the same");
}

Test(metadata_consent, a_withdrawal_does_not_end_a_vm_with_others)
{
	add_vm(CLIENTS("alice") LIBVIRT);
	update(CLIENTS("bob"));
	cr_assert_str_eq(withdraw(), "STATUS_INVALID_DEVICE_STATE");
	cr_assert_str_eq(clients(), "bob api");
	update(NOBODY);
	SET_DROP_IN("alice");
	cr_assert_str_eq(withdraw(), "STATUS_INVALID_DEVICE_STATE");
	cr_assert_str_eq(call(fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
}
