/* SPDX-License-Identifier: MIT */
/*
 * Ends in slices: while a VM ends, no request finds it or its parts. Watches hear of each part, in
 * the same order as of an end at once. Requests that need what is ending wait for it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-share.h"

#define SUCCESS "STATUS_SUCCESS"

enum { OBJECTS = 5 };

static HostFixture fixture;
static FakeHost *fake_host;
static Broker *broker;
static char handles[OBJECTS][64];

static void set_up(void)
{
	fixture = host_fixture_new_sharing();
	fake_host = fixture.fake_host;
	broker = fake_host->service.broker;
	for (size_t i = 0; i < OBJECTS; i++)
		share_image(&fixture, handles[i]);
}

static void tear_down(void)
{
	fake_host->tick = 0;
	host_fixture_free(&fixture);
}

TestSuite(ending, .init = set_up, .fini = tear_down);

/* Lets each turn make one step. */
static void make_turns_short(void)
{
	fake_host->tick = ENDING_MICROSECONDS;
}

static bool one_turn(void)
{
	bool goes_on = broker_end_some(broker, ENDING_MICROSECONDS);

	broker_check(broker);
	return goes_on;
}

static void end_all(void)
{
	while (one_turn())
		;
}

/* Writes the kinds of the events since the first ones into ret. */
static void event_kinds(size_t first, char ret[static 512])
{
	ret[0] = '\0';
	for (size_t i = first; i < fake_host->event_count; i++)
		snprintf(ret + strlen(ret), 512 - strlen(ret), "%d ",
			 (int)fake_host->events[i % FAKE_HOST_EVENT_MAX].kind);
}

static void expect_nothing_left_to_see(void)
{
	cr_expect_str_eq(call(fake_host, fixture.admin, DESCRIBE, NAMES_A), "STATUS_NOT_FOUND");
	cr_expect_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), "STATUS_NOT_FOUND");
	cr_expect_str_eq(call(fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A),
			 "STATUS_NOT_FOUND");
	call(fake_host, fixture.admin, LIST_MACHINES, NULL);
	cr_expect_eq(reply_count(fake_host, "virtualMachines"), 0u);
	call(fake_host, fixture.admin, LIST_REGISTRATIONS, NULL);
	cr_expect_eq(reply_count(fake_host, "registrations"), 0u);
	call(fake_host, fixture.admin, LIST_OBJECTS, NULL);
	cr_expect_eq(reply_count(fake_host, "sharedObjects"), 0u);
	for (size_t i = 0; i < OBJECTS; i++) {
		cr_expect_str_eq(with_handle(fake_host, fixture.client, OPEN, handles[i]),
				 "STATUS_INVALID_HANDLE");
		cr_expect_str_eq(with_handle(fake_host, fixture.client, CLOSE, handles[i]),
				 "STATUS_INVALID_HANDLE");
		cr_expect_str_eq(with_handle(fake_host, fixture.machine, UNSHARE, handles[i]),
				 "STATUS_INVALID_HANDLE");
	}
}

Test(ending, a_vm_that_ends_is_gone_for_all_requests_at_once)
{
	size_t turns = 0;

	make_turns_short();
	cr_assert_str_eq(call(fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert(broker_has_endings(broker));
	do {
		expect_nothing_left_to_see();
		turns++;
	} while (one_turn());
	cr_expect_geq(turns, (size_t)OBJECTS);
	expect_nothing_left_to_see();
}

Test(ending, watches_hear_of_the_same_events_in_the_same_order)
{
	char at_once[512], in_slices[512];
	size_t before = fake_host->event_count;

	cr_assert_str_eq(call(fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert_not(broker_has_endings(broker));
	event_kinds(before, at_once);
	tear_down();
	set_up();
	make_turns_short();
	before = fake_host->event_count;
	cr_assert_str_eq(call(fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
	end_all();
	event_kinds(before, in_slices);
	cr_expect_str_eq(in_slices, at_once);
}

Test(ending, the_guid_is_taken_until_the_end_is_complete)
{
	size_t before = fake_host->event_count;
	char kinds[512], removed_then_added[16];

	make_turns_short();
	cr_assert_str_eq(call(fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert_str_eq(call(fake_host, fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":100,"
			      "\"displayClients\":[{\"user\":\"alice\"}]}"),
			 SUCCESS);
	cr_expect_not(broker_has_endings(broker));
	event_kinds(before, kinds);
	snprintf(removed_then_added, sizeof(removed_then_added), "%d %d ",
		 EVENT_VIRTUAL_MACHINE_REMOVED, EVENT_VIRTUAL_MACHINE_ADDED);
	cr_expect(strstr(kinds, removed_then_added), "the events were %s", kinds);
}

Test(ending, the_exit_of_a_vmm_ends_its_vm_in_slices)
{
	make_turns_short();
	fake_host_exit(fake_host, fixture.vmm);
	while (one_turn() && vm_after(broker, 0) && !vm_is_ending(vm_after(broker, 0)))
		;
	cr_assert(broker_has_endings(broker));
	expect_nothing_left_to_see();
	end_all();
	expect_nothing_left_to_see();
	cr_expect_null(process_find(broker, fixture.vmm->key));
}

/* Lets the daemon notice an exit, without a turn that ends anything. */
static void notice_exit(FakeProcess *process)
{
	fake_host_kill(fake_host, process);
	process->exit_reported = true;
	broker_process_exited(broker, process->key);
}

static const char *change(Caller *caller, const char *members)
{
	return callf(fake_host, caller, UPDATE_MACHINE,
		     "{\"virtualMachineGuid\":\"" GUID_A "\",%s}", members);
}

Test(ending, an_update_does_not_find_a_vm_whose_vmm_has_exited)
{
	static const char *const changes[] = {
		"\"name\":\"x\"",
		"\"agent\":{\"user\":\"alice\"}",
		"\"displayClients\":[{\"pid\":100}]",
		"\"vmmPid\":200",
	};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		notice_exit(fixture.vmm);
		cr_expect_str_eq(change(fixture.admin, changes[i]), "STATUS_NOT_FOUND");
		end_all();
		tear_down();
		set_up();
	}
}

/* The exit of another process is noticed in the same turn, and ends another VM. */
Test(ending, an_update_ends_only_registrations_of_its_vm)
{
	cr_assert_str_eq(callf(fake_host, fixture.admin, REGISTER_MACHINE,
			       "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":%d,"
			       "\"agent\":{\"pid\":300}}",
			       (int)fixture.mallory->pid),
			 SUCCESS);
	notice_exit(fixture.mallory);
	notice_exit(fixture.viewer);
	cr_expect_str_eq(change(fixture.admin, "\"displayClients\":[{\"pid\":100}]"), SUCCESS);
	cr_expect_eq(reply_number(fake_host, "virtualMachine.registrations"), 0u);
	end_all();
}

Test(ending, a_registration_does_not_wait_for_the_notice_of_an_exit)
{
	make_turns_short();
	fake_host_kill(fake_host, fixture.vmm);
	FakeProcess *vmm = fake_host_process(fake_host, 4711, 64055);
	cr_assert_str_eq(call(fake_host, fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":4711,"
			      "\"displayClients\":[{\"user\":\"alice\"}]}"),
			 SUCCESS);
	fake_host_report_exits(fake_host);
	end_all();
	cr_expect_eq(vm_after(broker, 0)->vmm->key, vmm->key);
}

/* Shares an object of GUID_B, whose VMM is that of GUID_A, and returns the status. */
static const char *share_for_other_vm(void)
{
	int fd = sealed_memory(fake_host);

	return call_with_fds(fake_host, fixture.machine, SHARE,
			     "{\"virtualMachineGuid\":\"" GUID_B "\",\"object\":{" IMAGE "}}", &fd,
			     1, NULL);
}

Test(ending, a_limit_refuses_only_when_the_ends_are_complete)
{
	cr_assert_str_eq(call(fake_host, fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":200,"
			      "\"displayClients\":[{\"user\":\"alice\"}]}"),
			 SUCCESS);
	broker->accounts.limits.per_uid[LIMIT_OBJECTS] = OBJECTS;
	cr_assert_str_eq(share_for_other_vm(), "STATUS_QUOTA_EXCEEDED");
	make_turns_short();
	cr_assert_str_eq(call(fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert(broker_has_endings(broker));
	for (size_t i = 0; i < OBJECTS; i++)
		cr_assert_str_eq(share_for_other_vm(), SUCCESS);
	cr_assert_str_eq(share_for_other_vm(), "STATUS_QUOTA_EXCEEDED");
}

Test(ending, a_restart_drops_what_is_left)
{
	make_turns_short();
	cr_assert_str_eq(call(fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
	one_turn();
	one_turn();
	cr_assert(broker_has_endings(broker));
	fake_host_restart(fake_host);
	broker = fake_host->service.broker;
	expect_nothing_left_to_see();
	cr_expect_not(broker_has_endings(broker));
	cr_expect_eq(fake_host_open_fds(fake_host), 0u);
}

/* The VM of the process that holds objects ends before the rest of the process. */
Test(ending, a_limit_waits_for_an_end_that_another_one_overtakes)
{
	FakeProcess *process = fake_host_process(fake_host, 6000, 1000);
	Caller *other = fake_host_connect(fake_host, process);
	size_t count;

	process_set_context(process, GRAPHICS_CONTEXT_DRM);
	cr_assert_str_eq(call(fake_host, other, REGISTER, NAMES_A), SUCCESS);
	for (size_t i = 0; i < OBJECTS; i++)
		cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, handles[i], &count),
				 SUCCESS);
	broker->accounts.limits.per_uid[LIMIT_HOLDERS] = OBJECTS;
	cr_assert_str_eq(open_and_close_fds(fake_host, other, handles[0], &count),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(call(fake_host, fixture.admin, REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":300}"),
			 SUCCESS);
	make_turns_short();
	notice_exit(fixture.viewer);
	for (size_t i = 0; i < OBJECTS; i++)
		cr_expect_str_eq(open_and_close_fds(fake_host, other, handles[i], &count), SUCCESS);
}

/* --- watches ---------------------------------------------------------------------------------- */

/* Reads what the watch has to say until it waits. */
static const char *read_watch(Session *watch, Buffer *out)
{
	SessionState state;

	do
		state = session_pump(watch, out);
	while (state == SESSION_WAITS);
	cr_assert_eq(state, SESSION_WATCHES);
	cr_assert(buffer_append(out, "", 1));
	return buffer_head(out);
}

static bool watch_names_vm(Session *watch)
{
	Buffer out = BUFFER_INIT;
	bool names = strstr(read_watch(watch, &out), GUID_A) != NULL;

	buffer_deinit(&out);
	return names;
}

static void begin_watch(Session *watch)
{
	static const char request[] = "{\"method\":\"io.vaild.Watch\",\"more\":true}\n";

	session_init(watch, &fake_host->service, fixture.admin);
	cr_assert(buffer_append(&watch->input, request, strlen(request)));
	session_arrived(watch, &(InputMetadata){ 0 });
}

Test(ending, a_watch_that_begins_later_does_not_hear_of_the_vm)
{
	Session before, later;

	begin_watch(&before);
	cr_expect(watch_names_vm(&before));
	make_turns_short();
	cr_assert_str_eq(call(fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A), SUCCESS);
	cr_assert(broker_has_endings(broker));
	begin_watch(&later);
	cr_expect_not(watch_names_vm(&later));
	end_all();
	cr_expect(watch_names_vm(&before));
	cr_expect_not(watch_names_vm(&later));
	session_deinit(&before);
	session_deinit(&later);
}

/* --- registrations of a running VM ------------------------------------------------------------ */

/* Registers more processes of the viewer's user. */
static void register_more(void)
{
	for (pid_t pid = 5000; pid < 5004; pid++) {
		FakeProcess *process = fake_host_process(fake_host, pid, 1000);

		process_set_context(process, GRAPHICS_CONTEXT_DRM);
		cr_assert_str_eq(
			call(fake_host, fake_host_connect(fake_host, process), REGISTER, NAMES_A),
			SUCCESS);
	}
}

static size_t listed_registrations(void)
{
	call(fake_host, fixture.admin, LIST_REGISTRATIONS, NULL);
	return reply_count(fake_host, "registrations");
}

static size_t listed_objects_of_viewer(void)
{
	call(fake_host, fixture.client, LIST_OBJECTS, NULL);
	return reply_count(fake_host, "sharedObjects");
}

/* The request must have begun to end registrations, and not have completed that. */
static void expect_pruning(void)
{
	cr_assert(broker_has_endings(broker));
	do {
		cr_expect_eq(listed_registrations(), 0u);
		cr_expect_eq(listed_objects_of_viewer(), 0u);
	} while (one_turn());
}

Test(ending, registrations_that_match_no_client_any_more_are_gone_at_once)
{
	register_more();
	cr_assert_eq(listed_registrations(), 5u);
	cr_assert_eq(listed_objects_of_viewer(), (size_t)OBJECTS);
	make_turns_short();
	cr_assert_str_eq(call(fake_host, fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"displayClients\":[{\"pid\":100}]}"),
			 SUCCESS);
	expect_pruning();
}

Test(ending, registrations_end_with_the_last_virtual_gpu)
{
	char virtual_gpu[64];

	register_more();
	call(fake_host, fixture.admin, DESCRIBE, NAMES_A);
	snprintf(virtual_gpu, sizeof(virtual_gpu), "{\"virtualGpu\":\"%.32s\"}",
		 reply_string(fake_host, "virtualMachine.virtualGpus[0].virtualGpu"));
	make_turns_short();
	cr_assert_str_eq(call(fake_host, fixture.admin, REMOVE, virtual_gpu), SUCCESS);
	expect_pruning();
}

Test(ending, requests_that_name_the_vm_wait_for_its_registrations)
{
	register_more();
	make_turns_short();
	cr_assert_str_eq(call(fake_host, fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"displayClients\":[{\"pid\":100}]}"),
			 SUCCESS);
	cr_assert(broker_has_endings(broker));
	cr_expect_str_eq(with_handle(fake_host, fixture.client, OPEN, handles[0]),
			 "STATUS_ACCESS_DENIED");
	cr_expect_not(broker_has_endings(broker));
}

Test(ending, a_vm_can_end_while_its_registrations_end)
{
	register_more();
	make_turns_short();
	cr_assert_str_eq(call(fake_host, fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"displayClients\":[{\"pid\":100}]}"),
			 SUCCESS);
	cr_assert(broker_has_endings(broker));
	fake_host_exit(fake_host, fixture.viewer); /* the registration that comes next, or not */
	fake_host_exit(fake_host, fixture.vmm);
	end_all();
	expect_nothing_left_to_see();
}
