/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_MODEL_QUARANTINE_H
#define DAEMON_FLEET_MODEL_QUARANTINE_H

#include "daemon/fleet/model/facts.h"
#include "daemon/fleet/model/index.h"
#include "proto/quarantine-reason.h"

/*
 * Imposes the quarantines of the fleet on this host. The keys quarantine/GUID decide: a host
 * imposes each quarantine that it finds there, and lifts it when the key says that it is released,
 * or when the host sees how the key is deleted. A key that is only missing lifts nothing, because
 * etcd may be empty, restored, or another one. The reason in vaild tells that a quarantine is the
 * fleet's, because it begins with QUARANTINE_REASON_OF_FLEET. Nothing else is remembered, so a host
 * that was down does the same when it comes back.
 *
 * A quarantine with another reason belongs to the operators of this host. It is never changed or
 * lifted.
 */

/*
 * Milliseconds before a change is tried again that has failed, or that the facts do not show. The
 * first pause doubles with each refusal of this change, up to QUARANTINE_DOUBLINGS times. A failure
 * that says nothing about this quarantine has always the same pause. It is longer only if very many
 * changes wait, so that all of them together call vaild once in QUARANTINE_SHARE at most. The
 * return of vaild, or another revision of the key, ends the pause after a failure.
 */
#define QUARANTINE_PAUSE     5000
#define QUARANTINE_DOUBLINGS 6
#define QUARANTINE_SHOWN     1000
#define QUARANTINE_SHARE     5

/* Changes in progress at a time. */
#define QUARANTINE_CHANGES_MAX 64

/*
 * Keys of released quarantines in etcd. They tell hosts that were down of the release, so they stay
 * until there are more. Then the oldest ones go, because otherwise they would one day leave no room
 * in the index for quarantines that are imposed.
 */
#define QUARANTINE_RELEASED_MAX 4096

/* The outcome of a change in vaild. */
typedef enum QuarantineOutcome {
	QUARANTINE_DONE,
	QUARANTINE_REFUSED,   /* because of this change */
	QUARANTINE_OVERTAKEN, /* somebody else has changed the quarantine, as the facts soon show */
	QUARANTINE_HINDERED,  /* for a reason that concerns the whole host */
	QUARANTINE_UNKNOWN,   /* the answer was lost, and the change may have been made */
} QuarantineOutcome;

/* A change in progress, or one that the facts do not show yet. */
typedef struct QuarantineChange {
	Guid guid;
	bool is_in_progress;
	bool is_imposing;      /* the last change imposes */
	bool is_awaited;       /* vaild may have imposed it, and the facts do not show that yet */
	bool is_deleted;       /* the host has seen how the key was deleted */
	int64_t revision;      /* of the key that the last change obeys; 0 for a deleted one */
	unsigned int refusals; /* of this change, without a success between them */
	bool has_failed;       /* the last time */
	uint64_t quiet_until;
	RB_ENTRY(QuarantineChange) link;
} QuarantineChange;

typedef RB_HEAD(QuarantineChangeTree, QuarantineChange) QuarantineChangeTree;

/*
 * GUIDs are looked at in three rounds, each in ascending order. A plan that cannot begin another
 * change stops there, and the next one goes on. So many quarantines are not looked at again for
 * each one that is done.
 */
typedef enum QuarantineRound {
	QUARANTINE_ROUND_FLEET,   /* those of the index */
	QUARANTINE_ROUND_LOCAL,   /* those of the facts */
	QUARANTINE_ROUND_CHANGES, /* those in the tree below */
	QUARANTINE_ROUND_MAX,
} QuarantineRound;

/*
 * Imposes a quarantine on the local vaild, or lifts it if reason is NULL. Answered later with
 * quarantines_answered(), exactly once; from within this function only if it has failed.
 */
typedef void QuarantineSet(void *context, const Guid *guid, const char *reason);

typedef struct Quarantines {
	QuarantineChangeTree changes;
	size_t count; /* of changes */
	size_t in_progress;
	QuarantineRound round; /* of the GUID at which the next plan begins */
	Guid next;             /* that GUID, or one before it */
	QuarantineSet *set;
	void *context;
	bool was_away;  /* vaild, at the last plan */
	uint64_t looks; /* at GUIDs, since the start */
	uint64_t due;   /* when to plan again at the latest; 0 for no time */
} Quarantines;

void quarantines_init(Quarantines *quarantines, QuarantineSet *set, void *context);
void quarantines_deinit(Quarantines *quarantines);

/*
 * Finds the oldest released quarantine if there are more than QUARANTINE_RELEASED_MAX. Revisions
 * tell the age, because the clocks of hosts differ. Looks at all quarantines. Returns NULL for
 * none.
 */
const FleetEntry *quarantine_to_forget(const FleetIndex *index);

/* Tests whether a local quarantine was imposed for the fleet. */
bool quarantine_is_of_fleet(const FleetLocalQuarantine *local);

/*
 * Returns the reason with which a quarantine of the fleet is imposed, to be freed by the caller;
 * NULL if out of memory.
 */
char *quarantine_reason(const FleetQuarantine *quarantine);

/*
 * Begins the changes that are missing on this host. Imposes also from an index that is old. Lifts
 * only if the index is current. Does nothing while vaild is away. Returns false if out of memory.
 */
bool quarantines_plan(Quarantines *quarantines, const FleetIndex *index, const FleetFacts *facts,
		      uint64_t now);

/*
 * Notes that the key of a quarantine was deleted, which lifts it. Returns false if out of memory;
 * the quarantine then stays.
 */
bool quarantines_deleted(Quarantines *quarantines, const Guid *guid);

/* Notes the answer of vaild, or its loss. The facts show the result. */
void quarantines_answered(Quarantines *quarantines, const Guid *guid, QuarantineOutcome outcome,
			  uint64_t now);

#endif
