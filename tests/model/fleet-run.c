/* SPDX-License-Identifier: MIT */
#include "tests/model/fleet-run.h"

/* The value of a quarantine that the fleet has lifted. */
#define RELEASED "{\"released\":true}"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"

void fleet_expect(const FleetRun *run, const PlayedHost *host, bool holds, const char *what)
{
	cr_assert(holds, "seed %" PRIu64 ", step %" PRIu64 ", %s: %s", run->seed, run->step,
		  host ? host->name : "etcd", what);
}

size_t fleet_vm_of(const FleetRun *run, const Guid *guid)
{
	size_t vm = 0;

	while (vm < FLEET_VMS && guid_compare(&run->guids[vm], guid) != 0)
		vm++;
	cr_assert_lt(vm, FLEET_VMS, "no such VM");
	return vm;
}

/* --- what a host does ------------------------------------------------------------------------ */

static bool has_lease(const PlayedHost *host)
{
	return host->lease != 0 && host->run->now < host->lease_until;
}

static void add_call(PlayedHost *host, CallKind kind, const char *key, const char *value,
		     int64_t revision)
{
	FleetCall *call = &host->calls[host->call_count++];

	cr_assert_leq(host->call_count, FLEET_CALLS);
	fleet_expect(host->run, host, has_lease(host), "changes keys without a lease");
	fleet_expect(host->run, host, host->is_reached, "changes keys while etcd is away");
	*call = (FleetCall){ .kind = kind,
			     .value = value ? strdup(value) : NULL,
			     .revision = revision,
			     .lease = host->lease };
	snprintf(call->key, sizeof(call->key), "%s", key);
}

static void on_put(void *context, const char *key, const char *value)
{
	add_call(context, CALL_PUT, key, value, 0);
}

static void on_remove(void *context, const char *key)
{
	add_call(context, CALL_REMOVE, key, NULL, 0);
}

/* Returns the value of a key after the events that the host has been shown. */
static const char *shown_value(const PlayedHost *host, const char *key)
{
	for (size_t i = host->cursor; i > 0; i--)
		if (strcmp(host->run->etcd.events[i - 1].key, key) == 0)
			return host->run->etcd.events[i - 1].value;
	return NULL;
}

/* Checks that no other host has the VM, according to the events that this host was shown. */
static void on_swap(void *context, const char *key, int64_t revision, const char *value,
		    const WantedGuard *guard)
{
	PlayedHost *host = context;
	const char *where = shown_value(host, key);
	char holder[64], vm_key[FLEET_KEY_SIZE + 64];

	if (value && where && sscanf(where, "{\"host\":\"%32[0-9a-f]\"", holder) == 1) {
		snprintf(vm_key, sizeof(vm_key), "vms/%s/%s", key + strlen("where/"), holder);
		const char *vm = shown_value(host, vm_key);
		fleet_expect(host->run, host,
			     !vm || strstr(vm, "\"incoming\"") || strstr(vm, "\"ended\""),
			     "claims a VM that another host has");
	}
	add_call(context, CALL_SWAP, key, value, revision);
	FleetCall *call = &host->calls[host->call_count - 1];
	call->is_guarded = guard != NULL;
	if (!guard)
		return;
	snprintf(call->own, sizeof(call->own), "%s", guard->own);
	snprintf(call->other, sizeof(call->other), "%s", guard->other ? guard->other : "");
	call->other_revision = guard->other_revision;
}

static void on_quarantine(void *context, const Guid *guid, const char *reason)
{
	PlayedHost *host = context;
	size_t vm = fleet_vm_of(host->run, guid);
	char key[FLEET_KEY_SIZE];
	const FleetKey fleet_key = fleet_key_quarantine(guid);
	const char *shown = shown_value(host, fleet_key_format(&fleet_key, key));

	fleet_expect(host->run, host, host->told[vm] != QUARANTINE_OF_HOST,
		     "changes a quarantine of the host's operators");
	bool is_released = strcmp(shown ? shown : "", RELEASED) == 0;
	fleet_expect(host->run, host,
		     reason ? shown && !is_released : (!shown || is_released) && host->is_reached,
		     "imposes or lifts a quarantine against the fleet's word");
	host->is_setting[vm] = true;
	host->sets_to[vm] = reason != NULL;
}

static char *copy(const char *text)
{
	return strdup(text);
}

/* Reads what vaild says, or notices that it is away. */
static void read_facts(PlayedHost *host)
{
	FleetFacts *facts = &host->facts;

	facts->is_known = !host->is_vaild_away;
	if (!facts->is_known)
		return;
	fleet_facts_clear_vms(facts);
	fleet_facts_clear_quarantines(facts);
	facts->vms = calloc(FLEET_VMS, sizeof(*facts->vms));
	facts->quarantines = calloc(FLEET_VMS, sizeof(*facts->quarantines));
	memcpy(host->told, host->quarantined, sizeof(host->told));
	for (size_t i = 0; i < FLEET_VMS; i++) {
		if (host->runs[i])
			facts->vms[facts->vm_count++] = (FleetLocalVm){
				.guid = host->run->guids[i],
				.vm = { .name = copy("vm"), .vgpus = 1, .date = copy("today") },
				.guest = host->guests[i],
			};
		if (host->quarantined[i] != QUARANTINE_NONE)
			facts->quarantines[facts->quarantine_count++] = (FleetLocalQuarantine){
				.guid = host->run->guids[i],
				.reason = copy(host->quarantined[i] == QUARANTINE_OF_HOST
						       ? "ours"
						       : QUARANTINE_REASON_OF_FLEET
						       "no reason was given"),
			};
	}
}

static void plan(PlayedHost *host)
{
	host->wanted.is_leased = has_lease(host);
	cr_assert(wanted_plan(&host->wanted, &host->index, &host->facts, "today", host->run->now));
	cr_assert(quarantines_plan(&host->quarantines, &host->index, &host->facts, host->run->now));
}

static void start_fleet(PlayedHost *host)
{
	const WantedActions actions = { host, on_put, on_remove, on_swap };

	cr_assert(fleet_index_init(&host->index, &host->id));
	wanted_init(&host->wanted, &actions);
	host->wanted.patience = FLEET_TTL;
	quarantines_init(&host->quarantines, on_quarantine, host);
	host->facts.host.name = copy(host->name);
	host->facts.host.version = copy("1");
	host->cursor = 0;
	host->has_listed = false;
	memset(host->where_seen, 0, sizeof(host->where_seen));
}

static void stop_fleet(PlayedHost *host)
{
	fleet_index_deinit(&host->index);
	wanted_deinit(&host->wanted);
	quarantines_deinit(&host->quarantines);
	fleet_facts_deinit(&host->facts);
	host->is_reached = false;
	host->lease = 0;
	memset(host->is_setting, 0, sizeof(host->is_setting));
	memset(host->has_seen_deletion, 0, sizeof(host->has_seen_deletion));
	for (size_t i = 0; i < host->call_count; i++)
		host->calls[i].is_orphan = true;
}

/* --- between a host and etcd ----------------------------------------------------------------- */

static void drop_call(PlayedHost *host, size_t at)
{
	free(host->calls[at].value);
	host->call_count--;
	memmove(&host->calls[at], &host->calls[at + 1],
		(host->call_count - at) * sizeof(*host->calls));
}

static void answer(PlayedHost *host, const FleetCall *call, WantedOutcome outcome)
{
	host->run->lost += outcome == WANTED_LOST;
	wanted_answered(&host->wanted, call->key, outcome, call->done_revision, host->run->now);
}

/* The host gives up all calls whose answers have not come. etcd may still make them. */
static void lose_reach(PlayedHost *host)
{
	if (!host->is_reached)
		return;
	host->is_reached = false;
	fleet_index_reach(&host->index, false, "the connection is lost", host->run->now);
	for (size_t i = 0; i < host->call_count; i++) {
		if (host->calls[i].is_orphan)
			continue;
		answer(host, &host->calls[i], WANTED_UNKNOWN);
		host->calls[i].is_orphan = true;
	}
}

/* Each host sees revisions of where/GUID that only grow. */
static void check_where(PlayedHost *host)
{
	for (size_t i = 0; i < FLEET_VMS; i++) {
		const FleetEntry *where = fleet_index_where(&host->index, &host->run->guids[i]);

		if (!where)
			continue;
		fleet_expect(host->run, host, where->mod_revision >= host->where_seen[i],
			     "shows an older epoch than before");
		host->where_seen[i] = where->mod_revision;
	}
}

/* Notes whether the host has seen how the key of a quarantine was deleted, and no later key. */
static void note_quarantine_key(PlayedHost *host, const char *text, bool is_there)
{
	FleetKey key;

	if (fleet_key_parse(text, &key) && key.kind == FLEET_KEY_QUARANTINE)
		host->has_seen_deletion[fleet_vm_of(host->run, &key.vm)] = !is_there;
}

static void list(PlayedHost *host)
{
	const PlayedEtcd *etcd = &host->run->etcd;

	fleet_index_begin_snapshot(&host->index);
	for (size_t i = 0; i < etcd->key_count; i++) {
		fleet_index_put(&host->index, etcd->keys[i].key, etcd->keys[i].value,
				etcd->keys[i].mod_revision, host->run->now);
		note_quarantine_key(host, etcd->keys[i].key, true);
	}
	fleet_index_end_snapshot(&host->index, etcd->revision, host->run->now);
	host->cursor = etcd->event_count;
	host->has_listed = true;
	wanted_noticed(&host->wanted, &host->index, NULL, host->run->now);
}

static void show_event(PlayedHost *host)
{
	const PlayedEvent *event = &host->run->etcd.events[host->cursor++];
	FleetKey key;

	if (event->value)
		fleet_index_put(&host->index, event->key, event->value, event->revision,
				host->run->now);
	else
		fleet_index_delete(&host->index, event->key, event->revision, host->run->now);
	if (!event->value && fleet_key_parse(event->key, &key) && key.kind == FLEET_KEY_QUARANTINE)
		cr_assert(quarantines_deleted(&host->quarantines, &key.vm));
	note_quarantine_key(host, event->key, event->value != NULL);
	wanted_noticed(&host->wanted, &host->index, event->key, host->run->now);
	check_where(host);
}

/*
 * Lists the keys, or shows the missed events if the host has listed them before. The connection may
 * be lost while it shows them. The model has to do without a list also if the outcomes of changes
 * are unknown.
 */
static void reach(PlayedHost *host, bool may_fail)
{
	bool resumes = host->has_listed && dice_chance(&host->run->dice, 2);

	if (!resumes)
		list(host);
	while (host->cursor < host->run->etcd.event_count) {
		if (may_fail && dice_chance(&host->run->dice, 20))
			return;
		show_event(host);
	}
	host->run->resumed += resumes;
	host->is_reached = true;
	fleet_index_reach(&host->index, true, NULL, host->run->now);
	check_where(host);
}

/* Other hosts would take the VM from a claimant that has no key of it, and where/GUID would flip.
 */
static void check_claim(const PlayedHost *host, const FleetCall *call)
{
	FleetKey key, vm_key;
	char text[FLEET_KEY_SIZE];

	if (call->kind != CALL_SWAP || !call->value || host->is_disturbed ||
	    call->lease != host->lease || !has_lease(host))
		return;
	cr_assert(fleet_key_parse(call->key, &key));
	vm_key = fleet_key_vm(&key.vm, &host->id);
	const PlayedKey *vm = played_find(&host->run->etcd, fleet_key_format(&vm_key, text));
	fleet_expect(host->run, host, vm && strstr(vm->value, "\"running\""),
		     "claims a VM before its own key says that it runs");
}

/* Tests in etcd what a claim rests on. */
static bool guard_holds(const FleetRun *run, const FleetCall *call)
{
	if (!call->is_guarded)
		return true;
	const PlayedKey *own = played_find(&run->etcd, call->own);
	const PlayedKey *other = call->other[0] ? played_find(&run->etcd, call->other) : NULL;

	return own && own->lease == call->lease &&
	       (other ? other->mod_revision : 0) == call->other_revision;
}

/* However late a claim lands, its host has the VM then, and the one before does not. */
static void check_landing(const PlayedHost *host, const FleetCall *call)
{
	const PlayedKey *own = played_find(&host->run->etcd, call->own);
	const PlayedKey *other = call->other[0] ? played_find(&host->run->etcd, call->other) : NULL;

	if (!call->value)
		return;
	fleet_expect(host->run, host, own != NULL, "claims a VM of which it has no key");
	fleet_expect(host->run, host,
		     !other || strstr(other->value, "\"incoming\"") ||
			     strstr(other->value, "\"ended\""),
		     "takes a VM from a host that has it");
}

/* Makes a call in etcd. */
static void make_call(PlayedHost *host, FleetCall *call)
{
	FleetRun *run = host->run;
	bool is_done = true;

	host->is_disturbed |= call->is_orphan;
	check_claim(host, call);
	switch (call->kind) {
	case CALL_PUT:
		is_done = played_put(&run->etcd, call->key, call->value, call->lease);
		break;
	case CALL_REMOVE:
		played_delete(&run->etcd, call->key);
		break;
	case CALL_SWAP:
		is_done = guard_holds(run, call) &&
			  played_swap(&run->etcd, call->key, call->revision, call->value);
		if (is_done)
			check_landing(host, call);
		run->late += is_done && call->is_orphan;
		run->moves += is_done && call->value && call->revision > 0;
		break;
	}
	call->is_answered = true;
	call->done_revision = is_done ? run->etcd.revision : 0;
	call->outcome = is_done                   ? WANTED_DONE
			: call->kind == CALL_SWAP ? WANTED_LOST
						  : WANTED_FAILED;
}

/* Returns a call: one that is given up, or the first one of the others, which stay in order. */
static size_t choose_call(PlayedHost *host)
{
	size_t at = dice_roll(&host->run->dice, host->call_count);

	if (host->calls[at].is_orphan)
		return at;
	for (at = 0; host->calls[at].is_orphan; at++)
		;
	return at;
}

/* Claims are rare, and one that is given up on its way is the dangerous case. */
static bool is_lost_now(Dice *dice, const FleetCall *call)
{
	return dice_chance(dice, call->kind == CALL_SWAP ? 3 : 12);
}

/* Moves one call by one step: to etcd, or back to the host, or loses it. */
static void move_call(PlayedHost *host, bool may_lose)
{
	if (host->call_count == 0)
		return;
	size_t at = may_lose ? choose_call(host) : 0;
	FleetCall *call = &host->calls[at];
	bool is_lost = may_lose && is_lost_now(&host->run->dice, call);

	if (!call->is_answered && !is_lost) {
		make_call(host, call);
		return;
	}
	if (!call->is_orphan && is_lost) {
		/* The host gives it up, but etcd may still make it. */
		answer(host, call, WANTED_UNKNOWN);
		call->is_orphan = true;
		if (!call->is_answered && dice_chance(&host->run->dice, 2))
			return;
	} else if (!call->is_orphan) {
		answer(host, call, call->outcome);
	}
	drop_call(host, at);
}

/* Takes a lease or keeps it alive. The host counts from the time at which it asked. */
static void keep_lease(PlayedHost *host)
{
	FleetRun *run = host->run;
	uint64_t delay = dice_roll(&run->dice, 500);

	if (has_lease(host) && played_keep_alive(&run->etcd, host->lease, run->now + FLEET_TTL)) {
		host->lease_until = run->now - (run->now > delay ? delay : 0) + FLEET_TTL;
		return;
	}
	if (host->lease != 0) {
		run->expired++;
		host->lease = 0;
		wanted_lease(&host->wanted, false);
		return;
	}
	host->lease = played_grant(&run->etcd, run->now + FLEET_TTL);
	host->lease_until = run->now + FLEET_TTL;
	wanted_lease(&host->wanted, true);
}

static QuarantineOutcome roll_outcome(Dice *dice, bool may_fail)
{
	static const QuarantineOutcome failures[] = { QUARANTINE_REFUSED, QUARANTINE_HINDERED,
						      QUARANTINE_UNKNOWN };

	return may_fail && dice_chance(dice, 5) ? failures[dice_roll(dice, ARRAY_SIZE(failures))]
						: QUARANTINE_DONE;
}

/* may_fail: vaild may refuse the change, or its answer may be lost. */
static void finish_quarantine(PlayedHost *host, size_t vm, bool may_fail)
{
	QuarantineOutcome outcome = roll_outcome(&host->run->dice, may_fail);
	bool is_done = outcome == QUARANTINE_DONE ||
		       (outcome == QUARANTINE_UNKNOWN && dice_chance(&host->run->dice, 2));

	if (!host->is_setting[vm] || host->is_vaild_away)
		return;
	host->is_setting[vm] = false;
	/* Meanwhile an operator may have imposed one on this host; vaild would take the reason. */
	if (is_done && host->quarantined[vm] != QUARANTINE_OF_HOST) {
		host->quarantined[vm] = host->sets_to[vm] ? QUARANTINE_OF_FLEET : QUARANTINE_NONE;
		*(host->sets_to[vm] ? &host->run->imposed : &host->run->lifted) += 1;
	}
	/* The next facts show the change, unless they are older than the answer. */
	if (!may_fail || dice_chance(&host->run->dice, 2))
		read_facts(host);
	quarantines_answered(&host->quarantines, &host->run->guids[vm], outcome, host->run->now);
}

/* --- chance ---------------------------------------------------------------------------------- */

static FleetGuest roll_guest(FleetRun *run)
{
	if (dice_chance(&run->dice, 2))
		return FLEET_GUEST_RUNNING;
	return (FleetGuest)dice_roll(&run->dice, FLEET_GUEST_MIGRATED + 1);
}

static void change_host(PlayedHost *host)
{
	FleetRun *run = host->run;
	size_t vm = dice_roll(&run->dice, FLEET_VMS);

	switch (dice_roll(&run->dice, 13)) {
	case 12:
		host->guests[vm] = roll_guest(run);
		break;
	case 0:
	case 1:
	case 2:
		host->runs[vm] = !host->runs[vm];
		if (dice_chance(&run->dice, 3))
			host->guests[vm] = roll_guest(run);
		break;
	case 3:
		host->is_vaild_away = !host->is_vaild_away;
		break;
	case 4:
		host->is_cut_off = !host->is_cut_off;
		break;
	case 5:
		host->is_paused = !host->is_paused;
		break;
	case 6:
		stop_fleet(host);
		start_fleet(host);
		break;
	case 7:
		if (!host->is_setting[vm])
			host->quarantined[vm] = host->quarantined[vm] == QUARANTINE_OF_HOST
							? QUARANTINE_NONE
							: QUARANTINE_OF_HOST;
		break;
	default: {
		char key[FLEET_KEY_SIZE];
		const FleetKey fleet_key = fleet_key_quarantine(&run->guids[vm]);

		fleet_key_format(&fleet_key, key);
		if (dice_chance(&run->dice, 4))
			played_put(&run->etcd, key, dice_chance(&run->dice, 5) ? "?" : "{}", 0);
		else if (dice_chance(&run->dice, 3))
			played_put(&run->etcd, key, RELEASED, 0);
		else if (dice_chance(&run->dice, 3))
			played_delete(&run->etcd, key);
	}
	}
}

static void act(PlayedHost *host)
{
	FleetRun *run = host->run;

	if (host->is_cut_off)
		lose_reach(host);
	switch (dice_roll(&run->dice, 8)) {
	case 0:
		if (!host->is_cut_off && !host->is_reached)
			reach(host, true);
		break;
	case 1:
		if (!host->is_cut_off && host->is_reached)
			keep_lease(host);
		break;
	case 2:
	case 3:
		if (host->is_reached && host->cursor < run->etcd.event_count)
			show_event(host);
		break;
	case 4:
		read_facts(host);
		break;
	case 5:
		finish_quarantine(host, dice_roll(&run->dice, FLEET_VMS), true);
		break;
	default:
		break;
	}
	plan(host);
}

static void check_states(FleetRun *run)
{
	for (size_t i = 0; i < FLEET_HOSTS; i++) {
		const FleetEntry *entry = fleet_index_first(&run->hosts[i].index, FLEET_KEY_VM);

		for (; entry; entry = fleet_index_next(entry))
			run->conflicts += entry->value.vm.state == FLEET_VM_CONFLICT;
	}
}

void fleet_run_step(FleetRun *run)
{
	PlayedHost *host = &run->hosts[dice_roll(&run->dice, FLEET_HOSTS)];

	run->now += dice_chance(&run->dice, 200) ? dice_roll(&run->dice, 2 * FLEET_TTL)
						 : dice_roll(&run->dice, 20);
	played_expire(&run->etcd, run->now);
	if (dice_chance(&run->dice, 40))
		change_host(host);
	/* Calls are on their way also while their sender is paused or cut off. */
	if (dice_chance(&run->dice, 2))
		move_call(host, true);
	else if (!host->is_paused)
		act(host);
	check_states(run);
}

/* --- the settled fleet ----------------------------------------------------------------------- */

static void settle_host(PlayedHost *host)
{
	host->is_disturbed = host->call_count > 0;
	host->is_cut_off = false;
	host->is_paused = false;
	host->is_vaild_away = false;
	if (!host->is_reached)
		reach(host, false);
	keep_lease(host);
	while (host->call_count > 0)
		move_call(host, false);
	while (host->cursor < host->run->etcd.event_count)
		show_event(host);
	for (size_t i = 0; i < FLEET_VMS; i++)
		finish_quarantine(host, i, false);
	read_facts(host);
	plan(host);
}

static const PlayedKey *key_of(FleetRun *run, const FleetKey *key)
{
	char text[FLEET_KEY_SIZE];

	return played_find(&run->etcd, fleet_key_format(key, text));
}

static bool has_guest(const PlayedHost *host, size_t vm)
{
	return host->runs[vm] && host->guests[vm] != FLEET_GUEST_INCOMING &&
	       host->guests[vm] != FLEET_GUEST_MIGRATED;
}

/*
 * Exactly one of the hosts that run the guest is where/GUID, and says "running". If only hosts are
 * left whose VMMs wait for the guest, or have sent it away, where/GUID may name the last one.
 */
static void check_vm(FleetRun *run, size_t vm)
{
	const FleetKey where_key = fleet_key_where(&run->guids[vm]);
	const PlayedKey *where = key_of(run, &where_key);
	size_t hosts = 0, guests = 0, holders = 0;

	for (size_t i = 0; i < FLEET_HOSTS; i++) {
		PlayedHost *host = &run->hosts[i];
		const FleetKey vm_key = fleet_key_vm(&run->guids[vm], &host->id);
		const PlayedKey *found = key_of(run, &vm_key);
		char id[HANDLE_TEXT_LENGTH + 1], named[HANDLE_TEXT_LENGTH + 16];

		fleet_expect(run, host, (found != NULL) == host->runs[vm], "its key of a VM");
		if (!found)
			continue;
		hosts++;
		snprintf(named, sizeof(named), "{\"host\":\"%s\"", handle_format(&host->id, id));
		guests += has_guest(host, vm);
		bool is_there = where && has_guest(host, vm) && strstr(where->value, named);
		holders += is_there;
		fleet_expect(run, host, is_there == (strstr(found->value, "\"running\"") != NULL),
			     "says running if and only if it is where the VM is");
	}
	fleet_expect(run, NULL, holders == (guests > 0), "one host has a VM that runs");
	fleet_expect(run, NULL, where ? hosts > 0 : guests == 0, "where/GUID of a VM");
}

static void check_quarantines(FleetRun *run, PlayedHost *host)
{
	for (size_t i = 0; i < FLEET_VMS; i++) {
		const FleetKey key = fleet_key_quarantine(&run->guids[i]);
		const PlayedKey *found = key_of(run, &key);
		bool is_wanted = found && strcmp(found->value, RELEASED) != 0;

		/* A host that has not seen how the key was deleted keeps the quarantine. */
		fleet_expect(run, host,
			     (!found && !host->has_seen_deletion[i]) ||
				     host->quarantined[i] == QUARANTINE_OF_HOST ||
				     (host->quarantined[i] == QUARANTINE_OF_FLEET) == is_wanted,
			     "imposes the quarantines of the fleet, and no others");
	}
}

/* The host shows exactly what etcd has. */
static void check_index(FleetRun *run, PlayedHost *host)
{
	size_t count = 0;

	for (size_t i = 0; i < run->etcd.key_count; i++) {
		FleetKey key;

		cr_assert(fleet_key_parse(run->etcd.keys[i].key, &key));
		const FleetEntry *entry = fleet_index_find(&host->index, &key);
		fleet_expect(run, host,
			     entry && entry->mod_revision == run->etcd.keys[i].mod_revision,
			     "shows what etcd has");
	}
	for (FleetKeyKind kind = 0; kind < FLEET_KEY_KIND_MAX; kind++)
		count += host->index.counts[kind];
	fleet_expect(run, host, count == run->etcd.key_count, "shows nothing else");
}

void fleet_run_settle(FleetRun *run)
{
	for (size_t round = 0; round < 60; round++) {
		run->now += 1000;
		played_expire(&run->etcd, run->now);
		for (size_t i = 0; i < FLEET_HOSTS; i++)
			settle_host(&run->hosts[i]);
	}
	for (size_t i = 0; i < FLEET_VMS; i++)
		check_vm(run, i);
	for (size_t i = 0; i < FLEET_HOSTS; i++) {
		while (run->hosts[i].cursor < run->etcd.event_count)
			show_event(&run->hosts[i]);
		check_quarantines(run, &run->hosts[i]);
		check_index(run, &run->hosts[i]);
	}
}

void fleet_run_init(FleetRun *run, uint64_t seed)
{
	*run = (FleetRun){ .seed = seed, .dice.state = seed, .now = 1000 };
	played_etcd_init(&run->etcd);
	for (size_t i = 0; i < FLEET_VMS; i++) {
		char guid[GUID_TEXT_LENGTH + 1];

		snprintf(guid, sizeof(guid), "a000000%zu-2222-4333-8444-555555555555", i);
		cr_assert(guid_parse(guid, &run->guids[i]));
	}
	for (size_t i = 0; i < FLEET_HOSTS; i++) {
		run->hosts[i].run = run;
		memset(&run->hosts[i].id, (int)i + 1, sizeof(HostId));
		snprintf(run->hosts[i].name, sizeof(run->hosts[i].name), "host%zu", i);
		start_fleet(&run->hosts[i]);
	}
}

void fleet_run_deinit(FleetRun *run)
{
	for (size_t i = 0; i < FLEET_HOSTS; i++) {
		stop_fleet(&run->hosts[i]);
		while (run->hosts[i].call_count > 0)
			drop_call(&run->hosts[i], 0);
	}
	played_etcd_deinit(&run->etcd);
}
