/* SPDX-License-Identifier: MIT */
#ifndef CORE_QUARANTINE_H
#define CORE_QUARANTINE_H

#include "account.h"
#include "caller.h"
#include "guid.h"
#include "thing.h"

/* A GUID for which nobody is registered until an operator lifts it, running or not. */
typedef struct Quarantine {
	Guid guid;
	Thing thing;
	char *reason; /* or NULL */
	Charge charge;
	RB_ENTRY(Quarantine) by_guid;
} Quarantine;

typedef RB_HEAD(QuarantineGuidTree, Quarantine) QuarantineGuidTree;

Quarantine *quarantine_find(Broker *broker, const Guid *guid);

/* The first quarantine whose serial is above the cursor. */
Quarantine *quarantine_after(Broker *broker, uint64_t serial);

/*
 * Takes reason. account is the operator's who asks. Returns
 * STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED or STATUS_NO_MEMORY. One that is committed for a GUID that
 * has one already replaces it.
 */
NTSTATUS quarantine_prepare(Broker *broker, const Payer *payer, const Guid *guid, char **reason,
			    Quarantine **ret_quarantine, Failure *failure);
void quarantine_commit(Broker *broker, Quarantine *quarantine);
void quarantine_discard(Broker *broker, Quarantine *quarantine);

/* One that was kept comes back, whatever the limits are now; it is charged to root. Takes reason.
 * STATUS_SUCCESS or STATUS_NO_MEMORY. */
NTSTATUS quarantine_restore(Broker *broker, const Guid *guid, char **reason, Failure *failure);

void quarantine_lift(Broker *broker, Quarantine *quarantine);

/* Forgets it without a word: the daemon stops, the quarantine stays. */
void quarantine_forget(Broker *broker, Quarantine *quarantine);

void quarantines_check(Broker *broker);

#endif
