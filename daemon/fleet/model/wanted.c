/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/wanted.h"

#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"

static int compare_keys(const WantedKey *a, const WantedKey *b)
{
	return fleet_key_compare(&a->key, &b->key);
}

RB_GENERATE_INTERNAL(WantedKeyTree, WantedKey, link, compare_keys, __attribute__((unused)) static)

void wanted_init(Wanted *wanted, const WantedActions *actions)
{
	*wanted = (Wanted){ .actions = *actions };
	RB_INIT(&wanted->tree);
}

static void key_free(Wanted *wanted, WantedKey *key)
{
	RB_REMOVE(WantedKeyTree, &wanted->tree, key);
	free(key->text);
	free(key);
}

void wanted_deinit(Wanted *wanted)
{
	WantedKey *key, *next;

	for (key = RB_MIN(WantedKeyTree, &wanted->tree); key; key = next) {
		next = RB_NEXT(WantedKeyTree, &wanted->tree, key);
		key_free(wanted, key);
	}
}

static WantedKey *find_key(const Wanted *wanted, const FleetKey *key)
{
	const WantedKey wanted_key = { .key = *key };

	return RB_FIND(WantedKeyTree, (WantedKeyTree *)&wanted->tree, (WantedKey *)&wanted_key);
}

static WantedKey *get_key(Wanted *wanted, const FleetKey *fleet_key)
{
	WantedKey *key = find_key(wanted, fleet_key);

	if (key)
		return key;
	key = calloc(1, sizeof(*key));
	if (!key)
		return NULL;
	key->key = *fleet_key;
	RB_INSERT(WantedKeyTree, &wanted->tree, key);
	return key;
}

void wanted_lease(Wanted *wanted, bool is_held)
{
	WantedKey *key;

	wanted->is_leased = is_held;
	if (!is_held)
		return;
	wanted->lease++;
	RB_FOREACH (key, WantedKeyTree, &wanted->tree)
		if (fleet_key_is_leased(&key->key) || key->is_lost)
			key->quiet_until = 0;
}

/* --- single changes -------------------------------------------------------------------------- */

/* Lets the plan be made again at that time or before. */
static void plan_at(Wanted *wanted, uint64_t time)
{
	if (wanted->due == 0 || time < wanted->due)
		wanted->due = time;
}

/* Tests whether the time has come, and notes when to plan again if not. */
static bool is_due(Wanted *wanted, uint64_t time, uint64_t now)
{
	if (now >= time)
		return true;
	plan_at(wanted, time);
	return false;
}

/* Tests whether a change of the key may begin now, and notes when to try again if not. */
static bool may_begin(Wanted *wanted, const WantedKey *key, uint64_t now)
{
	return !key->is_in_progress && is_due(wanted, key->quiet_until, now);
}

typedef enum Put {
	PUT_DONE, /* etcd has this value, or an older one of the same state, with the present lease
		   */
	PUT_BEGUN,
	PUT_NO_MEMORY,
} Put;

/*
 * Puts a leased key unless that is done, in progress or too early. Takes over the text, which may
 * be NULL. state: the part of the text that must not wait.
 */
static Put want_put(Wanted *wanted, WantedKey *key, char *text, unsigned int state, uint64_t now)
{
	_cleanup_free_ char *value = text;
	char name[FLEET_KEY_SIZE];

	if (!value)
		return PUT_NO_MEMORY;
	if (key->lease == wanted->lease && key->text && strcmp(key->text, value) == 0)
		return PUT_DONE;
	if (!may_begin(wanted, key, now))
		return PUT_BEGUN;
	if (key->lease == wanted->lease && key->state == state &&
	    !is_due(wanted, key->sent_at + WANTED_INTERVAL, now))
		return PUT_DONE;
	key->sent_at = now;
	key->state = state;
	free(key->text);
	key->text = TAKE_POINTER(value);
	key->lease = 0;
	key->sent_lease = wanted->lease;
	key->is_in_progress = true;
	key->may_exist = true;
	wanted->actions.put(wanted->actions.context, fleet_key_format(&key->key, name), key->text);
	return PUT_BEGUN;
}

static void want_removal(Wanted *wanted, WantedKey *key, uint64_t now)
{
	char name[FLEET_KEY_SIZE];

	if (!may_begin(wanted, key, now))
		return;
	free(key->text);
	key->text = NULL;
	key->lease = 0;
	key->is_in_progress = true;
	key->may_exist = false;
	wanted->actions.remove(wanted->actions.context, fleet_key_format(&key->key, name));
}

/*
 * Swaps where/GUID from the revision that the index shows. value: NULL to delete it. guard: of a
 * claim.
 */
static void want_swap(Wanted *wanted, WantedKey *key, const FleetIndex *index, const char *value,
		      const WantedGuard *guard, uint64_t now)
{
	const FleetEntry *where = fleet_index_find(index, &key->key);
	int64_t revision = where ? where->mod_revision : 0;
	char name[FLEET_KEY_SIZE];

	/* The index shows a state from before this host's last swap. */
	if (key->revision > index->revision || !may_begin(wanted, key, now))
		return;
	key->sent_lease = wanted->lease;
	key->is_in_progress = true;
	key->is_overtaken = false;
	key->is_lost = false;
	wanted->claims++;
	wanted->actions.swap(wanted->actions.context, fleet_key_format(&key->key, name), revision,
			     value, guard);
}

/* --- the plan -------------------------------------------------------------------------------- */

typedef struct Plan {
	Wanted *wanted;
	const FleetIndex *index;
	const FleetFacts *facts;
	const char *date;
	uint64_t now;
} Plan;

/* Marks a key as wanted. Returns NULL if out of memory. */
static WantedKey *plan_key(const Plan *plan, const FleetKey *fleet_key)
{
	WantedKey *key = get_key(plan->wanted, fleet_key);

	if (key)
		key->is_wanted = true;
	return key;
}

static bool plan_host(const Plan *plan)
{
	const FleetKey fleet_key = fleet_key_host(&plan->index->self);
	WantedKey *key = plan_key(plan, &fleet_key);
	FleetValue value = { .kind = FLEET_KEY_HOST, .host = plan->facts->host };

	value.host.is_vaild_away = !plan->facts->is_known;
	return key && want_put(plan->wanted, key, fleet_value_format(&value),
			       value.host.is_vaild_away, plan->now) != PUT_NO_MEMORY;
}

/* Writes where/GUID of a VM of this host. Returns NULL if out of memory. */
static char *format_where(const Plan *plan, const FleetLocalVm *local)
{
	const FleetEntry *where = fleet_index_where(plan->index, &local->guid);
	FleetValue value = {
		.kind = FLEET_KEY_WHERE,
		.where = { .host = plan->index->self,
			   .host_name = plan->facts->host.name,
			   .vm_name = local->vm.name,
			   .date = (char *)plan->date },
	};

	if (where)
		value.where.previous = where->value.where.host;
	return fleet_value_format(&value);
}

/* Begins the claim of a VM, with all that it rests on. */
static void claim(const Plan *plan, WantedKey *key, const WantedKey *vm_key, const char *value)
{
	const FleetEntry *where = fleet_index_where(plan->index, &key->key.vm);
	char own[FLEET_KEY_SIZE], other[FLEET_KEY_SIZE];
	WantedGuard guard = { .own = fleet_key_format(&vm_key->key, own) };

	if (where) {
		const FleetKey holder = fleet_key_vm(&key->key.vm, &where->value.where.host);
		const FleetEntry *vm = fleet_index_find(plan->index, &holder);

		guard.other = fleet_key_format(&holder, other);
		guard.other_revision = vm ? vm->mod_revision : 0;
	}
	want_swap(plan->wanted, key, plan->index, value, &guard, plan->now);
}

/* Claims where/GUID of a running VM unless it names this host already. */
static bool plan_claim(const Plan *plan, const FleetLocalVm *local, WantedKey *key,
		       WantedKey *vm_key)
{
	if (!claim_is_missing(plan->index, &local->guid) || !plan->facts->is_known)
		return true;
	_cleanup_free_ char *value = format_where(plan, local);
	if (!value)
		return false;
	claim(plan, key, vm_key, value);
	vm_key->memory.has_tried |= key->is_in_progress;
	return true;
}

/* Finds the state to be shown of a VM whose VMM has the guest. */
static FleetVmState find_state(const Plan *plan, const FleetLocalVm *local, ClaimMemory *memory)
{
	const FleetEntry *where = fleet_index_where(plan->index, &local->guid);
	uint64_t time = claim_time(plan->index, where, plan->wanted->patience);
	FleetVmState state = claim_state(plan->index, &local->guid, time, plan->now, memory);
	uint64_t conflict = claim_conflict_time(state, local->guest, time, plan->now, memory);

	if (state == FLEET_VM_INCOMING && conflict < UINT64_MAX &&
	    is_due(plan->wanted, conflict, plan->now))
		return FLEET_VM_CONFLICT;
	if (state != FLEET_VM_RUNNING && time < UINT64_MAX)
		plan_at(plan->wanted, time);
	return state;
}

static bool plan_vm(const Plan *plan, const FleetLocalVm *local)
{
	const FleetKey vm_fleet_key = fleet_key_vm(&local->guid, &plan->index->self);
	const FleetKey where_fleet_key = fleet_key_where(&local->guid);
	WantedKey *key = plan_key(plan, &vm_fleet_key);
	WantedKey *where_key = plan_key(plan, &where_fleet_key);
	FleetValue value = { .kind = FLEET_KEY_VM, .vm = local->vm };

	if (!key || !where_key)
		return false;
	if (!plan->wanted->has_planned)
		claim_recall(plan->index, &local->guid, &key->memory);
	/* A guest that is awaited does not run here any more, so it may come back. */
	if (local->guest == FLEET_GUEST_INCOMING)
		key->memory = (ClaimMemory){ .has_held = false };
	if (local->guest == FLEET_GUEST_MIGRATED)
		key->memory.runs_twice_since = 0;
	if (local->guest == FLEET_GUEST_INCOMING)
		value.vm.state = FLEET_VM_INCOMING;
	else if (local->guest == FLEET_GUEST_MIGRATED)
		value.vm.state = FLEET_VM_ENDED;
	else
		value.vm.state = find_state(plan, local, &key->memory);
	Put put =
		want_put(plan->wanted, key, fleet_value_format(&value), value.vm.state, plan->now);
	if (put == PUT_DONE && value.vm.state == FLEET_VM_RUNNING)
		return plan_claim(plan, local, where_key, key);
	return put != PUT_NO_MEMORY;
}

static bool plan_gpu(const Plan *plan, const FleetLocalGpu *local)
{
	const FleetKey fleet_key = fleet_key_gpu(&plan->index->self, local->address);
	WantedKey *key = plan_key(plan, &fleet_key);
	const FleetValue value = { .kind = FLEET_KEY_GPU, .gpu = local->gpu };

	return key && want_put(plan->wanted, key, fleet_value_format(&value), 0, plan->now) !=
			      PUT_NO_MEMORY;
}

/* Makes a record of each key that etcd has of this host, so that those not wanted are removed. */
static bool plan_found(const Plan *plan)
{
	const FleetEntry *entry;

	TAILQ_FOREACH (entry, &plan->index->own, own)
		if (!get_key(plan->wanted, &entry->key))
			return false;
	return true;
}

/* Removes an unwanted key from etcd, and frees its record once etcd does not have it any more. */
static void plan_unwanted(const Plan *plan, WantedKey *key)
{
	Wanted *wanted = plan->wanted;
	bool is_shown = fleet_index_find(plan->index, &key->key) != NULL;

	key->memory = (ClaimMemory){ .has_held = false };
	if (key->key.kind == FLEET_KEY_WHERE) {
		if (claim_is_left_over(plan->index, &key->key.vm))
			want_swap(wanted, key, plan->index, NULL, NULL, plan->now);
		else if (!key->is_in_progress)
			key_free(wanted, key);
	} else if (key->may_exist || is_shown) {
		want_removal(wanted, key, plan->now);
	} else if (!key->is_in_progress) {
		key_free(wanted, key);
	}
}

static bool plan_wanted(const Plan *plan)
{
	bool has_memory = true;

	for (size_t i = 0; has_memory && i < plan->facts->vm_count; i++)
		has_memory = plan_vm(plan, &plan->facts->vms[i]);
	for (size_t i = 0; has_memory && i < plan->facts->gpu_count; i++)
		has_memory = plan_gpu(plan, &plan->facts->gpus[i]);
	/* After the VMs, because a host that is there without a VM has lost it to others. */
	return has_memory && plan_host(plan) && plan_found(plan);
}

bool wanted_plan(Wanted *wanted, const FleetIndex *index, const FleetFacts *facts, const char *date,
		 uint64_t now)
{
	const Plan plan = { wanted, index, facts, date, now };
	WantedKey *key, *next;

	wanted->due = 0;
	if (!wanted->is_leased || !fleet_index_is_current(index))
		return true;
	RB_FOREACH (key, WantedKeyTree, &wanted->tree)
		key->is_wanted = false;
	if (!plan_wanted(&plan))
		return false;
	/* While vaild is away, nobody knows whether a VM has ended. */
	if (!facts->is_known)
		return true;
	wanted->has_planned = true;
	for (key = RB_MIN(WantedKeyTree, &wanted->tree); key; key = next) {
		next = RB_NEXT(WantedKeyTree, &wanted->tree, key);
		if (!key->is_wanted)
			plan_unwanted(&plan, key);
	}
	return true;
}

/* --- answers and news ------------------------------------------------------------------------ */

/*
 * Tests whether another change may begin at once, because this host has learned since the swap why
 * it was lost.
 */
static bool is_explained(const Wanted *wanted, const WantedKey *key)
{
	return key->is_lost && (key->is_overtaken || key->sent_lease != wanted->lease);
}

void wanted_answered(Wanted *wanted, const char *name, WantedOutcome outcome, int64_t revision,
		     uint64_t now)
{
	FleetKey fleet_key;
	WantedKey *key = fleet_key_parse(name, &fleet_key) ? find_key(wanted, &fleet_key) : NULL;

	if (!key || !key->is_in_progress)
		return;
	key->is_in_progress = false;
	key->is_lost = outcome == WANTED_LOST;
	if (outcome == WANTED_DONE) {
		key->revision = revision;
		key->lease = key->text ? key->sent_lease : 0;
	} else if (!is_explained(wanted, key)) {
		key->quiet_until = now + WANTED_PAUSE;
	}
	/* The pause ends when the index shows why the swap was lost. */
	wanted->lost += key->is_lost;
	/* A removal that may not have happened is repeated. */
	if (outcome != WANTED_DONE && !key->text && fleet_key_is_leased(&key->key))
		key->may_exist = true;
}

/* Lets a leased key be put again if etcd no longer has what this host has put. */
static void mend(Wanted *wanted, WantedKey *key, const FleetIndex *index, uint64_t now)
{
	const FleetEntry *entry = fleet_index_find(index, &key->key);

	if (key->lease == 0 || index->revision < key->revision ||
	    (entry && entry->text && strcmp(entry->text, key->text) == 0))
		return;
	key->lease = 0;
	if (key->mended > 0)
		key->quiet_until = key->mended + WANTED_PAUSE;
	key->mended = now;
	wanted->mended += entry != NULL;
}

static void key_noticed(Wanted *wanted, WantedKey *key, const FleetIndex *index, uint64_t now)
{
	if (fleet_key_is_leased(&key->key))
		mend(wanted, key, index, now);
	else if (!key->is_in_progress)
		key->quiet_until = 0;
	key->is_overtaken = true;
}

/* Ends the pause of a lost claim when a key of the VM changes, on which the claim may rest. */
static void claim_noticed(Wanted *wanted, const Guid *vm)
{
	const FleetKey fleet_key = fleet_key_where(vm);
	WantedKey *where = find_key(wanted, &fleet_key);

	if (!where)
		return;
	where->is_overtaken = true;
	if (where->is_lost)
		where->quiet_until = 0;
}

/*
 * Forgets a change that a snapshot from before it does not have. The snapshot was asked for after
 * the change was done, so etcd was restored, and the change is undone.
 */
static void forget_undone(WantedKey *key, const FleetIndex *index)
{
	if (key->revision <= index->revision)
		return;
	key->revision = 0;
	key->lease = 0;
}

void wanted_noticed(Wanted *wanted, const FleetIndex *index, const char *name, uint64_t now)
{
	FleetKey fleet_key;
	WantedKey *key;

	if (!name) {
		RB_FOREACH (key, WantedKeyTree, &wanted->tree) {
			forget_undone(key, index);
			key_noticed(wanted, key, index, now);
		}
		return;
	}
	if (!fleet_key_parse(name, &fleet_key))
		return;
	key = find_key(wanted, &fleet_key);
	if (key)
		key_noticed(wanted, key, index, now);
	if (fleet_key.kind == FLEET_KEY_VM)
		claim_noticed(wanted, &fleet_key.vm);
}
