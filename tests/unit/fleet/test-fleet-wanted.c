/* SPDX-License-Identifier: MIT */
/* The changes that a host makes in etcd: claims, leases, hand-overs, conflicts and repairs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/model/wanted.h"
#include "proto/macros.h"

#define VM         "01000000-0000-0000-0000-000000000000"
#define SELF       "01000000000000000000000000000000"
#define OTHER      "02000000000000000000000000000000"
#define THIRD      "03000000000000000000000000000000"
#define SELF_VM    "vms/" VM "/" SELF
#define OTHER_VM   "vms/" VM "/" OTHER
#define HERE(host) "{\"host\":\"" host "\"}"
#define RUNNING    "{\"state\":\"running\"}"

typedef struct Stage {
	FleetIndex index;
	Wanted wanted;
	FleetFacts facts;
	char log[2048];  /* changes since the last look */
	char guard[256]; /* of the last swap: the own key, the other key, and its revision */
	char value[512]; /* of it */
	int64_t revision;
	uint64_t now;
} Stage;

static Stage stage;

static void note(const char *verb, const char *key, const char *detail)
{
	size_t length = strlen(stage.log);

	snprintf(stage.log + length, sizeof(stage.log) - length, "%s %s%s;", verb, key, detail);
}

static const char *state_in(const char *value)
{
	return strstr(value, "\"state\":\"running\"")    ? " running"
	       : strstr(value, "\"state\":\"incoming\"") ? " incoming"
	       : strstr(value, "\"state\":\"conflict\"") ? " conflict"
	       : strstr(value, "\"state\":\"ended\"")    ? " ended"
	       : strstr(value, "vaildIsAway")            ? " away"
							 : "";
}

static void on_put(void *context, const char *key, const char *value)
{
	(void)context;
	note("put", key, state_in(value));
}

static void on_remove(void *context, const char *key)
{
	(void)context;
	note("remove", key, "");
}

static void on_swap(void *context, const char *key, int64_t revision, const char *value,
		    const WantedGuard *guard)
{
	char detail[64];

	(void)context;
	snprintf(stage.value, sizeof(stage.value), "%s", value ? value : "");
	snprintf(stage.guard, sizeof(stage.guard), "%s %s %d", guard ? guard->own : "-",
		 guard && guard->other ? guard->other : "-",
		 guard ? (int)guard->other_revision : 0);
	snprintf(detail, sizeof(detail), " from %d%s", (int)revision, value ? "" : " to nothing");
	note("swap", key, detail);
}

static void add_vm(void)
{
	stage.facts.vms = calloc(1, sizeof(*stage.facts.vms));
	stage.facts.vm_count = 1;
	cr_assert(guid_parse(VM, &stage.facts.vms[0].guid));
	stage.facts.vms[0].vm.name = strdup("vm");
	stage.facts.vms[0].vm.date = strdup("today");
}

static void begin(void)
{
	const WantedActions actions = { NULL, on_put, on_remove, on_swap };
	HostId self;

	cr_assert(host_id_parse(SELF, &self));
	stage = (Stage){ .revision = 100, .now = 1000000 };
	cr_assert(fleet_index_init(&stage.index, &self));
	wanted_init(&stage.wanted, &actions);
	stage.facts.is_known = true;
	stage.facts.host.name = strdup("self");
	fleet_index_reach(&stage.index, true, NULL, stage.now);
	wanted_lease(&stage.wanted, true);
	add_vm();
}

static void end(void)
{
	fleet_index_deinit(&stage.index);
	wanted_deinit(&stage.wanted);
	fleet_facts_deinit(&stage.facts);
}

TestSuite(fleet_wanted, .init = begin, .fini = end);

/* Plans, and expects exactly these changes. */
static void expect(const char *changes)
{
	cr_assert(wanted_plan(&stage.wanted, &stage.index, &stage.facts, "today", stage.now));
	cr_assert_str_eq(stage.log, changes);
	stage.log[0] = '\0';
}

static void show(const char *key, const char *value)
{
	stage.revision++;
	if (value)
		fleet_index_put(&stage.index, key, value, stage.revision, stage.now);
	else
		fleet_index_delete(&stage.index, key, stage.revision, stage.now);
	wanted_noticed(&stage.wanted, &stage.index, key, stage.now);
}

static void answer(const char *key, WantedOutcome outcome)
{
	wanted_answered(&stage.wanted, key, outcome, outcome == WANTED_DONE ? stage.revision : 0,
			stage.now);
}

/* Answers a put of the host's own key as done. The watch is silent about it. */
static void done(const char *key)
{
	answer(key, WANTED_DONE);
}

/* The host and its VM are in etcd, and the VM is its own. */
static void settle(void)
{
	expect("put " SELF_VM " running;put hosts/" SELF ";");
	done("hosts/" SELF);
	done(SELF_VM);
	expect("swap where/" VM " from 0;");
	show("where/" VM, HERE(SELF));
	answer("where/" VM, WANTED_DONE);
	expect("");
}

Test(fleet_wanted, a_new_vm_is_put_and_then_claimed)
{
	settle();
}

static void rename_vm(const char *name)
{
	free(stage.facts.vms[0].vm.name);
	stage.facts.vms[0].vm.name = strdup(name);
}

Test(fleet_wanted, a_vm_that_changes_all_the_time_is_put_once_in_an_interval)
{
	settle();
	stage.now += WANTED_INTERVAL;
	rename_vm("first");
	expect("put " SELF_VM " running;");
	done(SELF_VM);
	for (size_t i = 0; i < 8; i++) {
		rename_vm(i % 2 ? "second" : "third");
		expect("");
		cr_assert_eq(stage.wanted.due, 1000000u + 2 * WANTED_INTERVAL);
		stage.now += WANTED_INTERVAL / 8;
	}
	expect("put " SELF_VM " running;");
}

Test(fleet_wanted, a_second_change_is_put_within_a_second)
{
	settle();
	rename_vm("second");
	expect("");
	stage.now += 999;
	expect("put " SELF_VM " running;");
}

Test(fleet_wanted, another_state_is_put_at_once)
{
	settle();
	rename_vm("first");
	expect("");
	show("where/" VM, HERE(OTHER));
	show(OTHER_VM, RUNNING);
	expect("put " SELF_VM " conflict;");
	done(SELF_VM);
	stage.facts.is_known = false;
	expect("put hosts/" SELF " away;");
}

Test(fleet_wanted, a_delayed_put_delays_no_claim)
{
	expect("put " SELF_VM " running;put hosts/" SELF ";");
	done("hosts/" SELF);
	done(SELF_VM);
	rename_vm("first");
	expect("swap where/" VM " from 0;");
}

Test(fleet_wanted, nothing_happens_without_lease_or_reach)
{
	wanted_lease(&stage.wanted, false);
	expect("");
	wanted_lease(&stage.wanted, true);
	fleet_index_reach(&stage.index, false, "x", stage.now);
	expect("");
	fleet_index_reach(&stage.index, true, NULL, stage.now);
	stage.index.is_incomplete = true;
	expect("");
}

Test(fleet_wanted, a_new_lease_puts_everything_again_and_claims_nothing_anew)
{
	settle();
	wanted_lease(&stage.wanted, false);
	expect("");
	wanted_lease(&stage.wanted, true);
	expect("put " SELF_VM " running;put hosts/" SELF ";");
}

Test(fleet_wanted, a_claim_waits_for_the_key_of_the_present_lease)
{
	expect("put " SELF_VM " running;put hosts/" SELF ";");
	wanted_lease(&stage.wanted, false);
	wanted_lease(&stage.wanted, true);
	done(SELF_VM); /* with the lease that is lost */
	expect("put " SELF_VM " running;");
	done(SELF_VM);
	expect("swap where/" VM " from 0;");
}

Test(fleet_wanted, who_may_be_replaced)
{
	static const struct {
		const char *state; /* of the other host's key; NULL if it is absent */
		bool is_replaced;
	} rows[] = {
		{ NULL, true },
		{ "{\"state\":\"incoming\"}", true },
		{ "{\"state\":\"ended\"}", true },
		{ "{\"state\":\"running\"}", false },
		{ "{\"state\":\"conflict\"}", false },
		{ "{\"state\":\"unheard-of\"}", false },
		{ "{}", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		end();
		begin();
		show("where/" VM, HERE(OTHER));
		if (rows[i].state)
			show(OTHER_VM, rows[i].state);
		expect(rows[i].is_replaced ? "put " SELF_VM " running;put hosts/" SELF ";"
					   : "put " SELF_VM " incoming;put hosts/" SELF ";");
		done(SELF_VM);
		expect(rows[i].is_replaced ? "swap where/" VM " from 101;" : "");
	}
}

/* A swap may land late, so etcd has to compare what it rests on. */
Test(fleet_wanted, a_claim_rests_on_both_hosts_keys)
{
	static const struct {
		const char *vm; /* the other host's key; NULL for none */
		const char *guard;
	} rows[] = { { NULL, SELF_VM " " OTHER_VM " 0" },
		     { "{\"state\":\"incoming\"}", SELF_VM " " OTHER_VM " 103" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		end();
		begin();
		show("hosts/" OTHER, "{}");
		show("where/" VM, HERE(OTHER));
		if (rows[i].vm)
			show(OTHER_VM, rows[i].vm);
		expect("put " SELF_VM " running;put hosts/" SELF ";");
		done(SELF_VM);
		expect("swap where/" VM " from 102;");
		cr_assert_str_eq(stage.guard, rows[i].guard);
	}
}

Test(fleet_wanted, a_claim_from_nobody_rests_on_the_own_key)
{
	settle();
	cr_assert_str_eq(stage.guard, SELF_VM " - 0");
}

Test(fleet_wanted, a_migration_flips_once)
{
	show("where/" VM, HERE(OTHER));
	show(OTHER_VM, RUNNING);
	expect("put " SELF_VM " incoming;put hosts/" SELF ";");
	done(SELF_VM);
	show(OTHER_VM, NULL);
	expect("put " SELF_VM " running;");
	done(SELF_VM);
	expect("swap where/" VM " from 101;");
	expect("");
	show("where/" VM, HERE(SELF));
	answer("where/" VM, WANTED_DONE);
	expect("");
}

#define ENDED "{\"state\":\"ended\"}"

/* The destination's VMM waits for the guest, and then runs it. The source's lives on all the time.
 */
Test(fleet_wanted, the_destination_claims_when_the_guest_has_moved)
{
	show("where/" VM, HERE(OTHER));
	show(OTHER_VM, RUNNING);
	stage.facts.vms[0].guest = FLEET_GUEST_INCOMING;
	expect("put " SELF_VM " incoming;put hosts/" SELF ";");
	done("hosts/" SELF);
	done(SELF_VM);
	expect("");
	show(OTHER_VM, ENDED);
	expect("");
	stage.facts.vms[0].guest = FLEET_GUEST_RUNNING;
	expect("put " SELF_VM " running;");
	done(SELF_VM);
	expect("swap where/" VM " from 101;");
	show("where/" VM, HERE(SELF));
	answer("where/" VM, WANTED_DONE);
	expect("");
}

/* The guest has not arrived, so nobody has it. */
Test(fleet_wanted, a_vmm_that_waits_claims_nothing)
{
	stage.facts.vms[0].guest = FLEET_GUEST_INCOMING;
	show("where/" VM, HERE(OTHER));
	show("hosts/" OTHER, "{}");
	expect("put " SELF_VM " incoming;put hosts/" SELF ";");
	done("hosts/" SELF);
	done(SELF_VM);
	expect("");
	show("where/" VM, NULL);
	expect("");
}

Test(fleet_wanted, the_source_has_the_vm_until_another_host_claims_it)
{
	settle();
	stage.facts.vms[0].guest = FLEET_GUEST_RUNNING;
	show(OTHER_VM, "{\"state\":\"incoming\"}");
	expect("");
	stage.facts.vms[0].guest = FLEET_GUEST_MIGRATED;
	expect("put " SELF_VM " ended;");
	done(SELF_VM);
	expect("");
	/* The destination dies, and the source goes on. */
	show(OTHER_VM, NULL);
	stage.facts.vms[0].guest = FLEET_GUEST_RUNNING;
	expect("put " SELF_VM " running;");
	done(SELF_VM);
	expect("");
}

Test(fleet_wanted, a_source_that_goes_on_after_the_migration_is_in_conflict)
{
	settle();
	stage.facts.vms[0].guest = FLEET_GUEST_MIGRATED;
	expect("put " SELF_VM " ended;");
	done(SELF_VM);
	show(OTHER_VM, RUNNING);
	show("where/" VM, HERE(OTHER));
	expect("");
	stage.facts.vms[0].guest = FLEET_GUEST_RUNNING;
	expect("put " SELF_VM " conflict;");
}

Test(fleet_wanted, a_guest_that_runs_where_the_fleet_says_does_not_run_twice)
{
	ClaimMemory memory = { .has_held = false };

	show("where/" VM, HERE(SELF));
	show(SELF_VM, RUNNING);
	FleetVmState state =
		claim_state(&stage.index, &stage.facts.vms[0].guid, UINT64_MAX, stage.now, &memory);
	cr_assert_eq(
		claim_conflict_time(state, FLEET_GUEST_RUNNING, UINT64_MAX, stage.now, &memory),
		UINT64_MAX);
	cr_assert_eq(memory.runs_twice_since, 0);
}

Test(fleet_wanted, the_overlap_of_two_vmms_ends_when_one_sends_the_guest_away)
{
	show("where/" VM, HERE(OTHER));
	show(OTHER_VM, RUNNING);
	stage.facts.vms[0].guest = FLEET_GUEST_RUNNING;
	expect("put " SELF_VM " incoming;put hosts/" SELF ";");
	done("hosts/" SELF);
	done(SELF_VM);
	stage.facts.vms[0].guest = FLEET_GUEST_MIGRATED;
	expect("put " SELF_VM " ended;");
	done(SELF_VM);
	stage.now += 2 * CLAIM_OVERLAP_MAX;
	stage.facts.vms[0].guest = FLEET_GUEST_RUNNING;
	expect("put " SELF_VM " incoming;");
	done(SELF_VM);
	expect("");
	cr_assert_eq(stage.wanted.due, stage.now + CLAIM_OVERLAP_MAX);
}

/* News from the source may be late. */
Test(fleet_wanted, two_vmms_that_run_the_guest_are_in_conflict_after_a_while)
{
	show("where/" VM, HERE(OTHER));
	show(OTHER_VM, RUNNING);
	stage.facts.vms[0].guest = FLEET_GUEST_RUNNING;
	expect("put " SELF_VM " incoming;put hosts/" SELF ";");
	done("hosts/" SELF);
	done(SELF_VM);
	cr_assert_eq(stage.wanted.due, stage.now + CLAIM_OVERLAP_MAX);
	stage.now += CLAIM_OVERLAP_MAX - 1;
	expect("");
	stage.now++;
	expect("put " SELF_VM " conflict;");
	done(SELF_VM);
	show(OTHER_VM, ENDED);
	expect("put " SELF_VM " running;");
	done(SELF_VM);
	expect("swap where/" VM " from 101;");
}

Test(fleet_wanted, the_source_leaves_where_to_the_destination)
{
	settle();
	show(OTHER_VM, "{\"state\":\"incoming\"}");
	fleet_facts_clear_vms(&stage.facts);
	expect("remove " SELF_VM ";");
	done(SELF_VM);
	show("where/" VM, HERE(OTHER));
	expect("");
}

Test(fleet_wanted, an_ended_vm_is_nowhere)
{
	settle();
	fleet_facts_clear_vms(&stage.facts);
	expect("remove " SELF_VM ";swap where/" VM " from 101 to nothing;");
	show("where/" VM, NULL);
	answer("where/" VM, WANTED_DONE);
	done(SELF_VM);
	expect("");
}

Test(fleet_wanted, the_loser_of_a_swap_is_in_conflict)
{
	expect("put " SELF_VM " running;put hosts/" SELF ";");
	done(SELF_VM);
	expect("swap where/" VM " from 0;");
	show(OTHER_VM, RUNNING);
	show("where/" VM, HERE(OTHER));
	answer("where/" VM, WANTED_LOST);
	expect("put " SELF_VM " conflict;");
	done(SELF_VM);
	show(OTHER_VM, NULL);
	expect("put " SELF_VM " running;");
}

Test(fleet_wanted, a_host_that_is_replaced_while_its_vm_runs_is_in_conflict)
{
	settle();
	show(OTHER_VM, RUNNING);
	show("where/" VM, HERE(OTHER));
	expect("put " SELF_VM " conflict;");
}

/* vaild-fleet was away, and another host has claimed the VM meanwhile. */
Test(fleet_wanted, after_a_restart_a_vm_that_ran_before_is_in_conflict)
{
	static const struct {
		const char *own; /* key of the earlier life; NULL if its lease has expired */
		const char *where;
		const char *changes;
	} rows[] = {
		{ RUNNING, HERE(OTHER), "put " SELF_VM " conflict;put hosts/" SELF ";" },
		{ "{\"state\":\"conflict\"}", HERE(OTHER),
		  "put " SELF_VM " conflict;put hosts/" SELF ";" },
		{ NULL, "{\"host\":\"" OTHER "\",\"previousHost\":\"" SELF "\"}",
		  "put " SELF_VM " conflict;put hosts/" SELF ";" },
		/* The destination of a migration, which waits. */
		{ "{\"state\":\"incoming\"}",
		  "{\"host\":\"" OTHER "\",\"previousHost\":\"" SELF "\"}",
		  "put " SELF_VM " incoming;put hosts/" SELF ";" },
		{ NULL, "{\"host\":\"" OTHER "\",\"previousHost\":\"" THIRD "\"}",
		  "put " SELF_VM " incoming;put hosts/" SELF ";" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		end();
		begin();
		show("where/" VM, rows[i].where);
		show(OTHER_VM, RUNNING);
		if (rows[i].own)
			show(SELF_VM, rows[i].own);
		expect(rows[i].changes);
	}
}

/* A migration back is none of this, because vaild-fleet has seen the VM end here. */
Test(fleet_wanted, a_vm_that_comes_later_is_incoming)
{
	fleet_facts_clear_vms(&stage.facts);
	expect("put hosts/" SELF ";");
	done("hosts/" SELF);
	show("where/" VM, "{\"host\":\"" OTHER "\",\"previousHost\":\"" SELF "\"}");
	show(OTHER_VM, RUNNING);
	add_vm();
	expect("put " SELF_VM " incoming;");
}

/* The VM comes back in a new VMM, which has the guest before news come from the source. */
static void guest_comes_back(const char *changes)
{
	stage.facts.vms[0].guest = FLEET_GUEST_INCOMING;
	expect(changes);
	done("hosts/" SELF);
	done(SELF_VM);
	stage.facts.vms[0].guest = FLEET_GUEST_RUNNING;
	expect("");
	stage.now += CLAIM_OVERLAP_MAX - 1;
	expect("");
	stage.now++;
	expect("put " SELF_VM " conflict;");
}

Test(fleet_wanted, a_guest_that_comes_back_is_incoming_until_news_are_overdue)
{
	settle();
	stage.facts.vms[0].guest = FLEET_GUEST_MIGRATED;
	expect("put " SELF_VM " ended;");
	done(SELF_VM);
	show(OTHER_VM, RUNNING);
	show("where/" VM, HERE(OTHER));
	expect("");
	guest_comes_back("put " SELF_VM " incoming;");
}

Test(fleet_wanted, after_a_restart_a_guest_that_comes_back_is_incoming)
{
	show("where/" VM, "{\"host\":\"" OTHER "\",\"previousHost\":\"" SELF "\"}");
	show(OTHER_VM, RUNNING);
	guest_comes_back("put " SELF_VM " incoming;put hosts/" SELF ";");
}

Test(fleet_wanted, a_claim_names_the_host_before)
{
	show("where/" VM, HERE(THIRD));
	expect("put " SELF_VM " running;put hosts/" SELF ";");
	done(SELF_VM);
	expect("swap where/" VM " from 101;");
	cr_assert_not_null(strstr(stage.value, "\"previousHost\":\"" THIRD "\""));
}

Test(fleet_wanted, a_vm_that_comes_back_is_not_in_conflict)
{
	settle();
	fleet_facts_clear_vms(&stage.facts);
	show(OTHER_VM, RUNNING);
	expect("remove " SELF_VM ";");
	show("where/" VM, HERE(OTHER));
	add_vm();
	expect("");
	done(SELF_VM);
	expect("put " SELF_VM " incoming;");
}

Test(fleet_wanted, a_lost_swap_waits_for_the_watch)
{
	expect("put " SELF_VM " running;put hosts/" SELF ";");
	done(SELF_VM);
	expect("swap where/" VM " from 0;");
	answer("where/" VM, WANTED_LOST);
	expect("");
	show("where/" VM, HERE(THIRD)); /* a host whose key is absent */
	expect("swap where/" VM " from 101;");
}

/* The host has a claim in progress, from a host that is there without the VM. */
static void claim_from_other(void)
{
	show("hosts/" OTHER, "{}");
	show("where/" VM, HERE(OTHER));
	expect("put " SELF_VM " running;put hosts/" SELF ";");
	done("hosts/" SELF);
	done(SELF_VM);
	expect("swap where/" VM " from 102;");
}

Test(fleet_wanted, a_claim_lost_by_its_guard_waits_for_the_other_key)
{
	claim_from_other();
	answer("where/" VM, WANTED_LOST);
	expect("");
	show(OTHER_VM, "{\"state\":\"incoming\"}");
	expect("swap where/" VM " from 102;");
}

Test(fleet_wanted, a_claim_overtaken_before_its_answer_has_no_pause)
{
	static const char *const keys[] = { "where/" VM, OTHER_VM };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		end();
		begin();
		claim_from_other();
		show(keys[i], i == 0 ? HERE(OTHER) : "{\"state\":\"incoming\"}");
		answer("where/" VM, WANTED_LOST);
		expect(i == 0 ? "swap where/" VM " from 103;" : "swap where/" VM " from 102;");
		/* Nothing has happened since then. */
		answer("where/" VM, WANTED_LOST);
		expect("");
	}
}

Test(fleet_wanted, a_claim_lost_with_an_earlier_lease_has_no_pause)
{
	for (int is_late = 0; is_late < 2; is_late++) {
		end();
		begin();
		claim_from_other();
		if (!is_late)
			answer("where/" VM, WANTED_LOST);
		wanted_lease(&stage.wanted, false);
		wanted_lease(&stage.wanted, true);
		if (is_late)
			answer("where/" VM, WANTED_LOST);
		expect("put " SELF_VM " running;put hosts/" SELF ";");
		done(SELF_VM);
		expect("swap where/" VM " from 102;");
	}
}

/* Nothing tells that another try would do better. */
Test(fleet_wanted, news_of_other_keys_ends_no_pause_of_a_failure)
{
	claim_from_other();
	answer("where/" VM, WANTED_FAILED);
	show(OTHER_VM, "{\"state\":\"incoming\"}");
	expect("");
}

Test(fleet_wanted, a_swap_that_is_done_waits_for_the_watch)
{
	expect("put " SELF_VM " running;put hosts/" SELF ";");
	done(SELF_VM);
	expect("swap where/" VM " from 0;");
	stage.revision++;
	answer("where/" VM, WANTED_DONE);
	expect("");
	stage.now += 10 * WANTED_PAUSE;
	expect("");
}

Test(fleet_wanted, an_unknown_swap_is_repeated_after_a_pause_with_its_fence)
{
	expect("put " SELF_VM " running;put hosts/" SELF ";");
	done("hosts/" SELF);
	done(SELF_VM);
	expect("swap where/" VM " from 0;");
	answer("where/" VM, WANTED_UNKNOWN);
	stage.now += WANTED_PAUSE - 1;
	expect("");
	cr_assert_eq(stage.wanted.due, stage.now + 1);
	stage.now++;
	expect("swap where/" VM " from 0;");
}

Test(fleet_wanted, a_failed_put_is_repeated_after_a_pause)
{
	expect("put " SELF_VM " running;put hosts/" SELF ";");
	answer("hosts/" SELF, WANTED_FAILED);
	expect("");
	stage.now += WANTED_PAUSE;
	expect("put hosts/" SELF ";");
}

Test(fleet_wanted, keys_of_an_earlier_life_are_removed)
{
	show(SELF_VM, RUNNING);
	show("gpus/" SELF "/gone", "{}");
	show("gpus/" OTHER "/a", "{}");
	show("vms/02000000-0000-0000-0000-000000000000/" SELF, RUNNING);
	show("where/02000000-0000-0000-0000-000000000000", HERE(SELF));
	expect("put " SELF_VM " running;put hosts/" SELF ";"
	       "remove vms/02000000-0000-0000-0000-000000000000/" SELF ";"
	       "remove gpus/" SELF "/gone;"
	       "swap where/02000000-0000-0000-0000-000000000000 from 105 to nothing;");
}

Test(fleet_wanted, nothing_is_removed_or_claimed_while_vaild_is_away)
{
	stage.facts.is_known = false;
	show("gpus/" SELF "/a", "{}");
	expect("put " SELF_VM " running;put hosts/" SELF " away;");
	done(SELF_VM);
	expect("");
}

Test(fleet_wanted, somebody_elses_changes_are_mended_with_pauses)
{
	settle();
	show(SELF_VM, "{}");
	expect("put " SELF_VM " running;");
	done(SELF_VM);
	show(SELF_VM, NULL);
	expect("");
	stage.now += WANTED_PAUSE;
	expect("put " SELF_VM " running;");
	/* The end of the lease deletes keys, too, so a deletion blames nobody. */
	cr_assert_eq(stage.wanted.mended, 1);
	done(SELF_VM);
	show(SELF_VM, "{}");
	cr_assert_eq(stage.wanted.mended, 2);
}

Test(fleet_wanted, a_new_value_waits_for_the_answer_about_the_old_one)
{
	expect("put " SELF_VM " running;put hosts/" SELF ";");
	stage.facts.vms[0].vm.vgpus = 2;
	expect("");
	done(SELF_VM);
	expect("swap where/" VM " from 0;");
	stage.now += WANTED_INTERVAL;
	expect("put " SELF_VM " running;");
}

Test(fleet_wanted, a_restored_etcd_gets_everything_again)
{
	settle();
	fleet_index_begin_snapshot(&stage.index);
	fleet_index_end_snapshot(&stage.index, 3, stage.now);
	wanted_noticed(&stage.wanted, &stage.index, NULL, stage.now);
	stage.revision = 3;
	expect("put " SELF_VM " running;put hosts/" SELF ";");
	cr_assert_eq(stage.wanted.mended, 0);
	done("hosts/" SELF);
	done(SELF_VM);
	expect("swap where/" VM " from 0;");
}

Test(fleet_wanted, a_host_that_is_away_keeps_its_vms_for_a_time)
{
	stage.wanted.patience = 15000;
	show("where/" VM, HERE(OTHER));
	show("hosts/" OTHER, "{}");
	show(OTHER_VM, RUNNING);
	expect("put " SELF_VM " incoming;put hosts/" SELF ";");
	done("hosts/" SELF);
	done(SELF_VM);
	show("hosts/" OTHER, NULL);
	show(OTHER_VM, NULL);
	stage.now += 14999;
	expect("");
	cr_assert_eq(stage.wanted.due, stage.now + 1);
	show("hosts/" OTHER, "{\"vaildIsAway\":true}");
	expect("");
	stage.now++;
	expect("put " SELF_VM " running;");
}

Test(fleet_wanted, a_host_that_is_there_without_its_vm_has_lost_it)
{
	stage.wanted.patience = 15000;
	show("where/" VM, HERE(OTHER));
	show("hosts/" OTHER, "{}");
	expect("put " SELF_VM " running;put hosts/" SELF ";");
}
