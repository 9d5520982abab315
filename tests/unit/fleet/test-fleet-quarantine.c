/* SPDX-License-Identifier: MIT */
/* A host imposes and lifts the quarantines of the fleet, and leaves those of its operators alone.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/model/quarantine.h"
#include "proto/macros.h"

#define VM  "01000000-0000-0000-0000-000000000000"
#define KEY "quarantine/" VM

typedef struct Stage {
	FleetIndex index;
	Quarantines quarantines;
	FleetFacts facts;
	char log[512];
	Guid vm;
	uint64_t now;
} Stage;

static Stage stage;

static void on_set(void *context, const Guid *guid, const char *reason)
{
	(void)context;
	cr_assert_eq(guid_compare(guid, &stage.vm), 0);
	cr_assert(snprintf(stage.log, sizeof(stage.log), "%s", reason ? reason : "lift") > 0);
}

/* local: the reason of the VM's quarantine on this host, or NULL if it has none. */
static void begin_with(const char *local)
{
	const HostId self = { { 1 } };

	stage = (Stage){ .now = 1000 };
	cr_assert(guid_parse(VM, &stage.vm));
	cr_assert(fleet_index_init(&stage.index, &self));
	fleet_index_reach(&stage.index, true, NULL, 1);
	quarantines_init(&stage.quarantines, on_set, NULL);
	stage.facts.is_known = true;
	if (!local)
		return;
	stage.facts.quarantines = calloc(1, sizeof(*stage.facts.quarantines));
	stage.facts.quarantine_count = 1;
	stage.facts.quarantines[0] = (FleetLocalQuarantine){ stage.vm, strdup(local) };
}

static void end(void)
{
	fleet_index_deinit(&stage.index);
	quarantines_deinit(&stage.quarantines);
	fleet_facts_deinit(&stage.facts);
}

static void expect(const char *change)
{
	cr_assert(quarantines_plan(&stage.quarantines, &stage.index, &stage.facts, stage.now));
	cr_assert_str_eq(stage.log, change);
	stage.log[0] = '\0';
}

TestSuite(fleet_quarantine);

Test(fleet_quarantine, what_is_done)
{
	static const struct {
		const char *fleet, *local; /* NULL for no quarantine */
		bool is_reached, is_known;
		const char *change;
	} rows[] = {
		{ NULL, NULL, true, true, "" },
		{ "{\"reason\":\"r\"}", NULL, true, true, "fleet: r" },
		{ "{}", NULL, true, true, "fleet: no reason was given" },
		{ "?", NULL, true, true, "fleet: no reason was given" },
		{ "{\"reason\":\"r\"}", "fleet: r", true, true, "" },
		{ "{\"reason\":\"new\"}", "fleet: r", true, true, "fleet: new" },
		{ "{\"released\":true}", "fleet: r", true, true, "lift" },
		{ "{\"released\":true}", NULL, true, true, "" },
		{ "{\"released\":true}", "ours", true, true, "" },
		/* A key that is missing lifts nothing. */
		{ NULL, "fleet: r", true, true, "" },
		/* The operators' own. */
		{ "{\"reason\":\"r\"}", "ours", true, true, "" },
		{ "{\"reason\":\"r\"}", "", true, true, "" },
		{ NULL, "ours", true, true, "" },
		{ NULL, "", true, true, "" },
		{ NULL, "Fleet: r", true, true, "" },
		{ NULL, "fleet", true, true, "" },
		{ NULL, "fleet:r", true, true, "" },
		/* Without etcd, the last known quarantines are imposed, and none is lifted. */
		{ "{\"reason\":\"r\"}", NULL, false, true, "fleet: r" },
		{ "{\"released\":true}", "fleet: r", false, true, "" },
		/* Without vaild, nothing is known. */
		{ "{\"reason\":\"r\"}", NULL, true, false, "" },
		{ "{\"released\":true}", "fleet: r", true, false, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin_with(rows[i].local);
		if (rows[i].fleet)
			fleet_index_put(&stage.index, KEY, rows[i].fleet, 1, 1);
		fleet_index_reach(&stage.index, rows[i].is_reached, NULL, 1);
		stage.facts.is_known = rows[i].is_known;
		expect(rows[i].change);
		end();
	}
}

Test(fleet_quarantine, a_change_is_begun_once)
{
	begin_with(NULL);
	fleet_index_put(&stage.index, KEY, "{}", 1, 1);
	expect("fleet: no reason was given");
	expect("");
	end();
}

Test(fleet_quarantine, a_refused_change_is_repeated_after_a_pause)
{
	begin_with(NULL);
	fleet_index_put(&stage.index, KEY, "{}", 1, 1);
	expect("fleet: no reason was given");
	quarantines_answered(&stage.quarantines, &stage.vm, QUARANTINE_REFUSED, stage.now);
	stage.now += QUARANTINE_PAUSE - 1;
	expect("");
	cr_assert_eq(stage.quarantines.due, stage.now + 1);
	stage.now++;
	expect("fleet: no reason was given");
	end();
}

/* Begins a change that vaild refuses several times. */
static void begin_refused(void)
{
	begin_with(NULL);
	fleet_index_put(&stage.index, KEY, "{\"reason\":\"r\"}", 1, 1);
	for (int i = 0; i < 3; i++) {
		expect("fleet: r");
		quarantines_answered(&stage.quarantines, &stage.vm, QUARANTINE_REFUSED, stage.now);
		expect("");
		stage.now = i < 2 ? stage.quarantines.due : stage.now + 1;
	}
}

static void expect_first_pause(void)
{
	quarantines_answered(&stage.quarantines, &stage.vm, QUARANTINE_REFUSED, stage.now);
	expect("");
	cr_assert_eq(stage.quarantines.due, stage.now + QUARANTINE_PAUSE);
	end();
}

Test(fleet_quarantine, a_vaild_that_is_back_ends_the_pause)
{
	begin_refused();
	stage.facts.is_known = false;
	expect("");
	stage.facts.is_known = true;
	expect("fleet: r");
	expect_first_pause();
}

Test(fleet_quarantine, another_reason_ends_the_pause)
{
	begin_refused();
	fleet_index_put(&stage.index, KEY, "{\"reason\":\"new\"}", 2, 1);
	expect("fleet: new");
	expect_first_pause();
}

static void show_local(const char *reason)
{
	fleet_facts_deinit(&stage.facts);
	stage.facts = (FleetFacts){ .is_known = true };
	if (!reason)
		return;
	stage.facts.quarantines = calloc(1, sizeof(*stage.facts.quarantines));
	stage.facts.quarantine_count = 1;
	stage.facts.quarantines[0] = (FleetLocalQuarantine){ stage.vm, strdup(reason) };
}

Test(fleet_quarantine, a_deletion_waits_for_the_facts_of_the_imposition)
{
	begin_with(NULL);
	fleet_index_put(&stage.index, KEY, "{\"reason\":\"r\"}", 1, 1);
	expect("fleet: r");
	fleet_index_delete(&stage.index, KEY, 2, 1);
	cr_assert(quarantines_deleted(&stage.quarantines, &stage.vm));
	quarantines_answered(&stage.quarantines, &stage.vm, QUARANTINE_DONE, stage.now);
	expect("");
	stage.now += 10 * QUARANTINE_SHOWN;
	show_local("fleet: r");
	expect("lift");
	quarantines_answered(&stage.quarantines, &stage.vm, QUARANTINE_DONE, stage.now);
	show_local(NULL);
	expect("");
	cr_assert(RB_EMPTY(&stage.quarantines.changes));
	end();
}

Test(fleet_quarantine, a_deletion_is_forgotten_when_vaild_is_back_without_the_imposition)
{
	begin_with(NULL);
	fleet_index_put(&stage.index, KEY, "{\"reason\":\"r\"}", 1, 1);
	expect("fleet: r");
	quarantines_answered(&stage.quarantines, &stage.vm, QUARANTINE_DONE, stage.now);
	fleet_index_delete(&stage.index, KEY, 2, 1);
	cr_assert(quarantines_deleted(&stage.quarantines, &stage.vm));
	stage.facts.is_known = false;
	expect("");
	stage.facts.is_known = true;
	expect("");
	cr_assert(RB_EMPTY(&stage.quarantines.changes));
	end();
}

Test(fleet_quarantine, a_long_reason_is_imposed_once)
{
	char reason[FLEET_TEXT_MAX + 1] = "", value[FLEET_TEXT_MAX + 32];
	const FleetQuarantine quarantine = { .reason = reason };

	memset(reason, 'r', FLEET_TEXT_MAX);
	snprintf(value, sizeof(value), "{\"reason\":\"%s\"}", reason);
	_cleanup_free_ char *imposed = quarantine_reason(&quarantine);
	cr_assert_eq(strlen(imposed), FLEET_TEXT_MAX);
	begin_with(imposed);
	fleet_index_put(&stage.index, KEY, value, 1, 1);
	expect("");
	end();
}

Test(fleet_quarantine, an_incomplete_index_lifts_nothing)
{
	begin_with("fleet: r");
	stage.index.is_incomplete = true;
	cr_assert(quarantines_deleted(&stage.quarantines, &stage.vm));
	expect("");
	fleet_index_begin_snapshot(&stage.index);
	fleet_index_end_snapshot(&stage.index, 5, 1);
	expect("lift");
	end();
}

Test(fleet_quarantine, another_etcd_lifts_nothing)
{
	begin_with("fleet: r");
	fleet_index_put(&stage.index, KEY, "{\"reason\":\"r\"}", 9, 1);
	expect("");
	fleet_index_begin_snapshot(&stage.index);
	fleet_index_end_snapshot(&stage.index, 1, 1);
	expect("");
	fleet_index_begin_snapshot(&stage.index);
	fleet_index_end_snapshot(&stage.index, 20, 1);
	expect("");
	end();
}

Test(fleet_quarantine, a_deleted_key_lifts_once_and_a_new_one_imposes)
{
	begin_with("fleet: r");
	fleet_index_put(&stage.index, KEY, "{\"reason\":\"r\"}", 9, 1);
	fleet_index_delete(&stage.index, KEY, 10, 1);
	cr_assert(quarantines_deleted(&stage.quarantines, &stage.vm));
	fleet_index_put(&stage.index, KEY, "{\"reason\":\"r\"}", 11, 1);
	expect("");
	fleet_index_delete(&stage.index, KEY, 12, 1);
	cr_assert(quarantines_deleted(&stage.quarantines, &stage.vm));
	expect("lift");
	end();
}

/* Imposes, and loses the answer after the key was deleted. */
static void lose_the_answer_of_a_deleted_one(void)
{
	begin_with(NULL);
	fleet_index_put(&stage.index, KEY, "{\"reason\":\"r\"}", 1, 1);
	expect("fleet: r");
	fleet_index_delete(&stage.index, KEY, 2, 1);
	cr_assert(quarantines_deleted(&stage.quarantines, &stage.vm));
	quarantines_answered(&stage.quarantines, &stage.vm, QUARANTINE_UNKNOWN, stage.now);
	expect("");
}

Test(fleet_quarantine, a_deletion_waits_for_an_imposition_whose_answer_was_lost)
{
	lose_the_answer_of_a_deleted_one();
	stage.now += QUARANTINE_PAUSE;
	show_local("fleet: r");
	expect("lift");
	quarantines_answered(&stage.quarantines, &stage.vm, QUARANTINE_DONE, stage.now);
	show_local(NULL);
	expect("");
	cr_assert(RB_EMPTY(&stage.quarantines.changes));
	end();
}

Test(fleet_quarantine, a_lost_answer_is_forgotten_when_vaild_is_back_without_the_imposition)
{
	lose_the_answer_of_a_deleted_one();
	stage.facts.is_known = false;
	expect("");
	stage.facts.is_known = true;
	expect("");
	cr_assert(RB_EMPTY(&stage.quarantines.changes));
	end();
}

Test(fleet_quarantine, a_refusal_does_not_end_the_wait_for_an_earlier_imposition)
{
	begin_with(NULL);
	fleet_index_put(&stage.index, KEY, "{\"reason\":\"r\"}", 1, 1);
	expect("fleet: r");
	quarantines_answered(&stage.quarantines, &stage.vm, QUARANTINE_DONE, stage.now);
	stage.now += QUARANTINE_SHOWN;
	expect("fleet: r");
	fleet_index_delete(&stage.index, KEY, 2, 1);
	cr_assert(quarantines_deleted(&stage.quarantines, &stage.vm));
	quarantines_answered(&stage.quarantines, &stage.vm, QUARANTINE_REFUSED, stage.now);
	expect("");
	stage.now += QUARANTINE_PAUSE;
	show_local("fleet: r");
	expect("lift");
	end();
}

Test(fleet_quarantine, a_release_does_not_end_the_wait_for_an_earlier_imposition)
{
	begin_with(NULL);
	fleet_index_put(&stage.index, KEY, "{\"reason\":\"r\"}", 1, 1);
	expect("fleet: r");
	quarantines_answered(&stage.quarantines, &stage.vm, QUARANTINE_DONE, stage.now);
	fleet_index_put(&stage.index, KEY, "{\"released\":true}", 2, 1);
	expect("");
	fleet_index_delete(&stage.index, KEY, 3, 1);
	cr_assert(quarantines_deleted(&stage.quarantines, &stage.vm));
	expect("");
	stage.now += QUARANTINE_PAUSE;
	show_local("fleet: r");
	expect("lift");
	end();
}

/* Repeats a change that has this outcome each time. The pauses do not grow. */
static void expect_equal_pauses(QuarantineOutcome outcome, uint64_t pause)
{
	begin_with(NULL);
	fleet_index_put(&stage.index, KEY, "{\"reason\":\"r\"}", 1, 1);
	for (int i = 0; i < QUARANTINE_DOUBLINGS; i++) {
		expect("fleet: r");
		quarantines_answered(&stage.quarantines, &stage.vm, outcome, stage.now);
		expect("");
		cr_assert_eq(stage.quarantines.due, stage.now + pause);
		stage.now = stage.quarantines.due;
	}
	expect("fleet: r");
	expect_first_pause();
}

Test(fleet_quarantine, a_pause_grows_only_if_the_change_itself_is_refused)
{
	expect_equal_pauses(QUARANTINE_HINDERED, QUARANTINE_PAUSE);
	expect_equal_pauses(QUARANTINE_UNKNOWN, QUARANTINE_PAUSE);
	expect_equal_pauses(QUARANTINE_OVERTAKEN, QUARANTINE_SHOWN);
}

Test(fleet_quarantine, a_vaild_that_is_back_ends_the_pause_of_a_hindered_change)
{
	begin_with(NULL);
	fleet_index_put(&stage.index, KEY, "{\"reason\":\"r\"}", 1, 1);
	expect("fleet: r");
	quarantines_answered(&stage.quarantines, &stage.vm, QUARANTINE_HINDERED, stage.now);
	stage.facts.is_known = false;
	expect("");
	stage.facts.is_known = true;
	expect("fleet: r");
	end();
}

#define MANY 50000

static Guid many_guid(size_t number)
{
	Guid guid = { .bytes = { 1 } };

	memcpy(guid.bytes + 8, &number, sizeof(number));
	return guid;
}

static size_t begun;
static Guid last_begun[QUARANTINE_CHANGES_MAX];

static void on_many(void *context, const Guid *guid, const char *reason)
{
	(void)context;
	(void)reason;
	cr_assert_lt(begun, QUARANTINE_CHANGES_MAX);
	last_begun[begun++] = *guid;
}

/* Plans and answers until nothing can begin now. The facts do not show the results meanwhile. */
static size_t impose_all(QuarantineOutcome outcome)
{
	size_t count = 0;

	do {
		begun = 0;
		cr_assert(quarantines_plan(&stage.quarantines, &stage.index, &stage.facts,
					   stage.now));
		for (size_t i = 0; i < begun; i++)
			quarantines_answered(&stage.quarantines, &last_begun[i], outcome,
					     stage.now);
		count += begun;
	} while (begun > 0);
	return count;
}

static void begin_with_many(void)
{
	begin_with(NULL);
	stage.quarantines.set = on_many;
	for (size_t i = 0; i < MANY; i++) {
		const Guid guid = many_guid(i);
		const FleetKey fleet_key = fleet_key_quarantine(&guid);
		char key[FLEET_KEY_SIZE];

		fleet_index_put(&stage.index, fleet_key_format(&fleet_key, key), "{}",
				(int64_t)i + 1, stage.now);
	}
}

Test(fleet_quarantine, many_are_looked_at_only_a_few_times)
{
	begin_with_many();
	cr_assert_eq(impose_all(QUARANTINE_DONE), MANY);
	cr_assert_leq(stage.quarantines.looks, 6 * MANY);
	end();
}

Test(fleet_quarantine, many_hindered_ones_share_the_calls)
{
	begin_with_many();
	cr_assert_eq(impose_all(QUARANTINE_HINDERED), MANY);
	for (int i = 0; i < 2; i++) {
		stage.now += MANY * QUARANTINE_SHARE;
		cr_assert_eq(impose_all(QUARANTINE_HINDERED), MANY);
		cr_assert_eq(impose_all(QUARANTINE_HINDERED), 0);
		cr_assert_eq(stage.quarantines.due, stage.now + MANY * QUARANTINE_SHARE);
	}
	end();
}

Test(fleet_quarantine, a_change_that_is_refused_again_waits_longer)
{
	uint64_t pause = QUARANTINE_PAUSE;

	begin_with(NULL);
	fleet_index_put(&stage.index, KEY, "{}", 1, 1);
	for (int i = 0; i < QUARANTINE_DOUBLINGS + 2; i++) {
		expect("fleet: no reason was given");
		quarantines_answered(&stage.quarantines, &stage.vm, QUARANTINE_REFUSED, stage.now);
		expect("");
		cr_assert_eq(stage.quarantines.due, stage.now + pause);
		stage.now = stage.quarantines.due;
		if (i < QUARANTINE_DOUBLINGS)
			pause *= 2;
	}
	end();
}

/* Puts a quarantine of the fleet into the index. The revision grows with the number. */
static void put_many(size_t first, size_t end, const char *value)
{
	for (size_t i = first; i < end; i++) {
		const Guid guid = many_guid(MANY - i);
		const FleetKey fleet_key = fleet_key_quarantine(&guid);
		char key[FLEET_KEY_SIZE];

		fleet_index_put(&stage.index, fleet_key_format(&fleet_key, key), value,
				(int64_t)i + 1, stage.now);
	}
}

Test(fleet_quarantine, the_oldest_released_one_is_forgotten_if_there_are_too_many)
{
	const FleetEntry *oldest;
	const Guid first = many_guid(MANY - 10);

	begin_with(NULL);
	cr_assert_null(quarantine_to_forget(&stage.index));
	put_many(0, 10, "{}");
	put_many(10, 10 + QUARANTINE_RELEASED_MAX, "{\"released\":true}");
	cr_assert_null(quarantine_to_forget(&stage.index));
	put_many(10 + QUARANTINE_RELEASED_MAX, 11 + QUARANTINE_RELEASED_MAX, "{\"released\":true}");
	oldest = quarantine_to_forget(&stage.index);
	cr_assert_not_null(oldest);
	cr_assert_eq(guid_compare(&oldest->key.vm, &first), 0);
	cr_assert_eq(oldest->mod_revision, 11);
	end();
}
