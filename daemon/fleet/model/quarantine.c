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
	return strncmp(local->reason, FLEET_REASON, strlen(FLEET_REASON)) == 0;
}

char *quarantine_reason(const FleetQuarantine *quarantine)
{
	char text[sizeof(FLEET_REASON) + FLEET_TEXT_MAX];
	const char *reason = quarantine->reason;

	snprintf(text, sizeof(text), FLEET_REASON "%s", reason[0] ? reason : "no reason was given");
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

/* Begins a change. Returns false if out of memory. */
static bool begin(Quarantines *quarantines, const Guid *guid, const char *reason, uint64_t now)
{
	QuarantineChange *change = find_change(quarantines, guid);

	if (!change) {
		change = calloc(1, sizeof(*change));
		if (!change)
			return false;
		change->guid = *guid;
		TAILQ_INSERT_TAIL(&quarantines->changes, change, link);
	}
	if (!may_begin(quarantines, change, now))
		return true;
	change->is_in_progress = true;
	quarantines->set(quarantines->context, guid, reason);
	return true;
}

/* Imposes one of the fleet's quarantines, unless the GUID is in quarantine with that reason. */
static bool plan_imposing(Quarantines *quarantines, const FleetEntry *entry,
			  const FleetFacts *facts, uint64_t now)
{
	const FleetLocalQuarantine *local = fleet_facts_quarantine(facts, &entry->key.vm);

	/* The operators' own reason stays. If they lift theirs, the fleet's is imposed. */
	if (local && !quarantine_is_of_fleet(local))
		return true;
	_cleanup_free_ char *reason = quarantine_reason(&entry->value.quarantine);
	if (!reason)
		return false;
	if (local && strcmp(local->reason, reason) == 0)
		return true;
	return begin(quarantines, &entry->key.vm, reason, now);
}

/* Lifts one of this host's quarantines if it was the fleet's, which has lifted it. */
static bool plan_lifting(Quarantines *quarantines, const FleetIndex *index,
			 const FleetLocalQuarantine *local, uint64_t now)
{
	const FleetKey key = fleet_key_quarantine(&local->guid);

	if (!quarantine_is_of_fleet(local) || fleet_index_find(index, &key))
		return true;
	return begin(quarantines, &local->guid, NULL, now);
}

bool quarantines_plan(Quarantines *quarantines, const FleetIndex *index, const FleetFacts *facts,
		      uint64_t now)
{
	bool has_memory = true, may_lift = fleet_index_is_current(index);
	const FleetEntry *entry = fleet_index_first(index, FLEET_KEY_QUARANTINE);

	quarantines->due = 0;
	if (!facts->is_known)
		return true;
	for (; has_memory && entry; entry = fleet_index_next(entry))
		has_memory = plan_imposing(quarantines, entry, facts, now);
	for (size_t i = 0; has_memory && may_lift && i < facts->quarantine_count; i++)
		has_memory = plan_lifting(quarantines, index, &facts->quarantines[i], now);
	return has_memory;
}

void quarantines_answered(Quarantines *quarantines, const Guid *guid, bool is_done, uint64_t now)
{
	QuarantineChange *change = find_change(quarantines, guid);

	if (!change)
		return;
	if (is_done) {
		change_free(quarantines, change);
		return;
	}
	change->is_in_progress = false;
	change->quiet_until = now + QUARANTINE_PAUSE;
}
