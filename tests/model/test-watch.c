/* SPDX-License-Identifier: MIT */
/*
 * Watches under random traffic: whoever watches hears of all that exists and then of each change
 * once, in order, so that at any time it knows what the lists tell; one that reads slowly costs
 * nobody anything, and one that does not read is dropped.
 *
 * VAILD_SEED=N repeats a run, VAILD_STEPS=N sets its length.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fake-share.h"
#include "random.h"
#include "watcher.h"

TestSuite(watch);

enum { ACTORS = 12, WATCHERS = 10, MACHINES = 8, QUARANTINES = 12 };

/* A process that acts, and its connection. The first is an operator, the next are VMMs. */
typedef struct Actor {
	FakeProcess *process;
	Caller *caller;
} Actor;

enum { OPERATOR = 0, FIRST_VMM = 1, FIRST_VIEWER = 4 };

typedef struct Place {
	Watcher *watcher; /* NULL: nobody watches from here */
	size_t actor;
	bool is_entitled;
} Place;

typedef struct Play {
	World *world;
	Dice dice;
	uint64_t seed;
	Actor actors[ACTORS];
	pid_t last_pid;
	Place places[WATCHERS];
	Texts state;           /* after the last step */
	unsigned int patience; /* one turn in so many everything is read */
	size_t heard, ended, midway;
} Play;

static Caller *operator_of(const Play *play)
{
	return play->actors[OPERATOR].caller;
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

/* ---- Actors ---- */

static void actor_enter(Play *play, size_t number)
{
	static const uid_t viewers[] = { 1000, 1000, 1001 };
	Actor *actor = &play->actors[number];
	uid_t uid = number == OPERATOR      ? 0
		    : number < FIRST_VIEWER ? 64055
					    : viewers[number % ARRAY_SIZE(viewers)];

	actor->process = world_process(play->world, ++play->last_pid, uid);
	process_set_context(actor->process, GRAPHICS_CONTEXT_DRM);
	actor->caller = world_connect(play->world, actor->process);
}

static void place_leave(Play *play, Place *place)
{
	if (!place->watcher)
		return;
	play->heard += place->watcher->events;
	play->ended += place->watcher->is_over;
	watcher_free(place->watcher);
	*place = (Place){ 0 };
}

static void play_look(Play *play)
{
	texts_deinit(&play->state);
	state_read(play->world, operator_of(play), NULL, &play->state);
}

/* Whether the actor may watch the VM, as DescribeVirtualMachine and the lists tell. */
static bool actor_is_entitled(Play *play, const Actor *actor, const char *guid)
{
	World *world = play->world;
	pid_t pid = actor->process->pid;
	char registration[80];
	Texts wanted = { 0 };

	if (actor->caller->is_operator)
		return true;
	snprintf(registration, sizeof(registration), "registration %s %d", guid, (int)pid);
	texts_add(&wanted, "%s", registration);
	bool is_registered = !texts_missing(&wanted, &play->state);
	texts_deinit(&wanted);
	if (strcmp(callf(world, operator_of(play), DESCRIBE, "{\"virtualMachineGuid\":\"%s\"}",
			 guid),
		   "STATUS_SUCCESS") != 0)
		return false;
	return is_registered || reply_number(world, "virtualMachine.vmmPid") == (uint64_t)pid ||
	       reply_number(world, "virtualMachine.agent.pid") == (uint64_t)pid ||
	       (strcmp(reply_string(world, "virtualMachine.agent.user"), "bob") == 0 &&
		actor->caller->credentials.uid == 1001);
}

/* Dies. Whoever watches on its connection is told to the end, and is gone with it. */
static void actor_die(Play *play, size_t number)
{
	Actor *actor = &play->actors[number];

	world_exit(play->world, actor->process);
	play_look(play);
	for (size_t i = 0; i < WATCHERS; i++) {
		Place *place = &play->places[i];

		if (!place->watcher || place->actor != number)
			continue;
		watcher_drain(place->watcher);
		if (place->watcher->guid[0] != '\0')
			place->is_entitled &= actor_is_entitled(play, actor, place->watcher->guid);
		cr_assert_eq(place->watcher->is_over, !place->is_entitled);
		place_leave(play, place);
	}
	world_disconnect(play->world, actor->caller);
	actor_enter(play, number);
}

static Play *play_new(void)
{
	Play *play = calloc(1, sizeof(*play));

	world_must(play != NULL);
	play->seed = environment_number("VAILD_SEED", (uint64_t)time(NULL));
	play->dice.state = play->seed;
	fprintf(stderr, "watch: VAILD_SEED=%" PRIu64 "\n", play->seed);
	play->world = world_new();
	play->world->service.watch_ready = watcher_ready;
	play->last_pid = 300;
	play->patience = 3;
	world_user(play->world, "alice", 1000);
	world_user(play->world, "bob", 1001);
	for (size_t i = 0; i < ACTORS; i++)
		actor_enter(play, i);
	state_read(play->world, operator_of(play), NULL, &play->state);
	return play;
}

static void play_free(Play *play)
{
	for (size_t i = 0; i < WATCHERS; i++)
		place_leave(play, &play->places[i]);
	texts_deinit(&play->state);
	broker_check(play->world->service.broker);
	world_free(play->world);
	free(play);
}

/* ---- Traffic ---- */

/* The handle of a random vGPU in the last state; false where there is none. */
static bool pick_virtual_gpu(Play *play, char ret[static HANDLE_TEXT_LENGTH + 1])
{
	size_t begin = dice_roll(&play->dice, play->state.count + 1);

	for (size_t i = 0; i < play->state.count; i++) {
		const char *text = play->state.items[(begin + i) % play->state.count];

		if (sscanf(text, "vgpu %*s %32s", ret) == 1)
			return true;
	}
	return false;
}

/* A VM comes in, or is told who its display client and its agent are. */
static void send_machine(Play *play, const char *guid, bool is_new)
{
	static const char *const clients[] = { "alice", "bob" };
	Dice *dice = &play->dice;
	size_t vmm = FIRST_VMM + dice_roll(dice, FIRST_VIEWER - FIRST_VMM);
	size_t agent = FIRST_VIEWER + dice_roll(dice, ACTORS - FIRST_VIEWER);
	char vmm_text[32] = "", agent_text[64] = "";

	if (is_new)
		snprintf(vmm_text, sizeof(vmm_text), ",\"vmmPid\":%d",
			 (int)play->actors[vmm].process->pid);
	if (dice_chance(dice, 3))
		snprintf(agent_text, sizeof(agent_text), ",\"agent\":{\"user\":\"bob\"}");
	else if (dice_chance(dice, 2))
		snprintf(agent_text, sizeof(agent_text), ",\"agent\":{\"pid\":%d}",
			 (int)play->actors[agent].process->pid);
	callf(play->world, operator_of(play), is_new ? REGISTER_MACHINE : UPDATE_MACHINE,
	      "{\"virtualMachineGuid\":\"%s\",\"displayClients\":[{\"user\":\"%s\"}]%s%s}", guid,
	      clients[dice_roll(dice, 2)], vmm_text, agent_text);
}

static void send_quarantine(Play *play)
{
	char guid[GUID_TEXT_LENGTH + 1];

	machine_guid(dice_roll(&play->dice, QUARANTINES), guid);
	callf(play->world, operator_of(play), SET_QUARANTINE,
	      "{\"virtualMachineGuid\":\"%s\",\"quarantined\":%s,\"reason\":\"hang %u\"}", guid,
	      dice_chance(&play->dice, 3) ? "true" : "false",
	      (unsigned int)dice_roll(&play->dice, 3));
}

/* Something of a VM: a vGPU or a registration comes or goes. */
static void send_small(Play *play, const char *guid)
{
	size_t number = FIRST_VIEWER + dice_roll(&play->dice, ACTORS - FIRST_VIEWER);
	const Actor *actor = &play->actors[number];
	char handle[HANDLE_TEXT_LENGTH + 1];

	switch (dice_roll(&play->dice, 8)) {
	case 0:
	case 1:
		callf(play->world, operator_of(play), ASSIGN, "{\"virtualMachineGuid\":\"%s\"}",
		      guid);
		return;
	case 2:
		if (pick_virtual_gpu(play, handle))
			callf(play->world, operator_of(play), REMOVE, "{\"virtualGpu\":\"%s\"}",
			      handle);
		return;
	case 3:
		callf(play->world, actor->caller, UNREGISTER, "{\"virtualMachineGuid\":\"%s\"}",
		      guid);
		return;
	case 4:
		callf(play->world, operator_of(play), REVOKE,
		      "{\"virtualMachineGuid\":\"%s\",\"pid\":%d}", guid, (int)actor->process->pid);
		return;
	default:
		callf(play->world, actor->caller, REGISTER, "{\"virtualMachineGuid\":\"%s\"}",
		      guid);
		return;
	}
}

/* One change, or one try at one. */
static void play_act(Play *play)
{
	Dice *dice = &play->dice;
	char guid[GUID_TEXT_LENGTH + 1];

	machine_guid(dice_roll(dice, MACHINES), guid);
	switch (dice_roll(dice, 24)) {
	case 0:
	case 1:
	case 2:
		send_machine(play, guid, true);
		break;
	case 3:
		callf(play->world, operator_of(play), UNREGISTER_MACHINE,
		      "{\"virtualMachineGuid\":\"%s\"}", guid);
		break;
	case 4:
	case 5:
		send_machine(play, guid, false);
		break;
	case 6:
		send_quarantine(play);
		break;
	case 7:
		if (dice_chance(dice, 3))
			actor_die(play, 1 + dice_roll(dice, ACTORS - 1));
		break;
	default:
		send_small(play, guid);
		break;
	}
	play_look(play);
}

/* ---- Watchers ---- */

/* Somebody who may begins to watch: an operator everything, or somebody one VM. */
static void place_enter(Play *play, Place *place)
{
	Dice *dice = &play->dice;
	char guid[GUID_TEXT_LENGTH + 1];
	size_t number = dice_chance(dice, 3) ? OPERATOR : dice_roll(dice, ACTORS);
	const Actor *actor = &play->actors[number];
	bool all = number == OPERATOR && dice_chance(dice, 2);
	Texts vm = { 0 };

	machine_guid(dice_roll(dice, MACHINES), guid);
	texts_add(&vm, "vm %s", guid);
	bool may =
		all || (!texts_missing(&vm, &play->state) && actor_is_entitled(play, actor, guid));
	texts_deinit(&vm);
	if (!may)
		return;
	*place = (Place){
		.watcher = watcher_new(play->world, actor->caller, all ? NULL : guid),
		.actor = number,
		.is_entitled = true,
	};
}

/* The part of the last state that the watcher watches. */
static void state_of(const Play *play, const Watcher *watcher, Texts *ret)
{
	*ret = (Texts){ 0 };
	for (size_t i = 0; i < play->state.count; i++) {
		const char *subject = strchr(play->state.items[i], ' ') + 1;

		if (strncmp(subject, watcher->guid, strlen(watcher->guid)) == 0)
			texts_add(ret, "%s", play->state.items[i]);
	}
}

/* Whether all that has happened so far has been taken. */
static bool watcher_is_up_to_date(const Watcher *watcher)
{
	return watcher->session.stream && !watcher->is_ready &&
	       stream_unread(watcher->session.stream) == 0;
}

static void place_check(Play *play, Place *place)
{
	Watcher *watcher = place->watcher;
	const char *wrong;
	Texts state;

	cr_assert_neq(watcher->state, SESSION_BROKEN);
	if (watcher->is_over)
		cr_assert(!place->is_entitled, "it ends with the last entitlement alone");
	if (!place->is_entitled || !watcher_is_up_to_date(watcher))
		return;
	state_of(play, watcher, &state);
	if (watcher->state == SESSION_WATCHES) {
		cr_assert(watcher->is_current);
		wrong = texts_difference(&watcher->known, &state);
	} else {
		play->midway += !watcher->is_current;
		wrong = texts_missing(&watcher->known, &state);
	}
	cr_assert_null(wrong, "seed %" PRIu64 ": events and lists differ in \"%s\"", play->seed,
		       wrong);
	texts_deinit(&state);
}

/* One watcher's part of a step: it reads a little, all, or nothing, and perhaps goes. */
static void place_act(Play *play, Place *place)
{
	Dice *dice = &play->dice;

	if (!place->watcher && dice_chance(dice, 4))
		place_enter(play, place);
	Watcher *watcher = place->watcher;
	if (!watcher)
		return;
	if (watcher->guid[0] != '\0')
		place->is_entitled &=
			actor_is_entitled(play, &play->actors[place->actor], watcher->guid);
	bool lags = watcher->is_current &&
		    play->world->event_count - watcher->told > WORLD_EVENT_MAX / 2;
	if (lags || !place->is_entitled || dice_chance(dice, play->patience))
		watcher_drain(watcher);
	else if (!dice_chance(dice, 3))
		watcher_take(watcher, 1 + dice_roll(dice, 2000));
	place_check(play, place);
	if (!place->is_entitled)
		cr_assert(watcher->is_over, "seed %" PRIu64 ": the last reply does not come",
			  play->seed);
	if (!place->is_entitled || dice_chance(dice, 60))
		place_leave(play, place);
}

static void play_steps(Play *play, uint64_t steps)
{
	for (uint64_t step = 0; step < steps; step++) {
		play_act(play);
		for (size_t i = 0; i < WATCHERS; i++)
			place_act(play, &play->places[i]);
		play->world->now += 1000;
	}
}

Test(watch, each_change_comes_once_and_in_order)
{
	Play *play = play_new();

	play_steps(play, environment_number("VAILD_STEPS", 4000));
	fprintf(stderr, "watch: %zu events heard, %zu watches ended, %zu looks midway\n",
		play->heard, play->ended, play->midway);
	cr_assert_gt(play->heard, 1000u);
	cr_assert_gt(play->ended, 20u);
	play_free(play);
}

/* So much that the present state takes many turns to be told. */
static void play_fill(Play *play)
{
	char reason[LIMIT_NAME_LENGTH * 6 + 1] = "";

	for (int i = 0; i < LIMIT_NAME_LENGTH; i++)
		strcat(reason, "\\u0001");
	for (int i = 0; i < 150; i++)
		callf(play->world, operator_of(play), SET_QUARANTINE,
		      "{\"virtualMachineGuid\":\"10000000-0000-4000-8000-%012d\","
		      "\"quarantined\":true,\"reason\":\"%s\"}",
		      i, reason);
	for (size_t i = 0; i < MACHINES; i++) {
		char guid[GUID_TEXT_LENGTH + 1];

		machine_guid(i, guid);
		callf(play->world, operator_of(play), REGISTER_MACHINE,
		      "{\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d,\"displayClients\":"
		      "[{\"user\":\"alice\"}]}",
		      guid, (int)play->actors[FIRST_VMM].process->pid);
		for (int j = 0; j < 20; j++)
			callf(play->world, operator_of(play), ASSIGN,
			      "{\"virtualMachineGuid\":\"%s\"}", guid);
	}
}

Test(watch, changes_go_on_while_much_is_yet_to_be_told)
{
	Play *play = play_new();

	play->patience = 200;
	play_fill(play);
	play_steps(play, environment_number("VAILD_STEPS", 4000) / 10);
	fprintf(stderr, "watch: %zu events heard, %zu watches ended, %zu looks midway\n",
		play->heard, play->ended, play->midway);
	cr_assert_gt(play->midway, 300u);
	play_free(play);
}

/* ---- One that does not read ---- */

static void quarantine_some(const Cast *cast, int first, int count)
{
	for (int i = 0; i < count; i++) {
		/* The made-up store holds fewer; what matters is what is told. */
		cast->world->quarantine_count = 0;
		callf(cast->world, cast->admin, SET_QUARANTINE,
		      "{\"virtualMachineGuid\":\"30000000-0000-4000-8000-%012d\","
		      "\"quarantined\":true,\"reason\":\"%0200d\"}",
		      first + i, 0);
	}
}

Test(watch, one_that_stops_reading_is_dropped_and_nobody_else)
{
	Cast cast = cast_new();
	int steps = 0;

	cast.world->service.watch_ready = watcher_ready;
	Watcher *deaf = watcher_new(cast.world, cast.admin, NULL);
	Watcher *slow = watcher_new(cast.world, cast.admin, NULL);
	Watcher *other = watcher_new(cast.world, cast.machine, GUID_A);
	watcher_drain(deaf);
	watcher_drain(slow);
	watcher_drain(other);
	while (deaf->state != SESSION_BROKEN) {
		quarantine_some(&cast, steps * 10, 10);
		watcher_stall(deaf);
		watcher_drain(slow);
		cr_assert_leq(buffer_size(&deaf->out) + stream_unread(deaf->session.stream),
			      (size_t)LIMIT_UNREAD_PER_CONNECTION + 4096);
		cr_assert_lt(++steps, 1000, "it is never dropped");
	}
	cr_assert_gt(buffer_size(&deaf->out) + stream_unread(deaf->session.stream),
		     (size_t)LIMIT_UNREAD_PER_CONNECTION / 2, "it had its share");
	cr_assert_eq(slow->state, SESSION_WATCHES);
	cr_assert_eq(slow->told, cast.world->event_count, "the other has heard everything");
	size_t unread = stream_unread(deaf->session.stream);
	quarantine_some(&cast, 0, 10);
	cr_assert_eq(stream_unread(deaf->session.stream), unread, "nothing more is kept for it");
	cr_assert_eq(session_pump(&deaf->session, &deaf->out), SESSION_BROKEN);
	cr_assert_eq(other->state, SESSION_WATCHES);
	cr_assert(!other->is_ready, "what is no affair of it does not wake it");
	watcher_free(deaf);
	watcher_free(slow);
	watcher_free(other);
	cast_free(&cast);
}

/* ---- The last reply ---- */

/* Alice's process is registered for GUID_A, and watches it. */
static Watcher *watch_as_registered(Cast *cast, const char *guid)
{
	cast->world->service.watch_ready = watcher_ready;
	cr_assert_str_eq(call(cast->world, cast->client, REGISTER, NAMES_A), "STATUS_SUCCESS");
	Watcher *watcher = watcher_new(cast->world, cast->client, guid);
	watcher_drain(watcher);
	cr_assert(watcher->is_current && !watcher->is_over);
	return watcher;
}

static void expect_end(Cast *cast, Watcher *watcher, const char *kind, const char *reason)
{
	cr_assert(watcher->is_ready);
	watcher_drain(watcher);
	cr_assert(watcher->is_over, "%s is the last", kind);
	cr_assert_eq(watcher->state, SESSION_READS, "the connection goes on");
	cr_assert_str_eq(watcher->last_kind, kind);
	cr_assert_str_eq(watcher->last_reason, reason);
	watcher_free(watcher);
	cast_free(cast);
}

Test(watch, who_unregisters_hears_of_it_last)
{
	Cast cast = cast_new();
	Watcher *watcher = watch_as_registered(&cast, GUID_A);

	call(cast.world, cast.client, UNREGISTER, NAMES_A);
	expect_end(&cast, watcher, "unregistered", "requested");
}

Test(watch, who_is_revoked_hears_of_it_last)
{
	Cast cast = cast_new();
	Watcher *watcher = watch_as_registered(&cast, NULL);

	call(cast.world, cast.admin, REVOKE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":300}");
	expect_end(&cast, watcher, "unregistered", "revoked");
}

Test(watch, quarantine_is_told_as_the_end_of_the_registration)
{
	Cast cast = cast_new();
	Watcher *watcher = watch_as_registered(&cast, GUID_A);

	call(cast.world, cast.admin, SET_QUARANTINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}");
	expect_end(&cast, watcher, "unregistered", "quarantined");
}

Test(watch, other_display_clients_are_told_as_the_end_of_the_registration)
{
	Cast cast = cast_new();
	Watcher *watcher = watch_as_registered(&cast, GUID_A);

	call(cast.world, cast.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[{\"user\":\"bob\"}]}");
	expect_end(&cast, watcher, "unregistered", "privilegesChanged");
}

Test(watch, the_end_of_the_vm_is_told_as_the_end_of_the_registration)
{
	Cast cast = cast_new();
	Watcher *watcher = watch_as_registered(&cast, GUID_A);

	world_exit(cast.world, cast.vmm);
	expect_end(&cast, watcher, "unregistered", "vmmExited");
}

Test(watch, the_end_comes_even_before_what_ends_was_told)
{
	Cast cast = cast_new();

	cast.world->service.watch_ready = watcher_ready;
	call(cast.world, cast.client, REGISTER, NAMES_A);
	Watcher *watcher = watcher_new(cast.world, cast.client, GUID_A);
	cr_assert(watcher->events == 1 && watcher->state == SESSION_PAUSED);
	call(cast.world, cast.client, UNREGISTER, NAMES_A);
	expect_end(&cast, watcher, "unregistered", "requested");
}

/* The reasons of a quarantine are one thing's: it is not told as if it were a new one. */
Test(watch, a_quarantine_that_changes_and_goes_is_not_left_standing)
{
	Cast cast = cast_new_quiet();

	cast.world->service.watch_ready = watcher_ready;
	quarantine_some(&cast, 0, 3);
	Watcher *watcher = watcher_new(cast.world, cast.admin, NULL);
	watcher_take(watcher, 1);
	quarantine_some(&cast, 0, 3);
	cast.world->quarantine_count = 0;
	for (int i = 0; i < 3; i++) {
		quarantine_some(&cast, i, 1);
		callf(cast.world, cast.admin, SET_QUARANTINE,
		      "{\"virtualMachineGuid\":\"30000000-0000-4000-8000-%012d\","
		      "\"quarantined\":false}",
		      i);
	}
	watcher_drain(watcher);
	cr_assert_eq(watcher->known.count, 1u, "the adapter is all there is");
	watcher_free(watcher);
	cast_free(&cast);
}

Test(watch, the_vmm_hears_of_the_vms_end_last)
{
	Cast cast = cast_new();

	cast.world->service.watch_ready = watcher_ready;
	Watcher *watcher = watcher_new(cast.world, cast.machine, NULL);
	watcher_drain(watcher);
	call(cast.world, cast.admin, UNREGISTER_MACHINE, NAMES_A);
	expect_end(&cast, watcher, "virtualMachineRemoved", "virtualMachineUnregistered");
}

Test(watch, who_is_no_longer_agent_hears_of_it_last)
{
	Cast cast = cast_new();

	cast.world->service.watch_ready = watcher_ready;
	call(cast.world, cast.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":400}}");
	Watcher *watcher = watcher_new(cast.world, cast.stranger, GUID_A);
	watcher_drain(watcher);
	call(cast.world, cast.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"user\":\"alice\"}}");
	expect_end(&cast, watcher, "virtualMachineChanged", "");
}

Test(watch, an_agents_death_changes_the_vm)
{
	Cast cast = cast_new();

	cast.world->service.watch_ready = watcher_ready;
	call(cast.world, cast.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":400}}");
	Watcher *watcher = watcher_new(cast.world, cast.admin, GUID_A);
	watcher_drain(watcher);
	world_exit(cast.world, cast.mallory);
	watcher_drain(watcher);
	cr_assert_str_eq(watcher->last_kind, "virtualMachineChanged");
	watcher_free(watcher);
	cast_free(&cast);
}

/* ---- Who hears what ---- */

Test(watch, strangers_hear_nothing)
{
	Cast cast = cast_new();

	cast.world->service.watch_ready = watcher_ready;
	Watcher *watcher = watcher_new(cast.world, cast.stranger, NULL);
	watcher_drain(watcher);
	cr_assert_eq(watcher->events, 1u, "that this is all");
	call(cast.world, cast.client, REGISTER, NAMES_A);
	call(cast.world, cast.admin, ASSIGN, NAMES_A);
	cr_assert(!watcher->is_ready);
	cr_assert_eq(watcher->events, 1u);
	watcher_free(watcher);
	cast_free(&cast);
}

Test(watch, is_refused_to_strangers_and_without_more)
{
	static const char request[] = "{\"method\":\"" WATCH "\",\"more\":true,\"parameters\":"
				      "{\"virtualMachineGuid\":\"" GUID_A "\"}}\n";
	Cast cast = cast_new();

	cr_assert_not_null(
		strstr(exchange(cast.world, cast.stranger, request), "STATUS_ACCESS_DENIED"));
	cr_assert_str_eq(call(cast.world, cast.admin, WATCH, NULL),
			 "org.varlink.service.ExpectedMore");
	cr_assert(TAILQ_EMPTY(&cast.world->service.watches));
	cast_free(&cast);
}

Test(watch, is_counted)
{
	Cast cast = cast_new_quiet();
	Limits *limits = &cast.world->service.settings.limits;

	cast.world->service.watch_ready = watcher_ready;
	limits->per_uid[LIMIT_WATCHES] = 1;
	world_reload(cast.world);
	Watcher *watcher = watcher_new(cast.world, cast.client, NULL);
	const char *reply =
		exchange(cast.world, cast.client, "{\"method\":\"" WATCH "\",\"more\":true}\n");
	cr_assert_not_null(strstr(reply, "\"limit\":\"watchesPerUid\""), "%s", reply);
	watcher_free(watcher);
	watcher = watcher_new(cast.world, cast.client, NULL);
	watcher_free(watcher);
	cast_free(&cast);
}

/* Each frame is an update, and who draws it knows. */
Test(watch, who_shares_an_object_is_not_told_of_its_own_updates)
{
	char handle[64];
	Cast cast = cast_new_sharing();

	cast.world->service.watch_ready = watcher_ready;
	Watcher *sharer = watcher_new(cast.world, cast.machine, GUID_A);
	Watcher *viewer = watcher_new(cast.world, cast.client, GUID_A);
	watcher_drain(sharer);
	watcher_drain(viewer);
	share_image(&cast, handle);
	cr_assert(sharer->is_ready && viewer->is_ready, "all hear of what is shared");
	sharer->is_ready = viewer->is_ready = false;
	with_handle(cast.world, cast.machine, UPDATE_OBJECT, handle);
	cr_assert(viewer->is_ready);
	cr_assert_not(sharer->is_ready);
	with_handle(cast.world, cast.machine, UNSHARE, handle);
	cr_assert(sharer->is_ready);
	watcher_free(sharer);
	watcher_free(viewer);
	cast_free(&cast);
}
