/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/quarantine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"

void quarantines_init(Quarantines *quarantines, QuarantineSet *set, void *context)
{
	*quarantines = (Quarantines){ .set = set, .context = context };
	TAILQ_INIT(&quarantines->changes);
}

static void change_free(Quarantines *quarantines, QuarantineChange *change)
{
	TAILQ_REMOVE(&quarantines->changes, change, link);
	free(change);
}

void quarantines_deinit(Quarantines *quarantines)
{
	while (!TAILQ_EMPTY(&quarantines->changes))
		change_free(quarantines, TAILQ_FIRST(&quarantines->changes));
}

bool quarantine_is_of_fleet(const FleetLocalQuarantine *local)
{
	return strncmp(local->reason, QUARANTINE_REASON_OF_FLEET,
		       strlen(QUARANTINE_REASON_OF_FLEET)) == 0;
}

char *quarantine_reason(const FleetQuarantine *quarantine)
{
	char text[sizeof(QUARANTINE_REASON_OF_FLEET) + FLEET_TEXT_MAX];
	const char *reason = quarantine->reason;

	snprintf(text, sizeof(text), QUARANTINE_REASON_OF_FLEET "%s",
		 reason[0] ? reason : "no reason was given");
	return fleet_text_copy(text);
}

static QuarantineChange *find_change(const Quarantines *quarantines, const Guid *guid)
{
	QuarantineChange *change;

	TAILQ_FOREACH (change, &quarantines->changes, link)
		if (guid_compare(&change->guid, guid) == 0)
			return change;
	return NULL;
}

/* Tests whether a change of the GUID may begin now, and notes when to try again if not. */
static bool may_begin(Quarantines *quarantines, const QuarantineChange *change, uint64_t now)
{
	if (change->is_in_progress)
		return false;
	if (now >= change->quiet_until)
		return true;
	if (quarantines->due == 0 || change->quiet_until < quarantines->due)
		quarantines->due = change->quiet_until;
	return false;
}

/* Returns the change of the GUID, new if necessary; NULL if out of memory. */
static QuarantineChange *get_change(Quarantines *quarantines, const Guid *guid)
{
	QuarantineChange *change = find_change(quarantines, guid);

	if (change)
		return change;
	change = calloc(1, sizeof(*change));
	if (!change)
		return NULL;
	change->guid = *guid;
	TAILQ_INSERT_TAIL(&quarantines->changes, change, link);
	return change;
}

bool quarantines_deleted(Quarantines *quarantines, const Guid *guid)
{
	QuarantineChange *change = get_change(quarantines, guid);

	if (change)
		change->is_deleted = true;
	return change != NULL;
}

/* Begins a change. Returns false if out of memory. */
static bool begin(Quarantines *quarantines, const Guid *guid, const char *reason, uint64_t now)
{
	QuarantineChange *change = get_change(quarantines, guid);

	if (!change)
		return false;
	if (!may_begin(quarantines, change, now))
		return true;
	change->is_in_progress = true;
	change->is_deleted &= !reason;
	quarantines->set(quarantines->context, guid, reason);
	return true;
}

/* The fleet says this about a GUID. */
typedef struct Word {
	char *reason;     /* with which it has to be in quarantine; NULL for none */
	bool is_released; /* it must not be in quarantine; otherwise nothing is known without a
			     reason */
} Word;

/* Finds the word of the fleet. Returns false if out of memory. The caller frees the reason. */
static bool find_word(const Quarantines *quarantines, const FleetIndex *index, const Guid *guid,
		      Word *ret_word)
{
	const FleetKey key = fleet_key_quarantine(guid);
	const FleetEntry *entry = fleet_index_find(index, &key);
	const QuarantineChange *change = find_change(quarantines, guid);

	*ret_word = (Word){ .is_released = entry ? entry->value.quarantine.is_released
						 : change && change->is_deleted };
	if (!entry || ret_word->is_released)
		return true;
	ret_word->reason = quarantine_reason(&entry->value.quarantine);
	return ret_word->reason != NULL;
}

/*
 * Tests whether the GUID has what the fleet wants. The operators' own quarantine stays, with its
 * reason. If they lift it, that of the fleet is imposed.
 */
static bool is_settled(const FleetFacts *facts, const Guid *guid, const Word *word)
{
	const FleetLocalQuarantine *local = fleet_facts_quarantine(facts, guid);

	if (local && !quarantine_is_of_fleet(local))
		return true;
	if (word->reason)
		return local && strcmp(local->reason, word->reason) == 0;
	return !word->is_released || !local;
}

/* Imposes, changes or lifts the quarantine of one GUID. Returns false if out of memory. */
static bool plan_guid(Quarantines *quarantines, const FleetIndex *index, const FleetFacts *facts,
		      const Guid *guid, uint64_t now)
{
	Word word;

	if (!find_word(quarantines, index, guid, &word))
		return false;
	_cleanup_free_ char *reason = word.reason;
	if (is_settled(facts, guid, &word) || (!reason && !fleet_index_is_current(index)))
		return true;
	return begin(quarantines, guid, reason, now);
}

/* Forgets the changes that the facts show. */
static bool drop_settled(Quarantines *quarantines, const FleetIndex *index, const FleetFacts *facts)
{
	QuarantineChange *change, *next;

	for (change = TAILQ_FIRST(&quarantines->changes); change; change = next) {
		Word word;

		next = TAILQ_NEXT(change, link);
		if (!find_word(quarantines, index, &change->guid, &word))
			return false;
		_cleanup_free_ char *reason = word.reason;
		if (!change->is_in_progress && is_settled(facts, &change->guid, &word))
			change_free(quarantines, change);
	}
	return true;
}

bool quarantines_plan(Quarantines *quarantines, const FleetIndex *index, const FleetFacts *facts,
		      uint64_t now)
{
	const FleetEntry *entry = fleet_index_first(index, FLEET_KEY_QUARANTINE);

	quarantines->due = 0;
	if (!facts->is_known)
		return true;
	bool has_memory = drop_settled(quarantines, index, facts);
	for (; has_memory && entry; entry = fleet_index_next(entry))
		has_memory = plan_guid(quarantines, index, facts, &entry->key.vm, now);
	for (size_t i = 0; has_memory && i < facts->quarantine_count; i++)
		has_memory = plan_guid(quarantines, index, facts, &facts->quarantines[i].guid, now);
	return has_memory;
}

void quarantines_answered(Quarantines *quarantines, const Guid *guid, bool is_done, uint64_t now)
{
	QuarantineChange *change = find_change(quarantines, guid);

	if (!change)
		return;
	change->is_in_progress = false;
	change->quiet_until = now + (is_done ? QUARANTINE_SHOWN : QUARANTINE_PAUSE);
}
