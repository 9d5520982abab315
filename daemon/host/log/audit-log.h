/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_LOG_AUDIT_LOG_H
#define DAEMON_HOST_LOG_AUDIT_LOG_H

#include <event2/event_struct.h>

#include "daemon/core/audit-record.h"
#include "daemon/core/event.h"
#include "daemon/core/tree.h"
#include "daemon/host/process/fs-roots.h"

/*
 * The audit log: one journal entry per decision, with the caller, the VM, the status and the
 * reason. At most LIMIT_DENY_RECORDS_PER_SECOND denials of one uid are logged per second. Further
 * ones are counted, and the count is logged when the second has passed.
 */
typedef struct Denials Denials;
typedef RB_HEAD(DenialsTree, Denials) DenialsTree;

typedef struct Journal {
	Roots roots;
	DenialsTree by_uid; /* of the current second */
	struct event second_event;
} Journal;

void journal_init(Journal *journal, struct event_base *base, const Roots *roots);
void journal_deinit(Journal *journal);

void journal_record(Journal *journal, const Record *decision);

/* Logs registrations, VMs and adapters that ended without a request. Ignores all other events. */
void journal_event(const Event *event);

#endif
