/* SPDX-License-Identifier: MIT */
/*
 * Watches under random traffic. A watch reports the existing state and then each change once and in
 * order. The state derived from its events is at any time the state that the lists show. A slow
 * reader does not affect other callers, and a watcher that stops reading is dropped.
 *
 * VAILD_SEED=N repeats a run, VAILD_STEPS=N sets its length.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/model/random.h"
#include "tests/model/watcher.h"
#include "tests/support/fake-share.h"

TestSuite(watch_random);

enum { ACTORS = 13, WATCHERS = 10, MACHINES = 8, QUARANTINES = 12 };

/*
 * A client process and its connection. The first actor is an operator, the second an observer, the
 * next three are VMMs.
 */
typedef struct Actor {
	FakeProcess *process;
	Caller *caller;
} Actor;

enum { OPERATOR = 0, OBSERVER = 1, FIRST_VMM = 2, FIRST_VIEWER = 5 };

typedef struct Slot {
	Watcher *watcher; /* NULL if the slot is free */
	size_t actor;
	bool is_entitled;
} Slot;

typedef struct Run {
	FakeHost *fake_host;
	Dice dice;
	uint64_t seed;
	Actor actors[ACTORS];
	pid_t last_pid;
	Slot slots[WATCHERS];
	Texts state;           /* according to the lists, after the last step */
	unsigned int patience; /* a watcher reads everything in one of this many turns */
	size_t events;         /* received by all watchers */
	size_t ended;          /* watches with a last reply */
	size_t midway;         /* checks while a watch still reported the existing state */
} Run;

static Caller *operator_of(const Run *run)
{
	return run->actors[OPERATOR].caller;
}

static void machine_guid(size_t number, char ret[static GUID_TEXT_LENGTH + 1])
{
	snprintf(ret, GUID_TEXT_LENGTH + 1, "20000000-0000-4000-8000-%012zu", number);
}

static uint64_t environment_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* --- actors ---------------------------------------------------------------------------------- */

static void actor_enter(Run *run, size_t number)
{
	static const uid_t viewers[] = { 1000, 1000, 1001 };
	Actor *actor = &run->actors[number];
	const gid_t group = FAKE_HOST_OBSERVERS_GROUP;
	uid_t uid = number == OPERATOR      ? 0
		    : number == OBSERVER    ? 1100
		    : number < FIRST_VIEWER ? 64055
					    : viewers[number % ARRAY_SIZE(viewers)];

	actor->process = fake_host_process(run->fake_host, ++run->last_pid, uid);
	process_set_context(actor->process, GRAPHICS_CONTEXT_DRM);
	if (number == OBSERVER)
		process_set_groups(actor->process, uid, 1, &group);
	actor->caller = fake_host_connect(run->fake_host, actor->process);
}

static void slot_close(Run *run, Slot *slot)
{
	if (!slot->watcher)
		return;
	run->events += slot->watcher->events;
	run->ended += slot->watcher->is_over;
	watcher_free(slot->watcher);
	*slot = (Slot){ 0 };
}

static void run_read_lists(Run *run)
{
	texts_deinit(&run->state);
	state_read(run->fake_host, operator_of(run), NULL, &run->state);
}

/* Tests whether the actor may watch the VM, according to DescribeVirtualMachine and the lists. */
static bool actor_is_entitled(Run *run, const Actor *actor, const char *guid)
{
	FakeHost *fake_host = run->fake_host;
	pid_t pid = actor->process->pid;
	char registration[80];
	Texts wanted = { 0 };

	if (caller_sees_all(actor->caller))
		return true;
	snprintf(registration, sizeof(registration), "registration %s %d", guid, (int)pid);
	texts_add(&wanted, "%s", registration);
	bool is_registered = !texts_missing(&wanted, &run->state);
	texts_deinit(&wanted);
	if (strcmp(callf(fake_host, operator_of(run), DESCRIBE, "{\"virtualMachineGuid\":\"%s\"}",
			 guid),
		   "STATUS_SUCCESS") != 0)
		return false;
	bool has_agent_bob =
		strcmp(reply_string(fake_host, "virtualMachine.agent.user"), "bob") == 0 ||
		strcmp(reply_string(fake_host, "virtualMachine.incomingAgent.user"), "bob") == 0;
	return is_registered || reply_number(fake_host, "virtualMachine.vmmPid") == (uint64_t)pid ||
	       reply_number(fake_host, "virtualMachine.incomingVmmPid") == (uint64_t)pid ||
	       reply_number(fake_host, "virtualMachine.agent.pid") == (uint64_t)pid ||
	       reply_number(fake_host, "virtualMachine.incomingAgent.pid") == (uint64_t)pid ||
	       (has_agent_bob && actor->caller->credentials.uid == 1001);
}

/* Kills an actor and replaces it. Its watchers first read the remaining events. */
static void actor_replace(Run *run, size_t number)
{
	Actor *actor = &run->actors[number];

	fake_host_exit(run->fake_host, actor->process);
	run_read_lists(run);
	for (size_t i = 0; i < WATCHERS; i++) {
		Slot *slot = &run->slots[i];

		if (!slot->watcher || slot->actor != number)
			continue;
		watcher_drain(slot->watcher);
		if (slot->watcher->guid[0] != '\0')
			slot->is_entitled &= actor_is_entitled(run, actor, slot->watcher->guid);
		cr_assert_eq(slot->watcher->is_over, !slot->is_entitled);
		slot_close(run, slot);
	}
	fake_host_disconnect(run->fake_host, actor->caller);
	actor_enter(run, number);
}

static Run *run_new(void)
{
	Run *run = calloc(1, sizeof(*run));

	fake_host_must(run != NULL);
	run->seed = environment_number("VAILD_SEED", (uint64_t)time(NULL));
	run->dice.state = run->seed;
	fprintf(stderr, "watch: VAILD_SEED=%" PRIu64 "\n", run->seed);
	run->fake_host = fake_host_new();
	run->fake_host->service.watch_ready = watcher_ready;
	run->last_pid = 300;
	run->patience = 3;
	fake_host_user(run->fake_host, "alice", 1000);
	fake_host_user(run->fake_host, "bob", 1001);
	for (size_t i = 0; i < ACTORS; i++)
		actor_enter(run, i);
	state_read(run->fake_host, operator_of(run), NULL, &run->state);
	return run;
}

static void run_free(Run *run)
{
	for (size_t i = 0; i < WATCHERS; i++)
		slot_close(run, &run->slots[i]);
	texts_deinit(&run->state);
	broker_check(run->fake_host->service.broker);
	fake_host_free(run->fake_host);
	free(run);
}

/* --- traffic --------------------------------------------------------------------------------- */

/* Copies the handle of a random vGPU of the last state. Returns false if no vGPU exists. */
static bool pick_virtual_gpu(Run *run, char ret[static HANDLE_TEXT_LENGTH + 1])
{
	size_t begin = dice_roll(&run->dice, run->state.count + 1);

	for (size_t i = 0; i < run->state.count; i++) {
		const char *text = run->state.items[(begin + i) % run->state.count];

		if (sscanf(text, "vgpu %*s %32s", ret) == 1)
			return true;
	}
	return false;
}

/* Registers a VM, or updates its display client and its agent. */
static void send_machine(Run *run, const char *guid, bool is_new)
{
	static const char *const clients[] = { "alice", "bob" };
	Dice *dice = &run->dice;
	size_t vmm = FIRST_VMM + dice_roll(dice, FIRST_VIEWER - FIRST_VMM);
	size_t agent = FIRST_VIEWER + dice_roll(dice, ACTORS - FIRST_VIEWER);
	char vmm_text[32] = "", agent_text[64] = "";

	if (is_new)
		snprintf(vmm_text, sizeof(vmm_text), ",\"vmmPid\":%d",
			 (int)run->actors[vmm].process->pid);
	if (dice_chance(dice, 3))
		snprintf(agent_text, sizeof(agent_text), ",\"agent\":{\"user\":\"bob\"}");
	else if (dice_chance(dice, 2))
		snprintf(agent_text, sizeof(agent_text), ",\"agent\":{\"pid\":%d}",
			 (int)run->actors[agent].process->pid);
	callf(run->fake_host, operator_of(run), is_new ? REGISTER_MACHINE : UPDATE_MACHINE,
	      "{\"virtualMachineGuid\":\"%s\",\"displayClients\":[{\"user\":\"%s\"}]%s%s}", guid,
	      clients[dice_roll(dice, 2)], vmm_text, agent_text);
}

static void send_quarantine(Run *run)
{
	char guid[GUID_TEXT_LENGTH + 1];

	machine_guid(dice_roll(&run->dice, QUARANTINES), guid);
	callf(run->fake_host, operator_of(run), SET_QUARANTINE,
	      "{\"virtualMachineGuid\":\"%s\",\"quarantined\":%s,\"reason\":\"hang %u\"}", guid,
	      dice_chance(&run->dice, 3) ? "true" : "false",
	      (unsigned int)dice_roll(&run->dice, 3));
}

/* Adds or removes a vGPU or a registration of a VM. */
static void send_vm_detail(Run *run, const char *guid)
{
	size_t number = FIRST_VIEWER + dice_roll(&run->dice, ACTORS - FIRST_VIEWER);
	const Actor *actor = &run->actors[number];
	char handle[HANDLE_TEXT_LENGTH + 1];

	switch (dice_roll(&run->dice, 8)) {
	case 0:
	case 1:
		callf(run->fake_host, operator_of(run), ASSIGN, "{\"virtualMachineGuid\":\"%s\"}",
		      guid);
		return;
	case 2:
		if (pick_virtual_gpu(run, handle))
			callf(run->fake_host, operator_of(run), REMOVE, "{\"virtualGpu\":\"%s\"}",
			      handle);
		return;
	case 3:
		callf(run->fake_host, actor->caller, UNREGISTER, "{\"virtualMachineGuid\":\"%s\"}",
		      guid);
		return;
	case 4:
		callf(run->fake_host, operator_of(run), REVOKE,
		      "{\"virtualMachineGuid\":\"%s\",\"pid\":%d}", guid, (int)actor->process->pid);
		return;
	default:
		callf(run->fake_host, actor->caller, REGISTER, "{\"virtualMachineGuid\":\"%s\"}",
		      guid);
		return;
	}
}

/* Sends one random request, or replaces an actor. */
static void random_change(Run *run)
{
	Dice *dice = &run->dice;
	char guid[GUID_TEXT_LENGTH + 1];

	machine_guid(dice_roll(dice, MACHINES), guid);
	switch (dice_roll(dice, 24)) {
	case 0:
	case 1:
	case 2:
		send_machine(run, guid, true);
		break;
	case 3:
		callf(run->fake_host, operator_of(run), UNREGISTER_MACHINE,
		      "{\"virtualMachineGuid\":\"%s\"}", guid);
		break;
	case 4:
	case 5:
		send_machine(run, guid, false);
		break;
	case 6:
		send_quarantine(run);
		break;
	case 7:
		if (dice_chance(dice, 3))
			actor_replace(run, 1 + dice_roll(dice, ACTORS - 1));
		break;
	default:
		send_vm_detail(run, guid);
		break;
	}
	run_read_lists(run);
}

/* --- watchers -------------------------------------------------------------------------------- */

/* Starts a watch of all VMs as operator or observer, or of one VM as an actor that may watch it. */
static void slot_open(Run *run, Slot *slot)
{
	Dice *dice = &run->dice;
	char guid[GUID_TEXT_LENGTH + 1];
	size_t number = dice_chance(dice, 3) ? dice_roll(dice, FIRST_VMM) : dice_roll(dice, ACTORS);
	const Actor *actor = &run->actors[number];
	bool all = number < FIRST_VMM && dice_chance(dice, 2);
	Texts vm = { 0 };

	machine_guid(dice_roll(dice, MACHINES), guid);
	texts_add(&vm, "vm %s", guid);
	bool may = all || (!texts_missing(&vm, &run->state) && actor_is_entitled(run, actor, guid));
	texts_deinit(&vm);
	if (!may)
		return;
	*slot = (Slot){
		.watcher = watcher_new(run->fake_host, actor->caller, all ? NULL : guid),
		.actor = number,
		.is_entitled = true,
	};
}

/* Copies the part of the last state that the watcher watches. */
static void state_of(const Run *run, const Watcher *watcher, Texts *ret)
{
	*ret = (Texts){ 0 };
	for (size_t i = 0; i < run->state.count; i++) {
		const char *subject = strchr(run->state.items[i], ' ') + 1;

		if (strncmp(subject, watcher->guid, strlen(watcher->guid)) == 0)
			texts_add(ret, "%s", run->state.items[i]);
	}
}

/* Tests whether the watcher has read all events so far. */
static bool watcher_is_up_to_date(const Watcher *watcher)
{
	return watcher->session.stream && !watcher->is_ready &&
	       stream_unread(watcher->session.stream) == 0;
}

static void slot_check(Run *run, Slot *slot)
{
	Watcher *watcher = slot->watcher;
	const char *wrong;
	Texts state;

	cr_assert_neq(watcher->state, SESSION_BROKEN);
	if (watcher->is_over)
		cr_assert(!slot->is_entitled, "a watch ended although its actor may still watch");
	if (!slot->is_entitled || !watcher_is_up_to_date(watcher))
		return;
	state_of(run, watcher, &state);
	if (watcher->state == SESSION_WATCHES) {
		cr_assert(watcher->is_current);
		wrong = texts_difference(&watcher->derived, &state);
	} else {
		run->midway += !watcher->is_current;
		wrong = texts_missing(&watcher->derived, &state);
	}
	cr_assert_null(wrong, "seed %" PRIu64 ": events and lists differ in \"%s\"", run->seed,
		       wrong);
	texts_deinit(&state);
}

/* Lets one watcher read a little, everything or nothing, and perhaps ends its watch. */
static void slot_step(Run *run, Slot *slot)
{
	Dice *dice = &run->dice;

	if (!slot->watcher && dice_chance(dice, 4))
		slot_open(run, slot);
	Watcher *watcher = slot->watcher;
	if (!watcher)
		return;
	if (watcher->guid[0] != '\0')
		slot->is_entitled &=
			actor_is_entitled(run, &run->actors[slot->actor], watcher->guid);
	bool lags = watcher->is_current &&
		    run->fake_host->event_count - watcher->events_seen > FAKE_HOST_EVENT_MAX / 2;
	if (lags || !slot->is_entitled || dice_chance(dice, run->patience))
		watcher_drain(watcher);
	else if (!dice_chance(dice, 3))
		watcher_take(watcher, 1 + dice_roll(dice, 2000));
	slot_check(run, slot);
	if (!slot->is_entitled)
		cr_assert(watcher->is_over, "seed %" PRIu64 ": the last reply is missing",
			  run->seed);
	if (!slot->is_entitled || dice_chance(dice, 60))
		slot_close(run, slot);
}

static void run_steps(Run *run, uint64_t steps)
{
	for (uint64_t step = 0; step < steps; step++) {
		random_change(run);
		for (size_t i = 0; i < WATCHERS; i++)
			slot_step(run, &run->slots[i]);
		run->fake_host->now += 1000;
	}
}

Test(watch_random, each_change_is_reported_once_and_in_order)
{
	Run *run = run_new();

	run_steps(run, environment_number("VAILD_STEPS", 4000));
	fprintf(stderr, "watch: %zu events, %zu watches ended, %zu checks midway\n", run->events,
		run->ended, run->midway);
	cr_assert_gt(run->events, 1000u);
	cr_assert_gt(run->ended, 20u);
	run_free(run);
}

/* Creates enough state to keep a new watch busy for many turns. */
static void run_fill(Run *run)
{
	char reason[LIMIT_NAME_LENGTH * 6 + 1] = "";

	for (int i = 0; i < LIMIT_NAME_LENGTH; i++)
		strcat(reason, "\\u0001");
	for (int i = 0; i < 150; i++)
		callf(run->fake_host, operator_of(run), SET_QUARANTINE,
		      "{\"virtualMachineGuid\":\"10000000-0000-4000-8000-%012d\","
		      "\"quarantined\":true,\"reason\":\"%s\"}",
		      i, reason);
	for (size_t i = 0; i < MACHINES; i++) {
		char guid[GUID_TEXT_LENGTH + 1];

		machine_guid(i, guid);
		callf(run->fake_host, operator_of(run), REGISTER_MACHINE,
		      "{\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d,\"displayClients\":"
		      "[{\"user\":\"alice\"}]}",
		      guid, (int)run->actors[FIRST_VMM].process->pid);
		for (int j = 0; j < 20; j++)
			callf(run->fake_host, operator_of(run), ASSIGN,
			      "{\"virtualMachineGuid\":\"%s\"}", guid);
	}
}

Test(watch_random, changes_come_while_the_existing_state_is_still_reported)
{
	Run *run = run_new();

	run->patience = 200;
	run_fill(run);
	run_steps(run, environment_number("VAILD_STEPS", 4000) / 10);
	fprintf(stderr, "watch: %zu events, %zu watches ended, %zu checks midway\n", run->events,
		run->ended, run->midway);
	cr_assert_gt(run->midway, 300u);
	run_free(run);
}

/* --- fixture --------------------------------------------------------------------------------- */

static HostFixture fixture;

static void set_up(void)
{
	fixture = host_fixture_new();
	fixture.fake_host->service.watch_ready = watcher_ready;
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

/* Replaces the fixture, which has a VM, by one without. */
static void set_up_without_vm(void)
{
	tear_down();
	fixture = host_fixture_new_quiet();
	fixture.fake_host->service.watch_ready = watcher_ready;
}

TestSuite(watch, .init = set_up, .fini = tear_down);

/* --- a watcher that does not read ------------------------------------------------------------ */

static void quarantine_some(int first, int count)
{
	for (int i = 0; i < count; i++) {
		/* Empty the fake host's store, which is too small. Only the events matter. */
		fixture.fake_host->quarantine_count = 0;
		callf(fixture.fake_host, fixture.admin, SET_QUARANTINE,
		      "{\"virtualMachineGuid\":\"30000000-0000-4000-8000-%012d\","
		      "\"quarantined\":true,\"reason\":\"%0200d\"}",
		      first + i, 0);
	}
}

Test(watch, only_a_watcher_that_stops_reading_is_dropped)
{
	int steps = 0;

	Watcher *stalled = watcher_new(fixture.fake_host, fixture.admin, NULL);
	Watcher *slow = watcher_new(fixture.fake_host, fixture.admin, NULL);
	Watcher *other = watcher_new(fixture.fake_host, fixture.machine, GUID_A);
	watcher_drain(stalled);
	watcher_drain(slow);
	watcher_drain(other);
	while (stalled->state != SESSION_BROKEN) {
		quarantine_some(steps * 10, 10);
		watcher_stall(stalled);
		watcher_drain(slow);
		cr_assert_leq(buffer_size(&stalled->out) + stream_unread(stalled->session.stream),
			      (size_t)LIMIT_UNREAD_PER_CONNECTION + 4096);
		cr_assert_lt(++steps, 1000, "the stalled watcher is not dropped");
	}
	cr_assert_gt(buffer_size(&stalled->out) + stream_unread(stalled->session.stream),
		     (size_t)LIMIT_UNREAD_PER_CONNECTION / 2,
		     "dropped before it used half of its share");
	cr_assert_eq(slow->state, SESSION_WATCHES);
	cr_assert_eq(slow->events_seen, fixture.fake_host->event_count,
		     "the other watcher misses events");
	size_t unread = stream_unread(stalled->session.stream);
	quarantine_some(0, 10);
	cr_assert_eq(stream_unread(stalled->session.stream), unread,
		     "events are still queued for a dropped watcher");
	cr_assert_eq(session_pump(&stalled->session, &stalled->out), SESSION_BROKEN);
	cr_assert_eq(other->state, SESSION_WATCHES);
	cr_assert(!other->is_ready, "an event of another VM wakes this watcher");
	watcher_free(stalled);
	watcher_free(slow);
	watcher_free(other);
}

/* --- the last reply -------------------------------------------------------------------------- */

/* Registers alice's process for GUID_A and starts a watch on its connection. */
static Watcher *watch_as_registered(const char *guid)
{
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, REGISTER, NAMES_A),
			 "STATUS_SUCCESS");
	Watcher *watcher = watcher_new(fixture.fake_host, fixture.client, guid);
	watcher_drain(watcher);
	cr_assert(watcher->is_current && !watcher->is_over);
	return watcher;
}

static void expect_end(Watcher *watcher, const char *kind, const char *reason)
{
	cr_assert(watcher->is_ready);
	watcher_drain(watcher);
	cr_assert(watcher->is_over, "%s is not the last reply", kind);
	cr_assert_eq(watcher->state, SESSION_READS, "the connection does not accept further calls");
	cr_assert_str_eq(watcher->last_kind, kind);
	cr_assert_str_eq(watcher->last_reason, reason);
	watcher_free(watcher);
}

Test(watch, the_last_reply_reports_the_own_unregistration)
{
	Watcher *watcher = watch_as_registered(GUID_A);

	call(fixture.fake_host, fixture.client, UNREGISTER, NAMES_A);
	expect_end(watcher, "unregistered", "requested");
}

Test(watch, the_last_reply_reports_a_revocation)
{
	Watcher *watcher = watch_as_registered(NULL);

	call(fixture.fake_host, fixture.admin, REVOKE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":300}");
	expect_end(watcher, "unregistered", "revoked");
}

Test(watch, the_last_reply_reports_a_quarantine)
{
	Watcher *watcher = watch_as_registered(GUID_A);

	call(fixture.fake_host, fixture.admin, SET_QUARANTINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}");
	expect_end(watcher, "unregistered", "quarantined");
}

Test(watch, the_last_reply_reports_changed_display_clients)
{
	Watcher *watcher = watch_as_registered(GUID_A);

	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{\"user\":\"bob\"}]}");
	expect_end(watcher, "unregistered", "privilegesChanged");
}

Test(watch, the_last_reply_reports_the_exit_of_the_vmm)
{
	Watcher *watcher = watch_as_registered(GUID_A);

	fake_host_exit(fixture.fake_host, fixture.vmm);
	expect_end(watcher, "unregistered", "vmmExited");
}

Test(watch, the_last_reply_does_not_wait_for_the_existing_state)
{
	call(fixture.fake_host, fixture.client, REGISTER, NAMES_A);
	Watcher *watcher = watcher_new(fixture.fake_host, fixture.client, GUID_A);
	cr_assert(watcher->events == 1 && watcher->state == SESSION_PAUSED);
	call(fixture.fake_host, fixture.client, UNREGISTER, NAMES_A);
	expect_end(watcher, "unregistered", "requested");
}

/* Each quarantine is imposed again and then lifted before the watch has reported it. */
Test(watch, a_quarantine_lifted_during_the_report_does_not_stay, .init = set_up_without_vm)
{
	quarantine_some(0, 3);
	Watcher *watcher = watcher_new(fixture.fake_host, fixture.admin, NULL);
	watcher_take(watcher, 1);
	quarantine_some(0, 3);
	fixture.fake_host->quarantine_count = 0;
	for (int i = 0; i < 3; i++) {
		quarantine_some(i, 1);
		callf(fixture.fake_host, fixture.admin, SET_QUARANTINE,
		      "{\"virtualMachineGuid\":\"30000000-0000-4000-8000-%012d\","
		      "\"quarantined\":false}",
		      i);
	}
	watcher_drain(watcher);
	cr_assert_eq(watcher->derived.count, 1u, "more than the adapter is left");
	watcher_free(watcher);
}

Test(watch, the_last_reply_reports_the_end_of_the_vm_to_its_vmm)
{
	Watcher *watcher = watcher_new(fixture.fake_host, fixture.machine, NULL);
	watcher_drain(watcher);
	call(fixture.fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A);
	expect_end(watcher, "virtualMachineRemoved", "virtualMachineUnregistered");
}

Test(watch, the_last_reply_reports_the_replacement_of_an_agent)
{
	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":400}}");
	Watcher *watcher = watcher_new(fixture.fake_host, fixture.stranger, GUID_A);
	watcher_drain(watcher);
	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"user\":\"alice\"}}");
	expect_end(watcher, "virtualMachineChanged", "");
}

Test(watch, the_exit_of_an_agent_is_reported_as_a_change_of_the_vm)
{
	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":400}}");
	Watcher *watcher = watcher_new(fixture.fake_host, fixture.admin, GUID_A);
	watcher_drain(watcher);
	fake_host_exit(fixture.fake_host, fixture.mallory);
	watcher_drain(watcher);
	cr_assert_str_eq(watcher->last_kind, "virtualMachineChanged");
	watcher_free(watcher);
}

#define HAND_OVER(members)                                       \
	call(fixture.fake_host, fixture.admin, REGISTER_MACHINE, \
	     "{\"virtualMachineGuid\":\"" GUID_A "\"," members "}")

Test(watch, the_last_reply_reports_a_newer_incoming_vmm_to_the_former_one)
{
	HAND_OVER("\"vmmPid\":400");
	Watcher *watcher = watcher_new(fixture.fake_host, fixture.stranger, GUID_A);
	watcher_drain(watcher);
	HAND_OVER("\"vmmPid\":300");
	expect_end(watcher, "virtualMachineChanged", "");
}

Test(watch, the_last_reply_reports_the_hand_over_to_the_former_agent)
{
	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":400}}");
	Watcher *watcher = watcher_new(fixture.fake_host, fixture.stranger, GUID_A);
	watcher_drain(watcher);
	HAND_OVER("\"vmmPid\":100,\"agent\":{\"pid\":300}");
	watcher_drain(watcher);
	cr_assert_str_eq(watcher->last_kind, "virtualMachineChanged");
	fake_host_exit(fixture.fake_host, fixture.vmm);
	expect_end(watcher, "virtualMachineChanged", "");
}

Test(watch, the_watch_of_an_incoming_agent_survives_the_hand_over)
{
	HAND_OVER("\"vmmPid\":100,\"agent\":{\"pid\":400}");
	Watcher *watcher = watcher_new(fixture.fake_host, fixture.stranger, GUID_A);
	watcher_drain(watcher);
	fake_host_exit(fixture.fake_host, fixture.vmm);
	watcher_drain(watcher);
	cr_assert_str_eq(watcher->last_kind, "virtualMachineChanged");
	fake_host_exit(fixture.fake_host, fixture.root);
	expect_end(watcher, "virtualMachineRemoved", "vmmExited");
}

/* --- access and limits ----------------------------------------------------------------------- */

Test(watch, strangers_receive_no_events)
{
	Watcher *watcher = watcher_new(fixture.fake_host, fixture.stranger, NULL);
	watcher_drain(watcher);
	cr_assert_eq(watcher->events, 1u, "more than \"current\" was received");
	call(fixture.fake_host, fixture.client, REGISTER, NAMES_A);
	call(fixture.fake_host, fixture.admin, ASSIGN, NAMES_A);
	cr_assert(!watcher->is_ready);
	cr_assert_eq(watcher->events, 1u);
	watcher_free(watcher);
}

Test(watch, a_stranger_or_a_call_without_more_is_refused)
{
	static const char request[] = "{\"method\":\"" WATCH "\",\"more\":true,\"parameters\":"
				      "{\"virtualMachineGuid\":\"" GUID_A "\"}}\n";

	cr_assert_not_null(strstr(exchange(fixture.fake_host, fixture.stranger, request),
				  "STATUS_ACCESS_DENIED"));
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, WATCH, NULL),
			 "org.varlink.service.ExpectedMore");
	cr_assert(TAILQ_EMPTY(&fixture.fake_host->service.watches));
}

Test(watch, a_limit_bounds_the_watches_of_a_user)
{
	Limits *limits = &fixture.fake_host->service.settings.limits;

	limits->per_uid[LIMIT_WATCHES] = 1;
	fake_host_reload(fixture.fake_host);
	Watcher *watcher = watcher_new(fixture.fake_host, fixture.client, NULL);
	const char *reply = exchange(fixture.fake_host, fixture.client,
				     "{\"method\":\"" WATCH "\",\"more\":true}\n");
	cr_assert_not_null(strstr(reply, "\"limit\":\"watchesPerUid\""), "%s", reply);
	watcher_free(watcher);
	watcher = watcher_new(fixture.fake_host, fixture.client, NULL);
	watcher_free(watcher);
}

/* Each frame is an update, and the sharer knows about its own frames. */
Test(watch, a_sharer_is_not_notified_of_its_own_updates)
{
	char handle[64];

	cr_assert_str_eq(call(fixture.fake_host, fixture.client, REGISTER, NAMES_A),
			 "STATUS_SUCCESS");
	Watcher *sharer = watcher_new(fixture.fake_host, fixture.machine, GUID_A);
	Watcher *viewer = watcher_new(fixture.fake_host, fixture.client, GUID_A);
	watcher_drain(sharer);
	watcher_drain(viewer);
	share_image(&fixture, handle);
	cr_assert(sharer->is_ready && viewer->is_ready,
		  "a watcher was not notified of the new object");
	sharer->is_ready = viewer->is_ready = false;
	with_handle(fixture.fake_host, fixture.machine, UPDATE_OBJECT, handle);
	cr_assert(viewer->is_ready);
	cr_assert_not(sharer->is_ready);
	with_handle(fixture.fake_host, fixture.machine, UNSHARE, handle);
	cr_assert(sharer->is_ready);
	watcher_free(sharer);
	watcher_free(viewer);
}
