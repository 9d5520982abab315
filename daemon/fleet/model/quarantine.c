/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/quarantine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"

static int compare_changes(const QuarantineChange *a, const QuarantineChange *b)
{
	return guid_compare(&a->guid, &b->guid);
}

RB_GENERATE_INTERNAL(QuarantineChangeTree, QuarantineChange, link, compare_changes,
		     __attribute__((unused)) static)

void quarantines_init(Quarantines *quarantines, QuarantineSet *set, void *context)
{
	*quarantines = (Quarantines){ .set = set, .context = context };
	RB_INIT(&quarantines->changes);
}

static void change_free(Quarantines *quarantines, QuarantineChange *change)
{
	RB_REMOVE(QuarantineChangeTree, &quarantines->changes, change);
	quarantines->count--;
	free(change);
}

void quarantines_deinit(Quarantines *quarantines)
{
	while (!RB_EMPTY(&quarantines->changes))
		change_free(quarantines, RB_ROOT(&quarantines->changes));
}

const FleetEntry *quarantine_to_forget(const FleetIndex *index)
{
	const FleetEntry *entry = fleet_index_first(index, FLEET_KEY_QUARANTINE), *oldest = NULL;
	size_t count = 0;

	for (; entry; entry = fleet_index_next(entry)) {
		if (!entry->value.quarantine.is_released)
			continue;
		count++;
		if (!oldest || entry->mod_revision < oldest->mod_revision)
			oldest = entry;
	}
	return count > QUARANTINE_RELEASED_MAX ? oldest : NULL;
}

bool quarantine_is_of_fleet(const FleetLocalQuarantine *local)
{
	return strncmp(local->reason, QUARANTINE_REASON_OF_FLEET,
		       strlen(QUARANTINE_REASON_OF_FLEET)) == 0;
}

#define REASON_SIZE (sizeof(QUARANTINE_REASON_OF_FLEET) + FLEET_TEXT_MAX)

static const char *write_reason(const FleetQuarantine *quarantine, char text[REASON_SIZE])
{
	const char *reason = quarantine->reason;

	snprintf(text, REASON_SIZE, QUARANTINE_REASON_OF_FLEET "%s",
		 reason[0] ? reason : "no reason was given");
	return text;
}

char *quarantine_reason(const FleetQuarantine *quarantine)
{
	char text[REASON_SIZE];

	return fleet_text_copy(write_reason(quarantine, text));
}

/* Tests whether the local quarantine has the reason of the fleet's, which may have been cut. */
static bool has_reason(const FleetLocalQuarantine *local, const FleetQuarantine *quarantine)
{
	char text[REASON_SIZE];
	size_t length = strlen(local->reason), whole = strlen(write_reason(quarantine, text));

	if (whole <= FLEET_TEXT_MAX)
		return strcmp(text, local->reason) == 0;
	/* The cut is behind a whole character of at most 4 bytes. */
	return length > FLEET_TEXT_MAX - 4 && strncmp(text, local->reason, length) == 0;
}

static QuarantineChange *find_change(const Quarantines *quarantines, const Guid *guid)
{
	const QuarantineChange wanted = { .guid = *guid };

	return RB_FIND(QuarantineChangeTree, (QuarantineChangeTree *)&quarantines->changes,
		       (QuarantineChange *)&wanted);
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
	RB_INSERT(QuarantineChangeTree, &quarantines->changes, change);
	quarantines->count++;
	return change;
}

bool quarantines_deleted(Quarantines *quarantines, const Guid *guid)
{
	QuarantineChange *change = get_change(quarantines, guid);

	if (change)
		change->is_deleted = true;
	return change != NULL;
}

/* The fleet says this about a GUID. */
typedef struct Word {
	const FleetQuarantine *imposed; /* NULL for none */
	int64_t revision;               /* of the key; 0 without one */
	bool is_released; /* it must not be in quarantine; otherwise nothing is known without one
			   */
} Word;

static Word find_word(const FleetIndex *index, const Guid *guid, const QuarantineChange *change)
{
	const FleetKey key = fleet_key_quarantine(guid);
	const FleetEntry *entry = fleet_index_find(index, &key);

	if (!entry)
		return (Word){ .is_released = change && change->is_deleted };
	if (entry->value.quarantine.is_released)
		return (Word){ .revision = entry->mod_revision, .is_released = true };
	return (Word){ .revision = entry->mod_revision, .imposed = &entry->value.quarantine };
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
	if (word->imposed)
		return local && has_reason(local, word->imposed);
	return !word->is_released || !local;
}

/* The result of a look at a GUID. */
typedef enum Look {
	LOOK_DONE,
	LOOK_FULL, /* no other change can begin now */
	LOOK_NO_MEMORY,
} Look;

static void forget_failures(QuarantineChange *change)
{
	if (change->has_failed)
		change->quiet_until = 0;
	change->has_failed = false;
	change->refusals = 0;
}

static Look begin(Quarantines *quarantines, const Guid *guid, const Word *word, uint64_t now)
{
	const FleetQuarantine *imposed = word->imposed;
	QuarantineChange *change = get_change(quarantines, guid);

	if (!change)
		return LOOK_NO_MEMORY;
	if (change->revision != word->revision && !change->is_in_progress)
		forget_failures(change);
	if (!may_begin(quarantines, change, now))
		return LOOK_DONE;
	if (quarantines->in_progress >= QUARANTINE_CHANGES_MAX)
		return LOOK_FULL;
	_cleanup_free_ char *reason = imposed ? quarantine_reason(imposed) : NULL;
	if (imposed && !reason)
		return LOOK_NO_MEMORY;
	change->is_in_progress = true;
	change->is_imposing = reason != NULL;
	change->revision = word->revision;
	change->is_deleted &= !reason;
	quarantines->in_progress++;
	quarantines->set(quarantines->context, guid, reason);
	return LOOK_DONE;
}

/*
 * Imposes, changes or lifts the quarantine of one GUID, or forgets a change that the facts show.
 */
static Look look_at(Quarantines *quarantines, const FleetIndex *index, const FleetFacts *facts,
		    const Guid *guid, uint64_t now)
{
	QuarantineChange *change = find_change(quarantines, guid);
	const Word word = find_word(index, guid, change);

	quarantines->looks++;
	if (change && fleet_facts_quarantine(facts, guid))
		change->is_awaited = false;
	if (is_settled(facts, guid, &word)) {
		/* The facts may be from before a quarantine that has to be lifted. */
		if (change && !change->is_in_progress && !change->is_awaited)
			change_free(quarantines, change);
		return LOOK_DONE;
	}
	if (!word.imposed && !fleet_index_is_current(index))
		return LOOK_DONE;
	return begin(quarantines, guid, &word, now);
}

/* Finds the first GUID of the present round that is not before the next one. */
static bool find_next(const Quarantines *quarantines, const FleetIndex *index,
		      const FleetFacts *facts, Guid *ret_guid)
{
	const QuarantineChange wanted = { .guid = quarantines->next };
	const QuarantineChange *change;
	const FleetLocalQuarantine *local;
	const FleetEntry *entry;

	switch (quarantines->round) {
	case QUARANTINE_ROUND_FLEET:
		entry = fleet_index_quarantine_from(index, &quarantines->next);
		if (entry)
			*ret_guid = entry->key.vm;
		return entry != NULL;
	case QUARANTINE_ROUND_LOCAL:
		local = fleet_facts_quarantine_from(facts, &quarantines->next);
		if (local)
			*ret_guid = local->guid;
		return local != NULL;
	case QUARANTINE_ROUND_CHANGES:
		change = RB_NFIND(QuarantineChangeTree,
				  (QuarantineChangeTree *)&quarantines->changes,
				  (QuarantineChange *)&wanted);
		if (change)
			*ret_guid = change->guid;
		return change != NULL;
	case QUARANTINE_ROUND_MAX:
		break;
	}
	return false;
}

/* Makes the GUID behind this one the next. Returns false if there is none. */
static bool step_behind(Quarantines *quarantines, const Guid *guid)
{
	quarantines->next = *guid;
	for (size_t i = sizeof(guid->bytes); i > 0; i--)
		if (++quarantines->next.bytes[i - 1] != 0)
			return true;
	return false;
}

/* Looks at the rest of the present round, and begins the next round. */
static Look plan_round(Quarantines *quarantines, const FleetIndex *index, const FleetFacts *facts,
		       uint64_t now)
{
	bool has_more = true;
	Guid guid;

	while (has_more && find_next(quarantines, index, facts, &guid)) {
		Look look = look_at(quarantines, index, facts, &guid, now);

		quarantines->next = guid;
		if (look != LOOK_DONE)
			return look;
		has_more = step_behind(quarantines, &guid);
	}
	quarantines->next = (Guid){ .bytes = { 0 } };
	quarantines->round = (quarantines->round + 1) % QUARANTINE_ROUND_MAX;
	return LOOK_DONE;
}

/* Forgets what vaild refused or did before it went. Its present facts show the rest. */
static void note_return(Quarantines *quarantines)
{
	QuarantineChange *change;

	RB_FOREACH (change, QuarantineChangeTree, &quarantines->changes) {
		forget_failures(change);
		change->is_awaited = false;
	}
}

bool quarantines_plan(Quarantines *quarantines, const FleetIndex *index, const FleetFacts *facts,
		      uint64_t now)
{
	Look look = LOOK_DONE;
	bool is_middle = quarantines->round != 0 || !guid_is_nil(&quarantines->next);
	int rounds = QUARANTINE_ROUND_MAX + (is_middle ? 1 : 0);

	quarantines->due = 0;
	if (quarantines->was_away && facts->is_known)
		note_return(quarantines);
	quarantines->was_away = !facts->is_known;
	if (!facts->is_known)
		return true;
	/* If it begins in the middle of a round, it ends with that round. */
	for (; look == LOOK_DONE && rounds > 0; rounds--)
		look = plan_round(quarantines, index, facts, now);
	if (look == LOOK_DONE) {
		quarantines->round = QUARANTINE_ROUND_FLEET;
		quarantines->next = (Guid){ .bytes = { 0 } };
	}
	return look != LOOK_NO_MEMORY;
}

/* Returns how long a change waits after this outcome. */
static uint64_t pause_after(const Quarantines *quarantines, const QuarantineChange *change,
			    QuarantineOutcome outcome)
{
	uint64_t shared = quarantines->count * QUARANTINE_SHARE;

	switch (outcome) {
	case QUARANTINE_DONE:
	case QUARANTINE_OVERTAKEN:
		return QUARANTINE_SHOWN;
	case QUARANTINE_REFUSED:
		return (uint64_t)QUARANTINE_PAUSE << change->refusals;
	case QUARANTINE_HINDERED:
	case QUARANTINE_UNKNOWN:
		break;
	}
	return shared > QUARANTINE_PAUSE ? shared : QUARANTINE_PAUSE;
}

void quarantines_answered(Quarantines *quarantines, const Guid *guid, QuarantineOutcome outcome,
			  uint64_t now)
{
	QuarantineChange *change = find_change(quarantines, guid);

	if (!change || !change->is_in_progress)
		return;
	change->is_in_progress = false;
	quarantines->in_progress--;
	change->is_awaited |= change->is_imposing &&
			      (outcome == QUARANTINE_DONE || outcome == QUARANTINE_UNKNOWN);
	change->has_failed = outcome != QUARANTINE_DONE;
	change->quiet_until = now + pause_after(quarantines, change, outcome);
	if (outcome == QUARANTINE_DONE)
		change->refusals = 0;
	else if (outcome == QUARANTINE_REFUSED && change->refusals < QUARANTINE_DOUBLINGS)
		change->refusals++;
}
