/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_QUARANTINE_H
#define DAEMON_CORE_QUARANTINE_H

#include "daemon/core/account.h"
#include "daemon/core/caller.h"
#include "daemon/core/entity.h"
#include "proto/guid.h"

/*
 * A quarantine of a VM's GUID. No process can register for the VM, and no object can be shared for
 * it, until an operator lifts the quarantine. The VM does not need to be running.
 */
typedef struct Quarantine {
	Guid guid;
	Entity entity;
	char *reason; /* for people, or NULL */
	Charge charge;
	RB_ENTRY(Quarantine) by_guid;
} Quarantine;

typedef RB_HEAD(QuarantineGuidTree, Quarantine) QuarantineGuidTree;

/* Returns NULL if the GUID is not quarantined. */
Quarantine *quarantine_find(Broker *broker, const Guid *guid);

/* Returns the first quarantine whose serial is above the cursor, or NULL at the end. */
Quarantine *quarantine_after(Broker *broker, uint64_t serial);

/*
 * Prepares a quarantine, and takes ownership of *reason if memory suffices. Committing it ends the
 * VM's registrations and unshares its objects, and replaces an earlier quarantine of the same GUID.
 * A replacement is not subject to the limits. Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED or
 * STATUS_NO_MEMORY.
 */
NTSTATUS quarantine_prepare(Broker *broker, const Payer *payer, const Guid *guid, char **reason,
			    Quarantine **ret_quarantine, Failure *failure);
void quarantine_commit(Broker *broker, Quarantine *quarantine);
void quarantine_discard(Broker *broker, Quarantine *quarantine);

/*
 * Adds a quarantine that was persisted, regardless of the limits, and charges it to its payer.
 * Takes ownership of *reason if memory suffices. Returns STATUS_SUCCESS or STATUS_NO_MEMORY.
 */
NTSTATUS quarantine_restore(Broker *broker, const Payer *payer, const Guid *guid, char **reason,
			    Failure *failure);

/* Ends the quarantine. */
void quarantine_lift(Broker *broker, Quarantine *quarantine);

/* Frees the quarantine without an event. Used at shutdown, because it stays in effect on disk. */
void quarantine_forget(Broker *broker, Quarantine *quarantine);

/* Asserts the invariants of all quarantines. */
void quarantines_check(Broker *broker);

#endif
