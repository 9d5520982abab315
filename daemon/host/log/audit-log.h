/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_LOG_AUDIT_LOG_H
#define DAEMON_HOST_LOG_AUDIT_LOG_H

#include <event2/event_struct.h>

#include "daemon/core/audit-record.h"
#include "daemon/core/event.h"
#include "daemon/core/tree.h"
#include "daemon/host/process/process-table.h"

/*
 * The audit log: one journal entry per decision, with the caller, the VM, the status and the
 * reason. At most LIMIT_DENY_RECORDS_PER_SECOND denials of one uid are logged per second. Further
 * ones are counted, and the count is logged when the second has passed.
 */
typedef struct Denials Denials;
typedef RB_HEAD(DenialsTree, Denials) DenialsTree;

typedef struct AuditLog {
	ProcessTable *processes;
	DenialsTree by_uid; /* of the current second */
	struct event second_event;
} AuditLog;

void audit_log_init(AuditLog *journal, struct event_base *base, ProcessTable *processes);
void audit_log_deinit(AuditLog *journal);

void audit_log_decision(AuditLog *journal, const AuditRecord *decision);

/* Logs registrations, VMs and adapters that ended without a request. Ignores all other events. */
void audit_log_event(const Event *event);

#endif
